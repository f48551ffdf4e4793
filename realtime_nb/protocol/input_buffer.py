"""The input audio buffer and the turns that are heard in it.

Positions are milliseconds of appended audio, from the first byte of the session on. What is heard
does not depend on how the audio is cut into appends: the detector works on whole frames, and a
turn's audio is cut out by position.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from realtime_nb.protocol.audio_formats import format_of
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.semantic_turns import PauseJudge, semantic_settings
from realtime_nb.protocol.turns import (
    FRAME_MS,
    SpeechStart,
    SpeechStop,
    TurnDetector,
    TurnSettings,
)

__all__ = ["InputBuffer", "SpeechDetector", "turn_settings"]

_IDLE_KEEP_MS = 32_000
"""Audio kept while nobody speaks: the longest idle timeout and some padding."""


class SpeechDetector(Protocol):
    """Turns a stream of audio bytes into one speech probability for every whole 32-ms frame."""

    def push(self, payload: bytes) -> list[float]:
        """Takes audio, cut anywhere; returns the probabilities of the frames it completes."""

    def reset(self) -> None:
        """Forgets everything heard so far."""


def turn_settings(turn_detection: JsonObject) -> TurnSettings:
    """Returns the state machine's settings for a ``turn_detection`` object (defaults filled in)."""
    if turn_detection["type"] == "semantic_vad":
        return semantic_settings(turn_detection["eagerness"]).turns
    return TurnSettings(
        threshold=turn_detection["threshold"],
        prefix_padding_ms=turn_detection["prefix_padding_ms"],
        silence_duration_ms=turn_detection["silence_duration_ms"],
    )


class InputBuffer:
    """Audio that is not committed yet, and the state of turn detection over it.

    Args:
        audio_format: the session's input format.
        detector_for: makes a speech detector for a format; called when detection is turned on.
        base_ms: audio appended before this buffer began (the format was changed).
        turn_model: whether there is one to be asked at pauses, under ``semantic_vad``.

    Attributes:
        turns: the state machine; None while detection is off.
        judge: says when the turn model is asked, where it is.
    """

    def __init__(
        self,
        audio_format: JsonObject,
        detector_for: Callable[[JsonObject], SpeechDetector],
        base_ms: int = 0,
        *,
        turn_model: bool = False,
    ) -> None:
        self._format = audio_format
        self._detector_for = detector_for
        self._per_ms = format_of(audio_format).bytes_per_ms
        self._sample_bytes = format_of(audio_format).bytes_per_sample
        self._audio = bytearray()
        self._start = 0  # position of the first kept byte, counted from base_ms
        self._base_ms = base_ms
        self._detector: SpeechDetector | None = None
        self._skip = 0
        self._turn_model = turn_model
        self._unheard: deque[float] = deque()  # probabilities of frames behind an open decision
        self.turns: TurnDetector | None = None
        self.judge: PauseJudge | None = None

    @property
    def now_ms(self) -> int:
        """Audio appended so far, in whole ms."""
        return self._base_ms + (self._start + len(self._audio)) // self._per_ms

    @property
    def held_bytes(self) -> int:
        """Audio in the buffer that was not committed."""
        return len(self._audio)

    @property
    def held_ms(self) -> float:
        """Audio in the buffer that was not committed, in ms of whole samples."""
        return self._whole(len(self._audio)) / self._per_ms

    @property
    def turn_ms(self) -> float:
        """What :meth:`take_all` would give, in ms: the open turn, else everything that is held."""
        start_ms = None if self.turns is None else self.turns.audio_start_ms
        if start_ms is None:
            return self.held_ms
        begin = max(0, (start_ms - self._base_ms) * self._per_ms - self._start)
        return self._whole(max(0, len(self._audio) - begin)) / self._per_ms

    @property
    def speaking(self) -> bool:
        """Whether a turn is open."""
        return self.turns is not None and self.turns.speaking

    def configure(self, turn_detection: JsonObject | None) -> None:
        """Turns detection on or off, or changes its settings and keeps its state."""
        if turn_detection is None:
            self.turns = None
            self.judge = None
            self._unheard.clear()
            self._detector = None
            return
        settings = turn_settings(turn_detection)
        if self.turns is not None:
            self.turns.configure(settings)
            self._configure_judge(turn_detection, self.turns)
            return
        self._detector = self._detector_for(self._format)
        # A frame must not begin in the middle of a sample.
        self._skip = (self._start + len(self._audio)) % self._sample_bytes
        self.turns = TurnDetector(settings, base_ms=self.now_ms)
        self._configure_judge(turn_detection, self.turns)

    def _configure_judge(self, turn_detection: JsonObject, turns: TurnDetector) -> None:
        if not self._turn_model or turn_detection["type"] != "semantic_vad":
            self.judge = None
            return
        complete_at = semantic_settings(turn_detection["eagerness"]).complete_at
        if self.judge is None:
            self.judge = PauseJudge(turns, complete_at)
        self.judge.complete_at = complete_at

    def append(self, payload: bytes) -> Iterator[SpeechStart | SpeechStop | None]:
        """Adds audio; yields, for each frame that it completes, the turn event or None.

        The caller looks at :attr:`turns` between frames; the iterator must be used up.
        """
        self._audio += payload
        if self._detector is None:
            return
        heard = payload[self._skip :]
        self._skip = max(0, self._skip - len(payload))
        self._unheard += self._detector.push(heard)
        yield from self.go_on()

    def go_on(self) -> Iterator[SpeechStart | SpeechStop | None]:
        """Yields what :meth:`append` does for the frames that were held back behind a decision."""
        while self._unheard and not self.waits:
            assert self.turns is not None
            yield self.turns.step(self._unheard.popleft())
        self._forget_old()

    @property
    def waits(self) -> bool:
        """Whether frames are held back until the turn model has answered."""
        return self.judge is not None and self.judge.waits

    def cut(self, start_ms: int, end_ms: int) -> bytes:
        """Returns the kept audio between two positions."""
        start = max(0, (start_ms - self._base_ms) * self._per_ms - self._start)
        end = max(0, (end_ms - self._base_ms) * self._per_ms - self._start)
        return bytes(self._audio[start:end])

    def take_until(self, end_ms: int) -> None:
        """Drops everything before a position: it was committed or cleared."""
        count = min(len(self._audio), (end_ms - self._base_ms) * self._per_ms - self._start)
        if count > 0:
            del self._audio[:count]
            self._start += count

    def take_all(self) -> bytes:
        """Returns the open turn, else everything that is held; then the buffer is empty, the turn
        closed.

        Half a sample at the end stays: its other half is still to come.
        """
        if self.turns is not None:
            start_ms = self.turns.audio_start_ms
            if start_ms is not None:
                self.take_until(start_ms)
            self.turns.end_turn(self.now_ms)
        count = self._whole(len(self._audio))
        audio = bytes(self._audio[:count])
        del self._audio[:count]
        self._start += count
        return audio

    def _whole(self, count: int) -> int:
        """Bytes of whole samples; the buffer always begins with one."""
        return count - count % self._sample_bytes

    def _forget_old(self) -> None:
        if self.turns is not None and not self.turns.speaking:
            keep_ms = max(_IDLE_KEEP_MS, self.turns.settings.prefix_padding_ms)
            self.take_until(self.now_ms - keep_ms - FRAME_MS)
