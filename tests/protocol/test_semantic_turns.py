from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.semantic_turns import (
    ASK_MS,
    DECIDE_MS,
    LONGEST_HEARD_MS,
    PauseJudge,
    SemanticSettings,
    TurnQuestion,
    find_semantic_spans,
    semantic_settings,
)
from realtime_nb.protocol.turns import (
    FRAME_MS,
    SpeechStart,
    SpeechStop,
    TurnDetector,
    TurnSettings,
    find_speech_spans,
)

SAID, QUIET = 0.9, 0.1


def frames(*stretches_ms: int) -> list[float]:
    """Silence and speech in turn, beginning with silence."""
    return [
        (QUIET, SAID)[number % 2]
        for number, stretch_ms in enumerate(stretches_ms)
        for _ in range(stretch_ms // FRAME_MS)
    ]


def test_a_pause_that_sounds_finished_ends_the_turn_after_224_ms() -> None:
    spans, (decision,) = find_semantic_spans(
        frames(640, 960, 3_200), semantic_settings(), lambda question: 0.5
    )
    (span,) = spans
    assert (span.audio_start_ms, span.onset_ms, span.offset_ms) == (340, 640, 1_600)
    assert span.audio_end_ms == 1_600 + 224 == decision.at_ms
    assert decision.question == TurnQuestion(340, 1_600 + ASK_MS)
    assert (decision.probability, decision.complete) == (0.5, True)
    assert not span.cut


@pytest.mark.parametrize(
    ("eagerness", "longest_ms"),
    [("low", 8_000), ("medium", 4_000), ("auto", 4_000), ("high", 2_016)],
)
def test_whatever_the_model_says_the_longest_wait_ends_the_turn(
    eagerness: str, longest_ms: int
) -> None:
    asked: list[TurnQuestion] = []

    def never(question: TurnQuestion) -> float:
        asked.append(question)
        return 0.0

    spans, decisions = find_semantic_spans(
        frames(0, 960, 12_000), semantic_settings(eagerness), never
    )
    assert [span.audio_end_ms for span in spans] == [960 + longest_ms]
    assert len(asked) == len(decisions) == 1  # once in each pause
    assert not decisions[0].complete


def test_each_pause_is_judged_anew_with_all_that_was_said() -> None:
    answers = iter([0.2, 0.3, 0.9])
    spans, decisions = find_semantic_spans(
        frames(0, 960, 320, 640, 1_024, 320, 4_000),
        semantic_settings("auto"),
        lambda question: next(answers),
    )
    assert [d.at_ms for d in decisions] == [960 + 224, 1_920 + 224, 3_264 + 224]
    assert [d.question.start_ms for d in decisions] == [0, 0, 0]
    assert [span.audio_end_ms for span in spans] == [3_264 + 224]


def test_speech_before_the_answer_counts_supersedes_the_question() -> None:
    asked: list[TurnQuestion] = []

    def always(question: TurnQuestion) -> float:
        asked.append(question)
        return 1.0

    spans, decisions = find_semantic_spans(
        frames(0, 960, DECIDE_MS - FRAME_MS, 640, 320), semantic_settings(), always
    )
    assert len(asked) == 2  # asked in the short pause, too
    assert [d.question for d in decisions] == asked[1:]
    assert [(s.onset_ms, s.offset_ms) for s in spans] == [(0, 960 + 192 + 640)]


def test_a_long_turn_is_judged_by_its_last_eight_seconds() -> None:
    _, (decision,) = find_semantic_spans(
        frames(0, 20_000, 320), semantic_settings(), lambda question: 1.0, base_ms=5_000
    )
    question = decision.question
    assert question.end_ms == 5_000 + 20_000 + ASK_MS
    assert question.end_ms - question.start_ms == LONGEST_HEARD_MS == 8_000


def test_a_model_that_fails_leaves_the_longest_wait() -> None:
    spans, (decision,) = find_semantic_spans(
        frames(0, 640, 3_200), semantic_settings("high"), lambda question: math.nan
    )
    assert spans[0].audio_end_ms == 640 + 2_016  # 63 frames
    assert math.isnan(decision.probability)
    assert not decision.complete


def test_an_answer_from_1_to_0_is_compared_with_the_eagerness_s_own() -> None:
    at = [semantic_settings(name).complete_at for name in ("low", "medium", "auto", "high")]
    assert at[0] > at[1] == at[2] > at[3] > 0


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_a_probability_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ConfigurationError, match=r"complete_at is .*; give a number from 0 to 1"):
        SemanticSettings(TurnSettings(), value)


def test_an_unknown_eagerness_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'keen'; choose from low, medium, high, auto"):
        semantic_settings("keen")


# --- any frames, any answers, any delay ---

_some_frames = st.lists(
    st.tuples(st.sampled_from([QUIET, 0.4, SAID]), st.integers(1, 12)), max_size=25
).map(lambda runs: [p for p, count in runs for _ in range(count)])


def model(seed: int) -> Callable[[TurnQuestion], float]:
    """Answers a question, the same each time."""
    return lambda question: (question.start_ms * 31 + question.end_ms * 7 + seed) % 101 / 100


@given(_some_frames, st.integers(0, 1_000), st.integers(0, 100), st.randoms(use_true_random=False))
def test_when_the_answers_come_changes_nothing(
    probabilities: list[float], seed: int, percent: int, chance: random.Random
) -> None:
    """The server's form: answers come at any time, frames wait for those that are due."""
    settings = SemanticSettings(TurnSettings(silence_duration_ms=640), percent / 100)
    completeness = model(seed)
    spans, decisions = find_semantic_spans(probabilities, settings, completeness)

    turns = TurnDetector(settings.turns)
    judge = PauseJudge(turns, settings.complete_at)
    starts: list[int] = []
    ends: list[int] = []
    made = []
    open_questions: list[TurnQuestion] = []

    def decide() -> None:
        if decision := judge.decide():
            made.append(decision)
            if decision.complete:
                ends.append(turns.stop_now().audio_end_ms)

    def answer_some(least: int) -> None:
        while open_questions and (least > 0 or chance.random() < 0.3):
            question = open_questions.pop(chance.randrange(len(open_questions)))
            judge.answer(question, completeness(question))
            decide()
            least = 1 if judge.waits else 0

    for probability in probabilities:
        answer_some(1 if judge.waits else 0)
        match turns.step(probability):
            case SpeechStart(audio_start_ms=start_ms):
                starts.append(start_ms)
            case SpeechStop(audio_end_ms=end_ms):
                ends.append(end_ms)
        if question := judge.after_frame():
            open_questions.append(question)
        decide()
    answer_some(1 if judge.waits else 0)
    assert made == decisions
    assert starts == [span.audio_start_ms for span in spans]
    assert ends == [span.audio_end_ms for span in spans if not span.cut]


@given(_some_frames)
def test_a_model_that_never_hears_an_end_leaves_server_vad(probabilities: list[float]) -> None:
    settings = SemanticSettings(TurnSettings(silence_duration_ms=640), 1.0)
    spans, _ = find_semantic_spans(probabilities, settings, lambda question: 0.0)
    assert spans == find_speech_spans(probabilities, settings.turns)


@given(_some_frames)
def test_a_model_that_always_does_leaves_server_vad_of_224_ms(probabilities: list[float]) -> None:
    settings = SemanticSettings(TurnSettings(silence_duration_ms=8_000), 0.0)
    spans, decisions = find_semantic_spans(probabilities, settings, lambda question: 0.0)
    assert spans == find_speech_spans(probabilities, TurnSettings(silence_duration_ms=DECIDE_MS))
    assert len(decisions) == sum(not span.cut for span in spans)
