"""At each pause the model hears the turn so far, and nothing else; whoever answers, and when."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.analysis.vad_lab.pause_answers import LATER, PauseAnswers
from realtime_nb.analysis.vad_lab.run import Run
from realtime_nb.analysis.vad_lab.track import SpeechTrack
from realtime_nb.protocol.audio_formats import PCM
from realtime_nb.protocol.semantic_turns import (
    TurnQuestion,
    find_semantic_spans,
    semantic_settings,
)
from realtime_nb.testing import LoudnessDetector
from tests.analysis.vad_lab.served import PCM_PER_MS, Model, Served, talk

MEDIUM = semantic_settings("medium")


def judged(model: Model, *pieces: bytes) -> tuple[SpeechTrack, Run]:
    track = SpeechTrack(LoudnessDetector)
    answers = PauseAnswers(track, model)
    run = Run(track, MEDIUM, answers)
    for piece in pieces:
        track.push(piece)
        answers.push(piece)
        run.advance()
        answers.forget_old()
    return track, run


def cut(pcm: bytes, chunk_ms: int) -> list[bytes]:
    step = chunk_ms * PCM_PER_MS
    return [pcm[start : start + step] for start in range(0, len(pcm), step)]


@pytest.mark.parametrize("chunk_ms", [7, 20, 100, 5_000])
def test_it_is_asked_with_the_turn_so_far(chunk_ms: int) -> None:
    model = Model(0.2, 0.9)
    pcm = talk(700, 900, 500, 400, 1_000)
    _, run = judged(model, *cut(pcm, chunk_ms))
    # From 300 ms before the first loud frame, at 672, until 160 ms of silence after 1600 and 2528.
    spans = [(372, 1_760), (372, 2_688)]
    expected = [pcm[start * PCM_PER_MS : end * PCM_PER_MS] for start, end in spans]
    assert [audio for audio, _ in model.asked] == expected
    assert {name for _, name in model.asked} == {"audio/pcm"}
    found = [(one.at_ms, one.probability, one.complete) for one in run.completions()]
    assert found == [(1_824, 0.2, False), (2_752, 0.9, True)]
    assert len(run.completions(2_000)) == 1
    assert [(one.start_ms, one.end_ms, one.how) for one in run.spans()] == [(372, 2_752, "stopped")]


def test_it_hears_eight_seconds_at_most() -> None:
    model = Model(0.9)
    pcm = talk(0, 42_000, 500)
    judged(model, *cut(pcm, 20))
    ((audio, _),) = model.asked
    end = (42_016 + 160) * PCM_PER_MS  # 1313 frames hold the tone
    assert audio == pcm[end - 8_000 * PCM_PER_MS : end]


def test_a_connection_that_comes_back_is_another_stretch() -> None:
    model = Model(0.9, 0.9)
    track = SpeechTrack(LoudnessDetector)
    answers = PauseAnswers(track, model)
    run = Run(track, MEDIUM, answers)
    for origin_ms in (0.0, 2_000.0):
        if origin_ms:
            track.restart(1, PCM, origin_ms)
        pcm = talk(400, 640, 960)
        track.push(pcm)
        answers.push(pcm)
        run.advance()
    assert [one.at_ms for one in run.completions()] == [1_056 + 224, 3_056 + 224]
    assert model.asked[0] == model.asked[1]


def certainty(question: TurnQuestion) -> float:
    """Whatever, but the same for the same question."""
    return ((question.start_ms * 7 + question.end_ms * 13) % 11) / 10


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.integers(20, 900), min_size=2, max_size=14),
    st.lists(st.integers(0, 40), max_size=40),
    st.sampled_from(["low", "medium", "high"]),
)
def test_however_late_answers_come_turns_are_those_of_the_whole_form(
    lengths_ms: list[int], answered: list[int], eagerness: str
) -> None:
    track = SpeechTrack(LoudnessDetector)
    answers = PauseAnswers(track, LATER)
    run = Run(track, semantic_settings(eagerness), answers)
    pieces = cut(talk(*lengths_ms), 100)

    def answer(most: int) -> None:
        for _ in range(most):
            run.advance()
            question = answers.take()
            if question is None:
                return
            place = TurnQuestion(round(question.start_ms), round(question.end_ms))
            assert len(question.audio) == (place.end_ms - place.start_ms) * PCM_PER_MS
            answers.answer(question, certainty(place))

    for number, piece in enumerate(pieces):
        track.push(piece)
        answers.push(piece)
        run.advance()
        answer(answered[number] if number < len(answered) else 0)
    answer(1_000)
    run.advance()
    spans, decisions = find_semantic_spans(
        track.between(0, track.count), semantic_settings(eagerness), certainty
    )
    assert [(one.start_ms, one.end_ms, one.how == "open") for one in run.spans()] == [
        (span.audio_start_ms, span.audio_end_ms, span.cut) for span in spans
    ]
    assert [one.at_ms for one in run.completions()] == [one.at_ms for one in decisions]


def test_audio_that_is_gone_is_not_guessed_at() -> None:
    track = SpeechTrack(LoudnessDetector)
    answers = PauseAnswers(track, Model())
    pcm = talk(400, 640, 60_000)
    track.push(pcm)
    answers.push(pcm)
    answers.forget_old()
    assert math.isnan(answers.probability(100, 1_200) or 0)
    # 30 s are kept, of which the first 8 are what a question may reach back to.
    assert answers.first_frame == math.ceil((61_040 - 22_000) / 32)


def test_questions_that_nobody_takes_are_few() -> None:
    track = SpeechTrack(LoudnessDetector)
    answers = PauseAnswers(track, LATER)
    pcm = talk(2_000)
    track.push(pcm)
    answers.push(pcm)
    for start_ms in range(100):
        assert answers.probability(start_ms, 1_000) is None
    taken = []
    while (question := answers.take()) is not None:
        taken.append(question.start_ms)
    assert taken == list(range(16))
    assert answers.probability(50, 1_000) is None and answers.take() is not None


def test_a_lab_without_a_model_has_none() -> None:
    served = Served()
    served.say(talk(300, 600, 600))
    assert served.lab.completions() == []
    assert served.lab.take_question() is None


def test_all_that_ask_share_the_answers() -> None:
    model = Model(0.2, 0.9)
    served = Served(completeness=model)
    served.lab.set_ghost("a", {"type": "semantic_vad", "eagerness": "low"})
    served.lab.set_ghost("b", {"type": "semantic_vad"})
    served.set({"type": "semantic_vad", "eagerness": "medium"})
    served.receive()
    served.say(talk(700, 900, 500, 400, 1_000))
    assert len(model.asked) == 2
    spans = [(372, 2_752)]
    assert [(one.start_ms, one.end_ms) for one in served.lab.ghost_spans("a")] == spans
    assert [(one.start_ms, one.end_ms) for one in served.lab.ghost_spans("b")] == spans
    assert [(one.start_ms, one.end_ms) for one in served.lab.live_spans()] == spans
    agreement = served.lab.agreement()
    assert (agreement.percent, agreement.spread_ms, agreement.starts_only) == (100, 0, False)
    assert np.allclose([one.probability for one in served.lab.completions()], [0.2, 0.9])


def test_of_a_model_that_is_not_ours_beginnings_are_compared() -> None:
    served = Served(completeness=Model(0.2, 0.9), same_model=False)
    served.set({"type": "semantic_vad", "eagerness": "medium"})
    served.receive()
    served.say(talk(700, 900, 500, 400, 1_000))
    agreement = served.lab.agreement()
    assert (agreement.percent, agreement.matched, agreement.starts_only) == (100, 1, True)
    assert math.isnan(agreement.end_p50_ms)


def test_a_semantic_ghost_of_a_session_begins_where_audio_is_kept() -> None:
    served = Served(completeness=lambda audio, form: 0.9)
    served.say(talk(700, 900, 58_400), 400)
    served.say(talk(700, 900, 1_000))
    served.lab.set_ghost("late", {"type": "semantic_vad"})
    ghost = served.lab.ghosts["late"]
    assert ghost.since_ms == math.ceil((62_600 - 22_000) / 32) * 32
    assert ghost.code.endswith(f", since {ghost.since_ms / 1000:.1f} s")
    # 1896 frames hold the tone's beginning at 60700, 1925 its end at 61600.
    spans = [(one.start_ms, one.end_ms) for one in served.lab.ghost_spans("late")]
    assert spans == [(1_896 * 32 - 300, 1_925 * 32 + 224)]
