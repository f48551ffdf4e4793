"""What became of labelled turns. Right values are worked out by hand beside each case."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.what_if.outcomes import Bounds, Outcomes, judge, waits_after_voice
from realtime_nb.analysis.what_if.taken_turns import Taken
from realtime_nb.analysis.what_if.true_turns import TrueTurn
from realtime_nb.protocol.turns import SpeechSpan

PADDING, SILENCE = 300, 224


def span(onset_ms: int, offset_ms: int, cut: bool = False) -> SpeechSpan:
    """A turn taken with 300 ms of padding and a silence of 200 ms, which is seven frames."""
    return SpeechSpan(onset_ms - PADDING, onset_ms, offset_ms, offset_ms + SILENCE, cut)


def judged(spans: list[SpeechSpan], *turns: tuple[float, float]) -> Outcomes:
    return judge(Taken.of(spans), Bounds.of([TrueTurn(*turn) for turn in turns]))


def flags(found: Outcomes) -> dict[str, list[bool]]:
    return {name: getattr(found, name).tolist() for name in ("missed", "split", "merged")}


def test_a_turn_that_is_heard_as_it_is() -> None:
    found = judged([span(1024, 2016)], (1000, 2000))

    assert flags(found) == {"missed": [False], "split": [False], "merged": [False]}
    assert found.onset_error_ms.tolist() == [24]  # 1024 − 1000
    assert found.end_error_ms.tolist() == [16]  # 2016 − 2000
    assert found.wait_ms.tolist() == [240]  # 2016 + 224 − 2000
    assert found.missed_speech_ms.tolist() == [0]  # its audio begins at 724
    assert found.false_start.tolist() == [False]


def test_a_turn_that_is_cut_off_at_a_pause_and_taken_up_again() -> None:
    # Decided at 1600 + 224 = 1824, before the end at 3000; the second part ends at 2976.
    found = judged([span(1024, 1600), span(2112, 2976)], (1000, 3000))

    assert flags(found) == {"missed": [False], "split": [True], "merged": [False]}
    assert (found.first.tolist(), found.count.tolist()) == ([0], [2])
    assert found.wait_ms.tolist() == [200]  # 2976 + 224 − 3000
    assert found.missed_speech_ms.tolist() == [0]  # what is between the parts is a pause
    assert found.false_start.tolist() == [False, False]


def test_a_turn_that_is_cut_off_and_not_taken_up_again_has_no_wait() -> None:
    found = judged([span(1024, 1600)], (1000, 3000))

    assert found.split.tolist() == [True]
    assert math.isnan(found.wait_ms[0])
    assert found.missed_speech_ms.tolist() == [1176]  # 3000 − 1824


def test_a_pause_that_is_heard_out_splits_nothing() -> None:
    # The silence ends with the turn: at 2776 + 224 = 3000 nothing is left to be said.
    assert judged([span(1024, 2776)], (1000, 3000)).split.tolist() == [False]
    assert judged([span(1024, 2775)], (1000, 3000)).split.tolist() == [True]


def test_a_turn_that_nobody_took_is_missed() -> None:
    found = judged([span(5024, 6016)], (1000, 2000), (5000, 6000))

    assert found.missed.tolist() == [True, False]
    assert found.missed_speech_ms.tolist() == [1000, 0]
    assert math.isnan(found.wait_ms[0]) and math.isnan(found.onset_error_ms[0])


def test_what_is_taken_of_no_turn_is_a_false_start() -> None:
    found = judged([span(320, 640), span(1024, 2016), span(2560, 2624)], (1000, 2000))

    assert found.false_start.tolist() == [True, False, True]
    assert found.count.tolist() == [1]


def test_turns_that_become_one_are_merged() -> None:
    # One turn from 1024 to 4000 is of both; the first got no answer.
    found = judged([span(1024, 4000)], (1000, 2000), (3000, 4000))

    assert flags(found) == {
        "missed": [False, False],
        "split": [False, False],
        "merged": [True, False],
    }
    assert math.isnan(found.wait_ms[0])
    assert found.wait_ms[1] == 224
    assert math.isnan(found.end_error_ms[0])


def test_a_beginning_that_is_cut_off_is_missed_speech() -> None:
    # Heard from 1600 on, and its audio from 1300: the first 300 ms never arrive.
    assert judged([span(1600, 2016)], (1000, 2000)).missed_speech_ms.tolist() == [300]


def test_of_audio_that_ends_first_the_wait_is_not_known() -> None:
    found = judged([span(1024, 2016, cut=True)], (1000, 2000))

    assert math.isnan(found.wait_ms[0])
    assert not found.split[0] and not found.missed[0]


def test_a_beginning_that_nobody_told_has_no_error() -> None:
    truth = Bounds.of([TrueTurn(1000, 2000, onset_told=False)])

    found = judge(Taken.of([span(1024, 2016)]), truth)

    assert math.isnan(found.onset_error_ms[0])
    assert found.end_error_ms[0] == 16


@pytest.mark.parametrize("turns", [[], [(1000.0, 2000.0)]])
def test_nothing_taken(turns: list[tuple[float, float]]) -> None:
    found = judged([], *turns)

    assert found.missed.tolist() == [True] * len(turns)
    assert found.missed_speech_ms.tolist() == [1000.0] * len(turns)
    assert len(found.false_start) == 0


def test_nobody_spoke() -> None:
    assert judged([span(1024, 2016)]).false_start.tolist() == [True]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[SpeechSpan], list[TrueTurn]]:
    """Turns taken and labelled turns anywhere, each of both apart from the others."""

    def stretches(gap: int) -> list[tuple[int, int]]:
        at, found = draw(st.integers(0, 2000)), []
        for _ in range(draw(st.integers(0, 6))):
            length = draw(st.integers(1, 3000))
            found.append((at, at + length))
            at += length + gap + draw(st.integers(0, 2000))
        return found

    taken = [span(*stretch) for stretch in stretches(SILENCE + 1)]
    return taken, [TrueTurn(*stretch) for stretch in stretches(0)]


@given(cases())
def test_the_same_one_by_one(case: tuple[list[SpeechSpan], list[TrueTurn]]) -> None:
    spans, turns = case
    found = judge(Taken.of(spans), Bounds.of(turns))
    of = [
        [one for one in spans if one.onset_ms < turn.end_ms and one.offset_ms > turn.start_ms]
        for turn in turns
    ]
    for i, (turn, own) in enumerate(zip(turns, of, strict=True)):
        expected: dict[str, Any] = {
            "missed": not own,
            "split": any(one.audio_end_ms < turn.end_ms for one in own),
            "merged": bool(own) and i + 1 < len(of) and own[-1] in of[i + 1],
        }
        assert {name: bool(getattr(found, name)[i]) for name in expected} == expected
        wait_ms = own[-1].audio_end_ms - turn.end_ms if own else math.nan
        known = own and not expected["merged"] and wait_ms >= 0
        assert found.wait_ms[i] == wait_ms if known else math.isnan(found.wait_ms[i])
        head = own[0].audio_start_ms - turn.start_ms if own else turn.end_ms - turn.start_ms
        tail = turn.end_ms - own[-1].audio_end_ms if own else 0
        assert found.missed_speech_ms[i] == max(0, head) + max(0, tail)
    alone = [not any(one in own for own in of) for one in spans]
    assert found.false_start.tolist() == alone


def test_waits_after_voices() -> None:
    taken = Taken.of([span(1024, 2016), span(3040, 3200), span(5024, 5216, cut=True)])

    waits_ms = waits_after_voice(taken, np.array([1990.0, 2600.0, 5200.0]))

    # 2240 − 1990; no voice ends within the second; the third is not over.
    assert waits_ms[0] == 250
    assert np.isnan(waits_ms[1:]).all()
    assert np.isnan(waits_after_voice(taken, np.zeros(0))).all()
