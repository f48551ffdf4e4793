"""How finished a turn sounds at each of its pauses, by a turn model where there is one."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from realtime_nb.analysis.vad_lab.track import SpeechTrack
from realtime_nb.protocol.turns import FRAME_MS, TurnDetector, TurnSettings

__all__ = ["Completion", "Pauses"]

Completeness = Callable[[bytes, str], float]
"""Takes audio as it is on the wire and the name of its format; returns how likely it is that who
speaks there has finished."""

_ASK_MS = 160
_DECIDE_MS = 224
_HEARD_MS = 8_000
_COMPLETE = 0.5
_SETTINGS = TurnSettings(silence_duration_ms=4_000)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a turn model says at a pause.

    Attributes:
        at_ms: where in the input the pause has lasted 224 ms.
        probability: that the turn is over; NaN where the model failed.
    """

    at_ms: float
    probability: float


class Pauses:
    """Asks a turn model at each pause, as ``semantic_vad`` of middling eagerness does.

    It keeps eight seconds of audio.

    Args:
        track: has taken the audio before it comes here.
        completeness: the model, which blocks while it thinks.
    """

    def __init__(self, track: SpeechTrack, completeness: Completeness) -> None:
        self._track = track
        self._completeness = completeness
        self._all: list[Completion] = []
        self._tail = bytearray()
        self._turns = TurnDetector(_SETTINGS)
        self._first = self._frame = 0
        self._base_ms = math.nan

    def push(self, payload: bytes) -> None:
        """Takes audio as it is on the wire."""
        if self._track.stretches[-1].first != self._first or self._base_ms != self._start_ms():
            self._begin()
        self._tail += payload
        for frame in range(self._frame, self._track.count):
            self._turns.step(self._track.probability(frame))
            if self._turns.speaking and self._turns.silence_ms == _DECIDE_MS:
                self._ask()
        self._frame = self._track.count
        del self._tail[: -self._bytes(_HEARD_MS + _DECIDE_MS)]

    def since(self, since_ms: float) -> list[Completion]:
        """Returns what was said at pauses from a position on."""
        return self._all[bisect_left(self._all, since_ms, key=lambda one: one.at_ms) :]

    def _begin(self) -> None:
        self._first, self._base_ms = self._track.stretches[-1].first, self._start_ms()
        self._frame = self._first
        self._turns = TurnDetector(_SETTINGS)  # from 0 at the beginning of the stretch
        self._tail = bytearray()

    def _start_ms(self) -> float:
        return self._track.stretches[-1].start_ms

    def _bytes(self, duration_ms: float) -> int:
        return round(duration_ms) * self._track.audio_format.bytes_per_ms

    def _ask(self) -> None:
        start_ms, now_ms = self._turns.audio_start_ms, self._turns.now_ms
        assert start_ms is not None
        end_ms = now_ms - _DECIDE_MS + _ASK_MS
        heard_ms = (self._track.count - self._first) * FRAME_MS
        end = len(self._tail) - self._rest() - self._bytes(heard_ms - end_ms)
        begin = max(0, end - self._bytes(min(end_ms - start_ms, _HEARD_MS)))
        probability = self._completeness(
            bytes(self._tail[begin:end]), self._track.audio_format.type
        )
        self._all.append(Completion(self._base_ms + now_ms, probability))
        if probability >= _COMPLETE:
            self._turns.stop_now()

    def _rest(self) -> int:
        """Returns how many bytes at the end are no whole frame yet."""
        stretch_ms = self._track.position_ms - (self._base_ms - self._track.origin_ms)
        return self._bytes(stretch_ms % FRAME_MS)
