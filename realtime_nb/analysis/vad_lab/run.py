"""A setting of turn detection, run over a track: a ghost's, or those in force one after another."""

from __future__ import annotations

import copy
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass
from typing import Literal

from realtime_nb.analysis.vad_lab.pause_answers import PauseAnswers
from realtime_nb.analysis.vad_lab.track import SpeechTrack, Step
from realtime_nb.protocol.input_buffer import turn_settings
from realtime_nb.protocol.semantic_turns import PauseJudge, SemanticSettings, semantic_settings
from realtime_nb.protocol.turns import (
    FRAME_MS,
    SpeechStart,
    SpeechStop,
    TurnDetector,
    TurnSettings,
)
from realtime_nb.protocol.wire import JsonObject

__all__ = ["Completion", "Run", "RunSpan", "run_settings"]

RunSettings = TurnSettings | SemanticSettings
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
class Completion:
    """What a turn model says at a pause.

    Attributes:
        at_ms: where in the input the pause has lasted 224 ms, and it counts.
        probability: that the turn is over; NaN where the model failed.
        complete: whether the turn ends there.
    """

    at_ms: float
    probability: float
    complete: bool


def run_settings(detection: JsonObject | None, has_model: bool) -> RunSettings | None:
    """Returns what a run goes by under a whole ``turn_detection``: under ``semantic_vad`` a turn
    model where there is one, else the longest wait; None where detection is off."""
    if detection is None:
        return None
    if has_model and detection["type"] == "semantic_vad":
        return semantic_settings(detection["eagerness"])
    return turn_settings(detection)


@dataclass(frozen=True, slots=True)
class _State:
    """Where a run was after a step, or between two."""

    steps: int
    frame: int
    detector: TurnDetector | None
    judge: PauseJudge | None
    settings: RunSettings | None
    origin_ms: float
    spans: int
    completions: int
    started: SpeechStart | None


class Run:
    """What a setting makes of a track, frame by frame, by the state machine of the server.

    Where a turn model judges pauses, it stands still at a frame until the answer is there.

    Args:
        track: grows; :meth:`advance` takes what is new.
        settings: of a ghost. None: those in force, which the track's steps tell.
        answers: of a turn model. None: under ``semantic_vad``, turns end where the server says.
        every_pause: whether the model is asked under ``server_vad``, too, as by ``auto``.
        first_frame: where it begins.
    """

    def __init__(
        self,
        track: SpeechTrack,
        settings: RunSettings | None = None,
        answers: PauseAnswers | None = None,
        *,
        every_pause: bool = False,
        first_frame: int = 0,
    ) -> None:
        self._track = track
        self._own = settings
        self._answers = answers
        self._every_pause = every_pause
        self._first_frame = first_frame
        self._states: deque[_State] = deque(maxlen=_REMEMBERED)
        self._done: list[RunSpan] = []
        self._completions: list[Completion] = []
        self._steps = self._frame = 0
        self._detector: TurnDetector | None = None
        self._judge: PauseJudge | None = None
        self._settings: RunSettings | None = None
        self._origin_ms = 0.0
        self._started: SpeechStart | None = None
        self._return_to(self._beginning())

    def advance(self) -> None:
        """Takes the frames and steps that have come."""
        steps = self._track.steps
        while self._steps < len(steps):
            step = steps[self._steps]
            if not self._hear(step.frame):
                return
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
        self._return_to(self._states[-1] if self._states else self._beginning())

    def spans(self, since_ms: float = 0.0) -> list[RunSpan]:
        """Returns its turns that end after a position, in order."""
        found = self._done[bisect_left(self._done, since_ms, key=lambda one: one.end_ms) :]
        now = self._open_span()
        return found if now is None else [*found, now]

    def completions(self, since_ms: float = 0.0) -> list[Completion]:
        """Returns what a turn model said at pauses from a position on."""
        return self._completions[
            bisect_left(self._completions, since_ms, key=lambda one: one.at_ms) :
        ]

    @property
    def count(self) -> int:
        """How many turns there are, an open one included."""
        return len(self._done) + (self._started is not None)

    def _hear(self, until: int) -> bool:
        """Takes frames; tells whether it got there, or stands where an answer is to come."""
        if self._detector is None:
            self._frame = max(self._frame, until)
            return True
        if not self._judged():
            return False
        step = self._detector.step
        while self._frame < until:
            pause = min(until, self._frame + _FRAMES_BETWEEN)
            if self._judge is None:
                for probability in self._track.between(self._frame, pause):
                    heard = step(probability)
                    if heard is not None:
                        self._note(heard)
                self._frame = pause
            elif not self._hear_judged(pause):
                return False
            if pause < until:
                self._states.append(self._state())
        return True

    def _hear_judged(self, until: int) -> bool:
        assert self._detector is not None
        for probability in self._track.between(self._frame, until):
            heard = self._detector.step(probability)
            self._frame += 1
            if heard is not None:
                self._note(heard)
            if not self._judged():
                return False
        return True

    def _judged(self) -> bool:
        """Asks what is to be asked after a frame, and does what was answered; tells whether nothing
        is waited for. It may be called again after the same frame."""
        judge, detector = self._judge, self._detector
        if judge is None or detector is None or self._answers is None:
            return True
        judge.after_frame()
        question, at_ms = judge.question, self._origin_ms
        if question is not None:
            start_ms, end_ms = at_ms + question.start_ms, at_ms + question.end_ms
            probability = self._answers.probability(start_ms, end_ms)
            if probability is not None:
                judge.answer(question, probability)
        if judge.waits:
            return False
        decision = judge.decide()
        if decision is not None:
            found = Completion(at_ms + decision.at_ms, decision.probability, decision.complete)
            self._completions.append(found)
            if decision.complete:
                self._note(detector.stop_now())
        return True

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
                self._listen(step.position_ms)
            case "cut":
                self._drop(step.position_ms)
                if self._detector is not None:
                    self._detector.end_turn(step.position_ms)
            case "settings" if self._own is None:
                self._settings = self._followed(step.detection)
                self._configure(step.position_ms)
            case "stop" if self._own is None and self._judge is None:
                if self._detector is not None and self._detector.speaking:
                    self._note(self._detector.stop_now(), "told")

    def _followed(self, detection: JsonObject | None) -> RunSettings | None:
        if self._every_pause and detection is not None and detection["type"] == "server_vad":
            same = detection["threshold"], detection["prefix_padding_ms"]
            return semantic_settings("auto", *same)
        return run_settings(detection, self._answers is not None)

    def _configure(self, position_ms: int) -> None:
        if self._settings is None:
            self._drop(position_ms)
            self._detector = self._judge = None
        elif self._detector is None:
            self._listen(position_ms)
        else:
            self._detector.configure(_turns(self._settings))
            self._configure_judge(self._detector)

    def _listen(self, base_ms: int) -> None:
        """Begins with a detector, where there are settings."""
        self._detector = self._judge = None
        if self._settings is not None:
            self._detector = TurnDetector(_turns(self._settings), base_ms)
            self._configure_judge(self._detector)

    def _configure_judge(self, detector: TurnDetector) -> None:
        if not isinstance(self._settings, SemanticSettings):
            self._judge = None
            return
        if self._judge is None:
            self._judge = PauseJudge(detector, self._settings.complete_at)
        self._judge.complete_at = self._settings.complete_at

    def _drop(self, position_ms: int) -> None:
        """Ends a turn that is no silence's end."""
        if self._detector is not None and self._detector.speaking:
            offset_ms = self._detector.now_ms - self._detector.silence_ms
            self._close(offset_ms, max(position_ms, self._detector.now_ms), "cut")

    def _state(self) -> _State:
        detector = copy.copy(self._detector)
        return _State(
            self._steps,
            self._frame,
            detector,
            _beside(self._judge, detector),
            self._settings,
            self._origin_ms,
            len(self._done),
            len(self._completions),
            self._started,
        )

    def _beginning(self) -> _State:
        """Returns the state before the first frame; steps before it may have become others."""
        if not self._first_frame:
            return _State(0, 0, None, None, self._own, 0.0, 0, 0, None)
        steps = self._track.steps
        index = bisect_right(steps, self._first_frame, key=lambda one: one.frame)
        begun = next(one for one in reversed(steps[:index]) if one.kind == "restart")
        self._settings = self._own
        self._listen(begun.position_ms + (self._first_frame - begun.frame) * FRAME_MS)
        return _State(
            index,
            self._first_frame,
            self._detector,
            self._judge,
            self._own,
            begun.origin_ms,
            *(0, 0),
            None,
        )

    def _return_to(self, state: _State) -> None:
        self._steps, self._frame = state.steps, state.frame
        self._detector = copy.copy(state.detector)
        self._judge = _beside(state.judge, self._detector)
        self._settings, self._origin_ms = state.settings, state.origin_ms
        self._started = state.started
        del self._done[state.spans :]
        del self._completions[state.completions :]


def _turns(settings: RunSettings) -> TurnSettings:
    return settings.turns if isinstance(settings, SemanticSettings) else settings


def _beside(judge: PauseJudge | None, detector: TurnDetector | None) -> PauseJudge | None:
    return None if judge is None or detector is None else judge.beside(detector)
