"""Agreement of spans that are written down here."""

from __future__ import annotations

import math

import pytest

from realtime_nb.analysis.vad_lab.agreed import agreed

TURNS = [(1_000.0, 2_000.0), (4_000.0, 5_000.0), (7_000.0, 8_000.0), (9_000.0, 9_500.0)]


def shifted(by_ms: float) -> list[tuple[float, float]]:
    return [(start + by_ms, end + by_ms) for start, end in TURNS]


def test_the_same_agrees_wholly() -> None:
    found = agreed(TURNS, TURNS)
    assert (found.share, found.offset_ms, found.spread_ms, found.matched) == (1, 0, 0, 4)
    assert found.trusted
    assert found.words.startswith("100 % agreement with the server, 0 ms apart")


def test_a_clock_that_is_ahead_is_taken_off() -> None:
    found = agreed(shifted(250), TURNS)
    assert (found.share, found.offset_ms, found.spread_ms) == (1, 250, 0)
    assert "+250 ms taken off (calibrated on 4 turns)" in found.words


def test_two_pairs_tell_no_clock() -> None:
    found = agreed(shifted(250)[:2], TURNS[:2])
    assert (found.share, found.offset_ms, found.spread_ms) == (0, 0, 250)


def test_what_one_side_alone_heard_is_no_agreement() -> None:
    found = agreed(TURNS, [*TURNS[:3], (20_000.0, 21_000.0)])
    assert found.share == pytest.approx(3 / 5)
    assert not found.trusted


def test_an_end_that_is_not_known_is_not_compared() -> None:
    found = agreed([(1_000.0, math.nan)], [(1_000.0, 2_000.0)])
    assert (found.share, found.spread_ms) == (1, 0)


def test_an_end_that_is_late_is_no_agreement() -> None:
    late = [(start, end + 101) for start, end in TURNS]
    assert agreed(late, TURNS).share == 0
    assert agreed([(start, end + 99) for start, end in TURNS], TURNS).share == 1


def test_of_nothing_nothing_is_said() -> None:
    found = agreed([], [])
    assert math.isnan(found.share)
    assert math.isnan(found.spread_ms)
    assert found.trusted
    assert "Nothing to compare" in found.words
    assert agreed([], TURNS).words == "0 % agreement with the server: no turn was heard by both."


def test_where_only_the_server_tells_ends_it_says_so() -> None:
    told = [(start, math.nan) for start, _ in TURNS]
    found = agreed(TURNS, told, starts_only=True)
    assert (found.share, found.spread_ms) == (1, 0)
    assert found.words.endswith("It is about beginnings: by semantic_vad, a model ends turns.")
    assert "beginnings" not in agreed(TURNS, TURNS).words
