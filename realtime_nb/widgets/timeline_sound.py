"""The audio of a whole session, of which a timeline's page asks for the pieces it needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from realtime_nb.analysis.clips import cut, interleaved
from realtime_nb.analysis.timeline import PlacedAudio, TimelineData
from realtime_nb.audio.long_sound import LongSound, part_of
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.widgets.waves import POINT_BYTES, POINT_SAMPLES, long_outline

__all__ = ["MAX_BLOCK_S", "MAX_DETAIL_POINTS", "Sound", "VoiceLane", "Wave"]

MAX_BLOCK_S = 10.0
"""Longest audio that one request gets: 960 kB."""

MAX_DETAIL_POINTS = 8_000
"""Most points for each lane that one request gets: 32 kB."""

_OVERVIEW_POINTS = 12_000

VoiceLane = Literal["user", "agent"]


@dataclass(frozen=True, slots=True)
class Wave:
    """The outline of a stretch of audio.

    Attributes:
        lane: Whose voice it is.
        start_s: When it begins.
        heard_s: How much of it was played; None for all.
        points: Two int16 for each: lowest, highest.
        step: Samples to a point.
    """

    lane: VoiceLane
    start_s: float
    heard_s: float | None
    points: bytes
    step: int

    @property
    def count(self) -> int:
        """Points in it."""
        return len(self.points) // POINT_BYTES


class Sound:
    """A session's audio, by the second.

    Args:
        data: Its voices.
    """

    def __init__(self, data: TimelineData) -> None:
        self.begin_s, self.duration_s = data.begin_s, data.duration_s
        self._data = data

    def overview(self) -> Iterator[Wave]:
        """Returns all waves, in 10 ms to a point or, of a session over 2 minutes, coarser."""
        length_s = self.duration_s - self.begin_s
        step = max(POINT_SAMPLES, math.ceil(length_s * SAMPLE_RATE / _OVERVIEW_POINTS))
        return self._waves(self.begin_s, math.inf, step)

    def detail(self, start_s: float, end_s: float, points: int) -> tuple[int, list[Wave]]:
        """Returns the waves between two moments, in about so many points to each lane.

        Returns:
            Samples to a point, and the waves.
        """
        points = max(1, min(points, MAX_DETAIL_POINTS))
        step = max(1, math.ceil((end_s - start_s) * SAMPLE_RATE / points))
        return step, list(self._waves(start_s, end_s, step))

    def block(self, start_s: float, end_s: float) -> bytes:
        """Returns PCM16 stereo at 24 kHz of at most ``MAX_BLOCK_S``, the user left, the agent
        right."""
        end_s = min(end_s, start_s + MAX_BLOCK_S, self.duration_s)
        user, agent = (
            cut(((clip.start_s, clip.samples) for clip in clips), start_s, end_s)
            for clips in (self._data.user, [*self._data.received, *self._data.agent])
        )
        return interleaved(user, agent)

    def _waves(self, start_s: float, end_s: float, step: int) -> Iterator[Wave]:
        data = self._data
        layers: tuple[tuple[VoiceLane, float | None, Sequence[PlacedAudio]], ...] = (
            ("user", None, data.user),
            ("agent", None, data.received),
            ("agent", None, data.agent),
            ("agent", 0.0, data.unheard),
        )
        for lane, heard_s, clips in layers:
            for clip in clips:
                first, last = _places(clip.samples, start_s - clip.start_s, end_s - clip.start_s)
                first = first // step * step  # from a whole step on: panning shifts no point
                if first < last:
                    points = long_outline(part_of(clip.samples, first, last), step)
                    yield Wave(lane, clip.start_s + first / SAMPLE_RATE, heard_s, points, step)


def _places(samples: LongSound, start_s: float, end_s: float) -> tuple[int, int]:
    """Returns the numbers of the samples between two moments: the first, and that after the
    last."""
    last = math.inf if math.isinf(end_s) else round(max(0.0, end_s) * SAMPLE_RATE)
    return round(max(0.0, start_s) * SAMPLE_RATE), int(min(len(samples), last))
