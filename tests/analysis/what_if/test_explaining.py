"""Sentences on turns, from probabilities written by hand: frame ``i`` begins at ``32 · i`` ms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from realtime_nb.analysis.what_if.explaining import (
    SilentRun,
    explain_labelled,
    explain_taken,
    longest_pause,
    threshold_margin,
)
from realtime_nb.analysis.what_if.true_turns import TrueTurn
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
