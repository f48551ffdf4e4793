"""A setting of turn detection, run over a track: a ghost's, or those in force one after another."""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import Literal

from realtime_nb.analysis.vad_lab.track import SpeechTrack, Step
from realtime_nb.protocol.input_buffer import turn_settings
from realtime_nb.protocol.turns import SpeechStart, SpeechStop, TurnDetector, TurnSettings

__all__ = ["Run", "RunSpan"]

Ending = Literal["stopped", "told", "open", "cut"]

_REMEMBERED = 64
_FRAMES_BETWEEN = 1_024
"""After so many a state is remembered, so that what is known late costs little."""


@dataclass(frozen=True, slots=True)
class RunSpan:
    """A turn that a setting makes of the audio, in ms of the session's input.

    Attributes:
        start_ms, end_ms: of its audio, with padding and closing silence.
        onset_ms, offset_ms: of the speech in it, as detected.
        known_ms: where in the audio it was known to have begun.
        how: ``stopped`` by silence; ``told``: the server ended it by a judgement of its own;
            ``open``: it goes on, and ends so far; ``cut``: its audio was committed or cleared, or
            nobody listened any more.
    """

    start_ms: float
    onset_ms: float
    offset_ms: float
    end_ms: float
    known_ms: float
    how: Ending


@dataclass(frozen=True, slots=True)
class _State:
    """Where a run was after a step, or between two."""

    steps: int
    frame: int
    detector: TurnDetector | None
    settings: TurnSettings | None
    origin_ms: float
    spans: int
    started: SpeechStart | None


class Run:
    """What a setting makes of a track, frame by frame, by the state machine of the server.

    Args:
        track: grows; :meth:`advance` takes what is new.
        settings: of a ghost. None: those in force, which the track's steps tell.
    """

    def __init__(self, track: SpeechTrack, settings: TurnSettings | None = None) -> None:
        self._track = track
        self._follows = settings is None
        self._first = _State(0, 0, None, settings, 0.0, 0, None)
        self._states: deque[_State] = deque(maxlen=_REMEMBERED)
        self._done: list[RunSpan] = []
        self._started: SpeechStart | None = None
        self._steps = self._frame = 0
        self._return_to(self._first)

    def advance(self) -> None:
        """Takes the frames and steps that have come."""
        steps = self._track.steps
        while self._steps < len(steps):
            step = steps[self._steps]
            self._hear(step.frame)
            self._take(step)
            self._steps += 1
            self._states.append(self._state())
        self._hear(self._track.count)

    def rewind(self, index: int, frame: int) -> None:
        """Forgets what was done from a step on, by its index and frame: it was put there, or taken
        away."""
        if self._steps < index or (self._steps == index and self._frame <= frame):
            return
        while self._states and (self._states[-1].steps > index or self._states[-1].frame > frame):
            self._states.pop()
        self._return_to(self._states[-1] if self._states else self._first)

    def spans(self, since_ms: float = 0.0) -> list[RunSpan]:
        """Returns its turns that end after a position, in order."""
        found = self._done[bisect_left(self._done, since_ms, key=lambda one: one.end_ms) :]
        now = self._open_span()
        return found if now is None else [*found, now]

    @property
    def count(self) -> int:
        """How many turns there are, an open one included."""
        return len(self._done) + (self._started is not None)

    def _hear(self, until: int) -> None:
        if self._detector is None:
            self._frame = max(self._frame, until)
            return
        step = self._detector.step
        while self._frame < until:
            pause = min(until, self._frame + _FRAMES_BETWEEN)
            for probability in self._track.between(self._frame, pause):
                heard = step(probability)
                if heard is not None:
                    self._note(heard)
            self._frame = pause
            if pause < until:
                self._states.append(self._state())

    def _note(self, heard: SpeechStart | SpeechStop, how: Ending = "stopped") -> None:
        if isinstance(heard, SpeechStart):
            self._started = heard
            return
        self._close(heard.offset_ms, heard.audio_end_ms, how)

    def _close(self, offset_ms: float, end_ms: float, how: Ending) -> None:
        if self._started is not None:
            self._done.append(self._span(self._started, offset_ms, end_ms, how))
            self._started = None

    def _span(
        self,
        started: SpeechStart,
        offset_ms: float,
        end_ms: float,
        how: Ending,
    ) -> RunSpan:
        at = self._origin_ms
        return RunSpan(
            at + started.audio_start_ms,
            at + started.onset_ms,
            at + max(offset_ms, started.onset_ms),
            at + end_ms,
            at + started.at_ms,
            how,
        )

    def _open_span(self) -> RunSpan | None:
        detector = self._detector
        if detector is None or self._started is None:
            return None
        offset_ms = detector.now_ms - detector.silence_ms
        return self._span(self._started, offset_ms, detector.now_ms, "open")

    def _take(self, step: Step) -> None:
        match step.kind:
            case "restart":
                self._drop(step.position_ms)
                self._origin_ms = step.origin_ms
                self._detector = self._new_detector(step.position_ms)
            case "cut":
                self._drop(step.position_ms)
                if self._detector is not None:
                    self._detector.end_turn(step.position_ms)
            case "settings" if self._follows:
                self._settings = None if step.detection is None else turn_settings(step.detection)
                self._configure(step.position_ms)
            case "stop" if self._follows and self._detector is not None:
                if self._detector.speaking:
                    self._note(self._detector.stop_now(), "told")

    def _configure(self, position_ms: int) -> None:
        if self._settings is None:
            self._drop(position_ms)
            self._detector = None
        elif self._detector is None:
            self._detector = self._new_detector(position_ms)
        else:
            self._detector.configure(self._settings)

    def _new_detector(self, base_ms: int) -> TurnDetector | None:
        return None if self._settings is None else TurnDetector(self._settings, base_ms)

    def _drop(self, position_ms: int) -> None:
        """Ends a turn that is no silence's end."""
        if self._detector is not None and self._detector.speaking:
            offset_ms = self._detector.now_ms - self._detector.silence_ms
            self._close(offset_ms, max(position_ms, self._detector.now_ms), "cut")

    def _state(self) -> _State:
        return _State(
            self._steps,
            self._frame,
            copy.copy(self._detector),
            self._settings,
            self._origin_ms,
            len(self._done),
            self._started,
        )

    def _return_to(self, state: _State) -> None:
        self._steps, self._frame = state.steps, state.frame
        self._detector = copy.copy(state.detector)
        self._settings, self._origin_ms = state.settings, state.origin_ms
        self._started = state.started
        del self._done[state.spans :]
