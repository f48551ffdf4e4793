"""What a turn model says at the pauses of a lab's audio: asked once, for whatever runs over it.

The model takes tens of milliseconds for an answer, so a lab that must not be held up leaves its
questions to somebody else (`LATER`): a run waits at the frame where the answer counts, and goes on
once it is there. Both are bounded: so many questions wait, and so much audio is kept.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from realtime_nb.analysis.vad_lab.track import SpeechTrack
from realtime_nb.protocol.semantic_turns import LONGEST_HEARD_MS

__all__ = ["LATER", "Completeness", "HeardAudio", "PauseAnswers", "PauseQuestion"]

LATER: Final = "later"
"""Instead of a model: questions wait until somebody takes and answers them."""

Completeness: TypeAlias = Callable[[bytes, str], float] | Literal["later"]
"""Takes audio as it is on the wire and the name of its format; returns how likely it is that who
speaks there has finished."""

HeardAudio: TypeAlias = Callable[[float, float], tuple[bytes, str]]
"""Returns audio that was kept elsewhere, between two positions of the session, and its format."""

_MOST_OPEN = 16
_KEPT_MS = 30_000
"""What is asked about ends in it, however long the model takes."""


@dataclass(frozen=True, slots=True)
class PauseQuestion:
    """Whether who speaks between two positions, in ms of the session, has finished there."""

    start_ms: float
    end_ms: float
    audio: bytes
    format_type: str


class PauseAnswers:
    """Questions and answers by their places; NaN where the model failed, or the audio is gone.

    Args:
        track: has taken the audio before it comes here.
        completeness: the model, or `LATER`.
        sound: all of the audio, where it is kept; else the last of it is kept here.
    """

    def __init__(
        self, track: SpeechTrack, completeness: Completeness, sound: HeardAudio | None = None
    ) -> None:
        self._track = track
        self._completeness = completeness
        self._sound = sound
        self._known: dict[tuple[float, float], float] = {}
        self._open: set[tuple[float, float]] = set()
        self._waiting: deque[PauseQuestion] = deque()
        self._tail = bytearray()
        self._stretch = track.stretches[-1]

    @property
    def first_frame(self) -> int:
        """The first frame from which on pauses can be judged, for who begins now."""
        if self._sound is not None:
            return 0
        from_ms = self._track.now_ms - _KEPT_MS + LONGEST_HEARD_MS
        return max(self._stretch.first, self._track.frame_of(from_ms))

    def push(self, payload: bytes) -> None:
        """Takes audio as it is on the wire."""
        if self._sound is not None:
            return
        if self._track.stretches[-1] is not self._stretch:
            self._stretch = self._track.stretches[-1]
            self._tail.clear()
        self._tail += payload

    def forget_old(self) -> None:
        """Drops the audio that nobody asks about any more."""
        del self._tail[: -_KEPT_MS * self._track.audio_format.bytes_per_ms]

    def probability(self, start_ms: float, end_ms: float) -> float | None:
        """Returns how likely it is that who speaks between two positions has finished; None where
        the answer is still to come."""
        place = (start_ms, end_ms)
        if place in self._known or place in self._open:
            return self._known.get(place)
        if len(self._waiting) >= _MOST_OPEN:
            return None  # asked again when the run looks again
        audio, format_type = self._cut(start_ms, end_ms)
        if not audio:
            return self._known.setdefault(place, math.nan)
        if self._completeness != LATER:
            return self._known.setdefault(place, self._completeness(audio, format_type))
        self._open.add(place)
        self._waiting.append(PauseQuestion(start_ms, end_ms, audio, format_type))
        return None

    @property
    def is_asked(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._open)

    def take(self) -> PauseQuestion | None:
        """Returns the question that waits longest; who takes it answers it."""
        return self._waiting.popleft() if self._waiting else None

    def answer(self, question: PauseQuestion, probability: float) -> None:
        """Takes an answer; NaN where the model failed."""
        place = (question.start_ms, question.end_ms)
        self._open.discard(place)
        self._known[place] = probability

    def _cut(self, start_ms: float, end_ms: float) -> tuple[bytes, str]:
        if self._sound is not None:
            return self._sound(start_ms, end_ms)
        track, per_ms = self._track, self._track.audio_format.bytes_per_ms
        held = track.stretch_bytes - len(self._tail)  # bytes of the stretch that are gone
        begin, end = (
            round(at_ms - self._stretch.start_ms) * per_ms - held for at_ms in (start_ms, end_ms)
        )
        gone = begin < 0 or end > len(self._tail)
        return b"" if gone else bytes(self._tail[begin:end]), track.audio_format.type
