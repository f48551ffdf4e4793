"""Which channel of a file is taken, and what a mix of them would do.

Two sides of a call, or a microphone wired the wrong way round, are not to be averaged: one side
would answer the other, or nothing be left.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.decoding import Block
from realtime_nb.audio.pcm import Samples
from realtime_nb.errors import ConfigurationError

__all__ = ["MIX", "Channel", "ChannelSurvey", "channel_name", "mono", "parse_channel"]

MIX: Literal["mix"] = "mix"
Channel = int | Literal["mix"]
"""A channel by its number, from 0, or all of them averaged."""

_SIDES = ("left", "right")
_SAME = 0.01
"""Of the peak; what coding one sound twice makes different is less."""
_SMALLEST = 3 / 32_768
_SILENT = 0.001
_FAINT = 0.01
"""Of the loudest channel's level."""
_OPPOSITE = -0.7
"""Correlation from which down a mix loses more than half of the level."""


def parse_channel(channel: int | str | None) -> Channel | None:
    """Returns what is meant by ``0``, ``"1"``, ``"left"``, ``"right"`` or ``"mix"``.

    Raises:
        ConfigurationError: It is none of these.
    """
    if channel is None or channel == MIX:
        return channel
    if isinstance(channel, str) and channel in _SIDES:
        return _SIDES.index(channel)
    if isinstance(channel, str) and channel.isdecimal():
        return int(channel)
    if isinstance(channel, int) and not isinstance(channel, bool) and channel >= 0:
        return channel
    raise ConfigurationError(
        f"channel is {channel!r}; give a number from 0, left, right, or mix for their average."
    )


def channel_name(channel: Channel, channels: int) -> str:
    """Returns what to call a channel: its number, and its side where there are two."""
    if channel == MIX:
        return "the average"
    return f"channel {channel}" + (f" ({_SIDES[channel]})" if channels == len(_SIDES) else "")


def mono(block: Block, channel: Channel) -> Samples:
    """Returns one channel of a block, or the average of all."""
    if channel == MIX and block.shape[1] > 1:
        mixed: Samples = block.mean(axis=1, dtype=np.float32)
        return mixed
    return np.ascontiguousarray(block[:, 0 if channel == MIX else channel])


class ChannelSurvey:
    """How the channels of a file differ, taken block by block."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._peaks = np.zeros(channels)
        self._difference = 0.0
        self._frames = 0
        self._sums = np.zeros(channels)
        self._products = np.zeros((2, channels))  # with the first channel, and with itself

    def take(self, block: Block) -> None:
        """Takes the next frames."""
        if not len(block):
            return
        wide = block.astype(np.float64)
        self._peaks = np.maximum(self._peaks, np.abs(wide).max(axis=0))
        self._difference = max(self._difference, float(np.abs(wide - wide[:, :1]).max()))
        self._frames += len(block)
        self._sums += wide.sum(axis=0)
        self._products += [wide[:, 0] @ wide, np.square(wide).sum(axis=0)]

    @property
    def differ(self) -> bool:
        """Whether the channels are not one and the same sound."""
        return self._difference > max(_SMALLEST, _SAME * float(self._peaks.max(initial=0.0)))

    @property
    def opposite(self) -> bool:
        """Whether they take from each other when they are added."""
        if not self.differ:
            return False
        means = self._sums / self._frames
        with_first, own = self._products / self._frames - [means[0] * means, np.square(means)]
        scale = np.sqrt(own * own[0])
        return bool((with_first[1:] < _OPPOSITE * scale[1:]).any())

    @property
    def usual(self) -> int:
        """The channel to take where none is asked for: the first that is not silent, nor has but
        the hiss or the offset of a line on which nobody speaks."""
        sounds = (self._peaks > _SILENT) & (self._levels >= _FAINT * self._levels.max(initial=0.0))
        return int(np.argmax(sounds))

    @property
    def _levels(self) -> npt.NDArray[np.float64]:
        """The effective values of all channels, without their offsets."""
        means = self._sums / max(1, self._frames)
        squares = self._products[1] / max(1, self._frames) - np.square(means)
        levels: npt.NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0))
        return levels

    def note(self, taken: Channel, asked: bool) -> str:
        """Returns what there is to say, in a sentence; nothing where it makes no difference."""
        if not self.differ:
            return ""
        name = channel_name(taken, self.channels)
        if self.opposite and (taken == MIX or not asked):
            said = "are in opposite phase, so that a mix erases what they share"
        elif asked:
            return ""
        elif taken != 0:
            said = f"differ, and {channel_name(0, self.channels)} is silent"
        else:
            said = "differ"
        chosen = "" if asked else f" ({self._choices()})"
        return f"Its {self.channels} channels {said}: {name} was taken{chosen}."

    def _choices(self) -> str:
        numbers = "left, right" if self.channels == len(_SIDES) else f"0 to {self.channels - 1}"
        return f"channel: {numbers} or mix"
