"""Speech that the server did not hear."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from realtime_nb.analysis.vad_lab.track import SpeechTrack
from realtime_nb.analysis.voices import TimeSpan, common_spans
from realtime_nb.protocol.turns import FRAME_MS

__all__ = ["LONGEST_UNHEARD_MS", "Deafness", "deaf_stretches"]

LONGEST_UNHEARD_MS = 1_000.0
"""So much speech without ``speech_started`` is said."""

_SPEECH_PROBABILITY = 0.5
_PAUSE_MS = 1_000.0
"""Speech that goes on sooner is the same stretch."""


@dataclass(frozen=True, slots=True)
class Deafness:
    """A stretch of speech that no turn was opened for.

    Attributes:
        start_ms, end_ms: where in the input.
        speech_ms: how much of it is speech by the detector here.
        probability: of that speech, in the mean.
    """

    start_ms: float
    end_ms: float
    speech_ms: float
    probability: float

    @property
    def words(self) -> str:
        """What happened, in one sentence."""
        return (
            f"The server did not hear {self.speech_ms / 1000:.1f} s of speech at "
            f"{self.probability:.2f}."
        )


def deaf_stretches(
    track: SpeechTrack,
    voiced_ms: Sequence[TimeSpan],
    heard_ms: Sequence[TimeSpan],
    listening_ms: Sequence[TimeSpan],
) -> list[Deafness]:
    """Returns the stretches of speech of a second and more that the server did not hear.

    Args:
        track: the probabilities.
        voiced_ms: where the detector here hears speech.
        heard_ms: the server's turns.
        listening_ms: where turn detection was on, and nobody was muted.
    """
    unheard = _without(common_spans(voiced_ms, listening_ms), heard_ms)
    found = []
    for group in _groups(unheard, heard_ms):
        probabilities = [p for span in group for p in _probabilities(track, span)]
        speech_ms = len(probabilities) * FRAME_MS
        if speech_ms >= LONGEST_UNHEARD_MS:
            mean = math.fsum(probabilities) / len(probabilities)
            found.append(Deafness(group[0][0], group[-1][1], float(speech_ms), mean))
    return found


def _probabilities(track: SpeechTrack, span: TimeSpan) -> Iterator[float]:
    for frame in range(track.frame_of(span[0]), track.frame_of(span[1])):
        probability = track.probability(frame)
        if probability >= _SPEECH_PROBABILITY:
            yield probability


def _groups(unheard: Sequence[TimeSpan], heard_ms: Sequence[TimeSpan]) -> list[list[TimeSpan]]:
    """Returns spans that follow each other soon, and without a turn in between, together."""
    groups: list[list[TimeSpan]] = []
    starts_ms = [start_ms for start_ms, _ in heard_ms]
    for span in unheard:
        last_ms = groups[-1][-1][1] if groups else -math.inf
        between = bisect_left(starts_ms, span[0]) > bisect_left(starts_ms, last_ms)
        if span[0] - last_ms > _PAUSE_MS or between:
            groups.append([])
        groups[-1].append(span)
    return groups


def _without(spans: Sequence[TimeSpan], others: Sequence[TimeSpan]) -> list[TimeSpan]:
    """Returns what of spans lies in none of the others; both are in order."""
    gaps = []
    last_ms = -math.inf
    for start_ms, end_ms in others:
        gaps.append((last_ms, start_ms))
        last_ms = max(last_ms, end_ms)
    return common_spans(spans, [*gaps, (last_ms, math.inf)])
