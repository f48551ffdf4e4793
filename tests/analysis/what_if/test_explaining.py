"""Sentences on turns, from probabilities written by hand: frame ``i`` begins at ``32 · i`` ms."""

from __future__ import annotations

import math
import re

import numpy as np
import numpy.typing as npt
import pytest

from realtime_nb.analysis.what_if.explaining import (
    SilentRun,
    explain_judged,
    explain_judged_labelled,
    explain_labelled,
    explain_taken,
    longest_pause,
    threshold_margin,
)
from realtime_nb.analysis.what_if.true_turns import TrueTurn
from realtime_nb.protocol.semantic_turns import TurnDecision, TurnQuestion, semantic_settings
from realtime_nb.protocol.turns import SpeechSpan, TurnSettings, find_speech_spans

USUAL = TurnSettings(0.5, 300, 500)


def heard(*runs: tuple[int, float]) -> npt.NDArray[np.float32]:
    """So many frames of each probability."""
    return np.concatenate([np.full(count, p, np.float32) for count, p in runs])


SPOKEN = heard((20, 0.0), (50, 0.715), (15, 0.1), (40, 0.9), (60, 0.0))
"""Speech from 640 ms on, a pause of 480 ms at 2.24 s, speech from 2.72 to 4 s."""


def spans_of(p: npt.NDArray[np.float32], settings: TurnSettings = USUAL) -> list[SpeechSpan]:
    return find_speech_spans(p, settings)


def test_the_sentence() -> None:
    (span,) = spans_of(SPOKEN)

    assert explain_taken(SPOKEN, USUAL, span) == (
        "ended 512 ms after the last voiced frame (silence_duration_ms 500, in whole frames of 32 "
        "ms); a 480-ms pause at 2.2 s would have split it at a silence of 480 ms or less; margin "
        "to the threshold 0.21"
    )


@pytest.mark.parametrize(("silence_ms", "count"), [(481, 1), (480, 2)])
def test_the_pause_splits_where_the_sentence_says(silence_ms: int, count: int) -> None:
    assert len(spans_of(SPOKEN, TurnSettings(0.5, 300, silence_ms))) == count


@pytest.mark.parametrize(("threshold", "onset_ms"), [(0.71, 640), (0.72, 2720)])
def test_the_margin_ends_where_a_part_of_the_turn_is_lost(threshold: float, onset_ms: int) -> None:
    (span,) = spans_of(SPOKEN, TurnSettings(threshold, 300, 500))

    assert span.onset_ms == onset_ms  # at 0.5 it is 640, and the margin 0.21


def test_a_margin_that_ends_where_a_turn_falls_apart() -> None:
    # Above 0.5 + 0.15 + … the middle counts as silence: from a threshold of 0.76 on, 0.6 < 0.61.
    p = heard((10, 0.0), (20, 1.0), (30, 0.6), (20, 1.0), (40, 0.0))
    (span,) = spans_of(p)

    assert threshold_margin(p, USUAL, span) == pytest.approx(0.25)
    assert len(spans_of(p, TurnSettings(0.75, 300, 500))) == 1
    assert len(spans_of(p, TurnSettings(0.76, 300, 500))) == 2


def test_the_longest_of_several_pauses() -> None:
    p = heard((5, 1.0), (2, 0.0), (5, 1.0), (4, 0.34), (3, 0.4), (5, 0.0))

    assert longest_pause(p, USUAL, 0, 16 * 32) == SilentRun(12 * 32, 4 * 32)
    assert longest_pause(p, USUAL, 0, 5 * 32) is None  # 0.35 to 0.5 is no silence


def test_a_turn_without_a_pause_and_one_that_the_audio_ends() -> None:
    p = heard((2, 0.0), (30, 0.955), (4, 0.0))
    (span,) = spans_of(p)

    assert explain_taken(p, USUAL, span) == (
        "it was not over when the audio ended, 128 ms after the last voiced frame; no pause in "
        "it; margin to the threshold 0.45"
    )


def test_a_turn_that_was_cut_off() -> None:
    settings = TurnSettings(0.5, 300, 200)
    turn = TrueTurn(640, 4000)

    why = explain_labelled(SPOKEN, settings, turn, spans_of(SPOKEN, settings))

    # Decided at 2240 + 224 = 2464, 1536 ms before the end.
    assert why.startswith(
        "cut off, first 1536 ms before its end: a 480-ms pause at 2.2 s is no shorter than the "
        "silence of 200 ms; one of more than 480 ms would have heard it out; its last part ended "
        "224 ms after the last voiced frame"
    )
    assert "224 ms after its labelled end" in why


def test_a_labelled_turn_that_was_heard_out() -> None:
    why = explain_labelled(SPOKEN, USUAL, TrueTurn(640, 3980), spans_of(SPOKEN))

    assert "532 ms after its labelled end; a 480-ms pause at 2.2 s would have split it" in why


def test_a_turn_that_was_missed() -> None:
    p = heard((10, 0.0), (5, 0.2), (1, 0.31), (20, 0.0))

    assert explain_labelled(p, USUAL, TrueTurn(320, 520), []) == (
        "missed: the speech probability reaches 0.31 (at 0.5 s), and the threshold is 0.5; margin "
        "to the threshold -0.19"
    )


def test_a_label_after_the_last_frame() -> None:
    assert "shorter than a frame" in explain_labelled(SPOKEN, USUAL, TrueTurn(10**6, 10**6 + 1), [])


def decision(at_ms: int, probability: float, complete_at: float = 0.5) -> TurnDecision:
    return TurnDecision(TurnQuestion(0, at_ms - 64), at_ms, probability, probability >= complete_at)


SEMANTIC = semantic_settings("auto")


def test_a_turn_that_a_model_ended_tells_its_answers() -> None:
    span = SpeechSpan(0, 320, 4_000, 4_224)
    told = [decision(1_224, 0.31), decision(2_500, 0.04), decision(4_224, 0.83)]
    elsewhere = [decision(300, 0.99), decision(9_000, 0.77)]

    assert explain_judged(SEMANTIC, span, [*elsewhere, *told]) == (
        "ended 224 ms after the last voiced frame: the probability that it was over was 0.83, and "
        "0.5 ends it; at the pauses before it was 0.31 at 1.2 s, 0.04 at 2.5 s; margin to the "
        "limit 0.33"
    )


@pytest.mark.parametrize(
    ("span", "answers", "words"),
    [
        (
            SpeechSpan(0, 320, 4_000, 8_000),
            [decision(4_224, 0.2)],
            "4000 ms after the last voiced frame, which is the longest wait: .* was 0.20, and 0.5",
        ),
        (
            SpeechSpan(0, 320, 4_000, 8_000),
            [decision(4_224, math.nan)],
            r"longest wait: .* was unknown \(the turn model failed\), and 0.5 ends it$",
        ),
        (
            SpeechSpan(0, 320, 4_000, 4_100, cut=True),
            [],
            "not over when the audio ended, 100 ms .*: no answer of the turn model was due yet$",
        ),
        (
            SpeechSpan(0, 320, 4_000, 5_000, cut=True),
            [decision(4_224, 0.1)],
            "not over when the audio ended, 1000 ms .* was 0.10, .*margin to the limit 0.40$",
        ),
    ],
)
def test_a_turn_that_no_answer_ended_says_so(
    span: SpeechSpan, answers: list[TurnDecision], words: str
) -> None:
    assert re.search(words, explain_judged(SEMANTIC, span, answers))


def test_a_labelled_turn_that_a_model_cut_off() -> None:
    turn = TrueTurn(300, 6_000)
    spans = [SpeechSpan(0, 320, 2_000, 2_224), SpeechSpan(2_500, 2_700, 5_950, 6_174)]
    answers = [decision(2_224, 0.9), decision(6_174, 0.7)]
    heard = np.zeros(200, np.float32)

    told = explain_judged_labelled(heard, SEMANTIC, turn, spans, answers)
    assert told.startswith("cut off, first 3776 ms before its end: ended 224 ms after")
    assert "its last part ended 224 ms after the last voiced frame" in told
    assert told.endswith("174 ms after its labelled end")
    whole = explain_judged_labelled(heard, SEMANTIC, turn, [spans[1]], answers)
    assert whole.startswith("ended 224 ms")
    assert explain_judged_labelled(heard, SEMANTIC, turn, [], answers).startswith("missed: ")
    lost = explain_judged_labelled(heard, SEMANTIC, turn, [spans[0]], answers)
    assert lost.startswith("cut off, first")
    assert "labelled end" not in lost
