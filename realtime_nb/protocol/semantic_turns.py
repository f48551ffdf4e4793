"""The ``semantic_vad`` state machine: at a pause, a turn model says whether the turn is over.

A turn opens as in ``server_vad`` (`turns`). Once it has been silent for `ASK_MS`, a model is asked
for the probability that the speaker has finished; its answer takes force at `DECIDE_MS` of that
silence, never earlier and never later, in audio time. From the probability of the eagerness on the
turn ends there; else it goes on, and the model is asked again at the next pause. The longest wait
ends the turn whatever the model says. Speech before `DECIDE_MS` supersedes the question.

The server runs the machine on frames as they come (`PauseJudge` beside a `TurnDetector`) and holds
back those behind a decision that is still to be made, so that what happens depends on the audio
alone; `find_semantic_spans` runs the same on a whole recording.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.turn_detection import EAGERNESS, SERVER_VAD
from realtime_nb.protocol.turns import (
    SpeechSpan,
    SpeechStart,
    SpeechStop,
    TurnDetector,
    TurnSettings,
)

__all__ = [
    "ASK_MS",
    "DECIDE_MS",
    "LONGEST_HEARD_MS",
    "PauseJudge",
    "SemanticSettings",
    "TurnDecision",
    "TurnQuestion",
    "find_semantic_spans",
    "semantic_settings",
]

ASK_MS = 160
"""Silence after which the model is asked; two frames before `DECIDE_MS`, which hide its work."""

DECIDE_MS = 224
"""Silence at which its answer counts."""

LONGEST_HEARD_MS = 8_000
"""What a turn model listens to at most: the end of the turn."""


@dataclass(frozen=True, slots=True)
class SemanticSettings:
    """What decides where turns begin and end.

    Attributes:
        turns: as in ``server_vad``; its silence is the longest wait.
        complete_at: probability from which a pause ends the turn.
    """

    turns: TurnSettings
    complete_at: float

    def __post_init__(self) -> None:
        if not 0 <= self.complete_at <= 1:
            raise ConfigurationError(
                f"complete_at is {self.complete_at}; give a number from 0 to 1"
            )


def semantic_settings(
    eagerness: str = "auto",
    threshold: float = SERVER_VAD["threshold"].usual,
    prefix_padding_ms: int = SERVER_VAD["prefix_padding_ms"].usual,
) -> SemanticSettings:
    """Returns the settings of an eagerness.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if eagerness not in EAGERNESS:
        raise ConfigurationError(f"eagerness is {eagerness!r}; choose from {', '.join(EAGERNESS)}.")
    chosen = EAGERNESS[eagerness]
    turns = TurnSettings(threshold, prefix_padding_ms, chosen.longest_ms)
    return SemanticSettings(turns, chosen.complete_at)


@dataclass(frozen=True, slots=True)
class TurnQuestion:
    """Whether who speaks in ``[start_ms, end_ms)`` of the appended audio has finished there."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class TurnDecision:
    """What an answer came to.

    Attributes:
        at_ms: when it took force.
        probability: that the turn was over; NaN where the model failed.
        complete: whether the turn ended there.
    """

    question: TurnQuestion
    at_ms: int
    probability: float
    complete: bool


class PauseJudge:
    """When the model is asked about the turn that a detector follows, and what its answer does.

    `after_frame` and then `decide` are called once for every frame that the detector took; while
    it `waits`, the detector must not be given another one.
    """

    def __init__(self, turns: TurnDetector, complete_at: float) -> None:
        self.complete_at = complete_at
        self._turns = turns
        self._asked = False
        self._question: TurnQuestion | None = None
        self._answer: float | None = None

    def beside(self, turns: TurnDetector) -> PauseJudge:
        """Returns a copy that follows a copy of the detector."""
        found = copy.copy(self)
        found._turns = turns
        return found

    @property
    def question(self) -> TurnQuestion | None:
        """What was asked and is still to be decided."""
        return self._question

    @property
    def waits(self) -> bool:
        """Whether the decision is due and its answer not there."""
        return self._due and self._answer is None

    @property
    def _due(self) -> bool:
        return self._question is not None and self._turns.silence_ms >= DECIDE_MS

    def after_frame(self) -> TurnQuestion | None:
        """Returns what to ask now, if anything."""
        silence_ms = self._turns.silence_ms
        if silence_ms == 0:  # speech went on, or no turn is open
            self._asked, self._question, self._answer = False, None, None
        if silence_ms < ASK_MS or self._asked:
            return None
        start_ms = self._turns.audio_start_ms
        assert start_ms is not None
        end_ms = self._turns.now_ms
        self._asked = True
        self._question = TurnQuestion(max(start_ms, end_ms - LONGEST_HEARD_MS), end_ms)
        return self._question

    def answer(self, question: TurnQuestion, probability: float) -> None:
        """Takes the model's answer, NaN where it failed; to a superseded question, nothing."""
        if question == self._question:
            self._answer = probability

    def decide(self) -> TurnDecision | None:
        """Returns the decision that is due; the caller ends the turn if it is complete."""
        question, probability = self._question, self._answer
        if not self._due or question is None or probability is None:
            return None
        self._question, self._answer = None, None
        complete = probability >= self.complete_at
        return TurnDecision(question, self._turns.now_ms, probability, complete)


def find_semantic_spans(
    probabilities: Iterable[float],
    settings: SemanticSettings,
    completeness: Callable[[TurnQuestion], float],
    base_ms: int = 0,
) -> tuple[list[SpeechSpan], list[TurnDecision]]:
    """Finds turns in a whole recording, and what was decided at its pauses, as the server does.

    Args:
        probabilities: of speech, one per 32-ms frame.
        completeness: the model: the probability that the turn is over. It is asked also where
            speech then goes on before the answer counts.
        base_ms: audio appended before the first frame.
    """
    turns = TurnDetector(settings.turns, base_ms)
    judge = PauseJudge(turns, settings.complete_at)
    spans: list[SpeechSpan] = []
    decisions: list[TurnDecision] = []
    start = SpeechStart(base_ms, base_ms, base_ms)

    def ended(stop: SpeechStop, cut: bool = False) -> None:
        span_ms = start.audio_start_ms, start.onset_ms, stop.offset_ms, stop.audio_end_ms
        spans.append(SpeechSpan(*span_ms, cut=cut))

    for probability in probabilities:
        match turns.step(probability):
            case SpeechStart() as start:
                pass
            case SpeechStop() as stop:
                ended(stop)
        question = judge.after_frame()
        if question is not None:
            judge.answer(question, completeness(question))
        decision = judge.decide()
        if decision is not None:
            decisions.append(decision)
            if decision.complete:
                ended(turns.stop_now())
    if turns.speaking:
        ended(turns.stop_now(), cut=True)
    return spans, decisions
