"""Who is audible when, found in the recorded audio itself.

What the server took for speech is in :func:`realtime_nb.analysis.tables.speech`; this is a second
opinion, by the offline detector, which also knows what the server missed.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.long_sound import LongSound, blocks
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.audio.speech_ends import SpeechListener
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.input_clock import InputClock

__all__ = [
    "Heard",
    "TimeSpan",
    "Voices",
    "audible_spans",
    "common_spans",
    "find_voices",
    "frame_levels_dbfs",
    "listen",
    "placed_voices",
    "spans_length",
]

TimeSpan = tuple[float, float]
"""Start and end, in seconds or, where the name of what holds it says so, in ms."""

_FRAME_MS = 20
_FRAME = SAMPLE_RATE * _FRAME_MS // 1000
_GAP_MS = 200
"""Shorter pauses belong to the speech around them."""
_BELOW_LOUD_DB = 35.0
"""How far below the loud parts of a voice the quietest that belongs to it lies."""
_QUIETEST_DBFS = -60.0
_BLOCK_FRAMES = 3_000
_LISTENED = 60 * SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Voices:
    """Who is audible when, in seconds since the session began, each in order of time.

    Attributes:
        user: voiced spans of what was sent. One that lies on both sides of a pause of the
            microphone is cut there.
        agent: voiced spans of what was played.
        user_ms: voiced spans of what was sent, in ms of the input-sample clock, uncut.
        heard_ms: how much of what was sent was there to be heard.
        source: what found them.
    """

    user: list[TimeSpan]
    agent: list[TimeSpan]
    user_ms: list[TimeSpan] = field(default_factory=list)
    heard_ms: float = math.inf
    source: str = "offline_vad"


class _Audible(Protocol):
    """What of a :class:`realtime_nb.analysis.recorded.Recorded` is listened to."""

    def sound(self, name: Literal["input", "output"]) -> LongSound: ...

    @property
    def input_clock(self) -> InputClock: ...

    @property
    def conversation(self) -> Conversation: ...


@dataclass(frozen=True, slots=True)
class Heard:
    """What is heard in the audio alone.

    Attributes:
        user_ms: as in :class:`Voices`.
        agent: as in :class:`Voices`.
    """

    user_ms: list[TimeSpan]
    agent: list[TimeSpan]


def find_voices(rec: _Audible) -> Voices:
    """Finds who is audible when; about 8 s for an hour of audio.

    The user is found by :class:`realtime_nb.audio.speech_ends.SpeechListener`, whatever turn
    detection the session was set to; the agent, whose audio is clean, by its level. A bare audio
    file is on its own time.
    """
    return placed_voices(rec, listen(rec))


def listen(rec: _Audible) -> Heard:
    """Returns what is heard in a recording's audio, a minute of which is in memory at a time."""
    user_ms = _spoken_ms(rec.sound("input"), rec.conversation.audio.cuts_ms)
    return Heard(user_ms, audible_spans(rec.sound("output")))


def placed_voices(rec: _Audible, heard: Heard) -> Voices:
    """Returns what was heard, with the times at which it was said."""
    if rec.input_clock.times_s:
        user = _on_the_wall(heard.user_ms, rec.input_clock)
    else:
        user = [(start_ms / 1000, end_ms / 1000) for start_ms, end_ms in heard.user_ms]
    heard_ms = len(rec.sound("input")) * 1000 / SAMPLE_RATE
    return Voices(user, heard.agent, heard.user_ms, heard_ms)


def _spoken_ms(samples: LongSound, cuts_ms: Sequence[float]) -> list[TimeSpan]:
    """Returns where in the input there is speech; at a cut, and at the end, whatever is being said
    is over."""
    listener = SpeechListener()
    places = [round(cut_ms * SAMPLE_RATE / 1000) for cut_ms in cuts_ms]
    edges = sorted({0, len(samples), *(place for place in places if 0 < place < len(samples))})
    for start, end in pairwise(edges):
        for first in range(start, end, _LISTENED):
            listener.push(pcm_from_samples(samples[first : min(end, first + _LISTENED)]))
        listener.cut()
    return listener.spans_ms


def _on_the_wall(spans_ms: Iterable[TimeSpan], clock: InputClock) -> list[TimeSpan]:
    """Returns spans of the input-sample clock as spans of time, in seconds."""
    stretches = clock.stretches()
    found: list[TimeSpan] = []
    first = 0
    for start_ms, end_ms in spans_ms:
        while first < len(stretches) and stretches[first][2] <= start_ms:
            first += 1
        for _, from_ms, to_ms in stretches[first:]:
            if from_ms >= end_ms:
                break
            start_s = clock.onset(max(start_ms, from_ms))
            found.append((start_s, clock.wall(min(end_ms, to_ms))))
    return found


def audible_spans(samples: LongSound) -> list[TimeSpan]:
    """Returns spans of clean audio (24 kHz) in which there is a voice, by level, in seconds.

    A 20-ms frame is voiced when its level is less than 35 dB below that of the loud ones (the
    95th percentile of those above -60 dBFS), and above -60 dBFS. Gaps under 200 ms are closed.
    """
    levels = frame_levels_dbfs(samples)
    audible = levels[levels > _QUIETEST_DBFS]
    if not len(audible):
        return []
    threshold = max(_QUIETEST_DBFS, float(np.percentile(audible, 95)) - _BELOW_LOUD_DB)
    changes = np.flatnonzero(np.diff((levels > threshold).astype(np.int8), prepend=0, append=0))
    starts, ends = changes[::2], changes[1::2]
    apart = (starts[1:] - ends[:-1]) * _FRAME_MS >= _GAP_MS
    starts = starts[np.concatenate([[True], apart])]
    ends = ends[np.concatenate([apart, [True]])]
    return list(
        zip((starts * _FRAME_MS / 1000).tolist(), (ends * _FRAME_MS / 1000).tolist(), strict=True)
    )


def frame_levels_dbfs(samples: LongSound) -> npt.NDArray[np.float64]:
    """Returns the level of each 20-ms frame in dBFS (0: full-scale square wave); -120 for silence.

    Args:
        samples: Float32 at 24 kHz, shape (n,); an incomplete last frame is filled with silence.

    Returns:
        Float64, shape (number of frames,).
    """
    powers = [_frame_powers(block) for block in blocks(samples, _BLOCK_FRAMES * _FRAME)]
    mean_powers = np.concatenate([np.zeros(0), *powers]) / _FRAME
    levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(mean_powers, 1e-12))
    return levels


def _frame_powers(samples: Samples) -> npt.NDArray[np.float64]:
    """Returns the sum of the squares in each frame, and in the rest if there is one."""
    whole = len(samples) // _FRAME
    frames: Samples = np.asarray(samples[: whole * _FRAME], np.float32).reshape(-1, _FRAME)
    powers = np.einsum("ij,ij->i", frames, frames, dtype=np.float64)
    rest = np.asarray(samples[whole * _FRAME :], np.float64)
    return np.append(powers, rest @ rest) if len(rest) else powers


def spans_length(spans: Sequence[TimeSpan]) -> float:
    """Returns the sum of the lengths of spans."""
    return sum(end - start for start, end in spans)


def common_spans(some: Sequence[TimeSpan], others: Sequence[TimeSpan]) -> list[TimeSpan]:
    """Returns where spans of both lists are, each list in order and without overlaps of its own."""
    if not some or not others:
        return []
    found: list[TimeSpan] = []
    i = bisect_right(some, others[0][0], key=lambda span: span[1])
    j = bisect_right(others, some[0][0], key=lambda span: span[1])
    while i < len(some) and j < len(others):
        start, end = max(some[i][0], others[j][0]), min(some[i][1], others[j][1])
        if start < end:
            found.append((start, end))
        if some[i][1] < others[j][1]:
            i += 1
        else:
            j += 1
    return found
