"""Scores of turns that are written down here, and counted by hand."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.vad_lab.scores import LabScore, ScoredTurn, score, scores_frame

TRUE = [(1_000.0, 3_000.0), (5_000.0, 6_000.0), (8_000.0, 9_000.0), (12_000.0, 13_000.0)]


def turn(onset_ms: float, offset_ms: float, window_ms: float = 224) -> ScoredTurn:
    return ScoredTurn(onset_ms, offset_ms, offset_ms + window_ms)


def judged(*turns: ScoredTurn, true_ms: list[tuple[float, float]] | None = None) -> LabScore:
    return score("x", "code", turns, TRUE, true_ms)


def test_each_true_turn_has_one_of_its_own() -> None:
    found = judged(*(turn(start, end + 50) for start, end in TRUE), true_ms=TRUE)
    assert (found.turns, found.split_turns, found.false_starts, found.missed_turns) == (4, 0, 0, 0)
    assert (found.precision, found.recall) == (1, 1)
    assert found.wait_mean_ms == found.wait_p50_ms == 274
    assert (found.truth, found.reasons) == ("label", {})


def test_faults_are_counted() -> None:
    found = judged(
        *(turn(1_000, 1_500), turn(2_000, 3_000)),  # the first is split
        turn(4_000, 4_100),  # nobody spoke
        turn(5_000, 8_900),  # two in one
        true_ms=TRUE,  # the last is missed
    )
    assert (found.turns, found.split_turns, found.false_starts, found.missed_turns) == (4, 1, 1, 1)
    assert (found.precision, found.recall) == (0, 0)
    # What ended too soon has not waited; that of two in one ends after the second, at 9124.
    assert found.wait_mean_ms == pytest.approx((224 + 124) / 2)


def test_half_of_them_right() -> None:
    found = judged(turn(1_000, 3_000), turn(4_000, 4_100), true_ms=TRUE[:2])
    assert (found.precision, found.recall) == (0.5, 0.5)


def test_who_was_not_finished_is_split_without_an_end() -> None:
    found = judged(turn(1_000, 3_000), true_ms=[(1_000.0, math.inf)])
    assert (found.split_turns, found.precision, found.recall) == (1, 0, 0)
    assert math.isnan(found.wait_mean_ms)


def test_a_turn_that_goes_on_has_not_waited_and_splits_nothing() -> None:
    found = judged(ScoredTurn(1_000, 2_000, math.nan), true_ms=TRUE[:1])
    assert (found.turns, found.split_turns, found.precision) == (1, 0, 1)
    assert math.isnan(found.wait_p50_ms)
    assert "no turn has ended" in found.reasons["wait_p50_ms"]


def test_what_lies_where_nobody_said_anything_is_neither_right_nor_wrong() -> None:
    turns = [turn(1_000, 3_000), turn(4_000, 4_100), turn(5_000, 6_000), turn(7_000, 7_200)]
    known = [(700.0, 3_500.0), (6_900.0, 7_100.0)]
    found = score("x", "code", turns, TRUE, TRUE[:1], judged_ms=known)
    assert (found.turns, found.judged_turns, found.false_starts) == (4, 2, 1)
    assert (found.precision, found.recall, found.missed_turns) == (0.5, 1, 0)
    assert found.wait_mean_ms == 224  # of those that are judged


def test_where_none_is_judged_there_is_no_precision() -> None:
    found = score("x", "code", [turn(5_000, 6_000)], TRUE, TRUE[:1], judged_ms=[(700.0, 3_500.0)])
    assert (found.turns, found.judged_turns, found.false_starts, found.recall) == (1, 0, 0, 0)
    assert math.isnan(found.precision)
    assert "other audio" in found.reasons["precision"]
    assert "other audio" in found.reasons["wait_p50_ms"]


def test_nothing_is_guessed_without_labels() -> None:
    found = judged(turn(1_000, 3_050))
    unknown = ("judged_turns", "split_turns", "false_starts", "missed_turns", "precision", "recall")
    assert all(math.isnan(getattr(found, name)) for name in unknown)
    assert set(found.reasons) == set(unknown)
    assert (found.turns, found.wait_mean_ms, found.truth) == (1, 274, "detector")


@pytest.mark.parametrize("true_ms", [None, [], TRUE])
def test_of_no_turns_is_said_why(true_ms: list[tuple[float, float]] | None) -> None:
    found = judged(true_ms=true_ms)
    assert found.turns == 0
    assert set(found.reasons) >= {"wait_mean_ms", "precision"}
    missing = [f.name for f in fields(LabScore) if isinstance(getattr(found, f.name), float)]
    missing = [name for name in missing if math.isnan(getattr(found, name))]
    assert set(missing) == set(found.reasons)


SPANS = st.lists(st.integers(1, 400), max_size=16).map(
    lambda steps: [
        (float(sum(steps[: i + 1])), float(sum(steps[: i + 2])))
        for i in range(0, len(steps) - 1, 2)
    ]
)


@given(SPANS, SPANS, SPANS)
def test_only_what_is_judged_counts(
    found_ms: list[tuple[float, float]],
    true_ms: list[tuple[float, float]],
    judged_ms: list[tuple[float, float]],
) -> None:
    turns = [turn(start, end, 0) for start, end in found_ms]
    known = [
        one
        for one, (start, end) in zip(turns, found_ms, strict=True)
        if any(max(start, a) < min(end, b) for a, b in judged_ms)
    ]
    found = score("x", "code", turns, [], true_ms, judged_ms=judged_ms)
    alone = score("x", "code", known, [], true_ms)
    assert (found.turns, found.judged_turns) == (len(turns), len(known))
    for name in ("split_turns", "false_starts", "missed_turns", "precision", "recall"):
        assert getattr(found, name) == pytest.approx(getattr(alone, name), nan_ok=True)


@given(SPANS, SPANS)
def test_counts_are_those_of_looking_at_every_pair(
    found_ms: list[tuple[float, float]], true_ms: list[tuple[float, float]]
) -> None:
    turns = [turn(start, end, 0) for start, end in found_ms]
    found = score("x", "code", turns, [], true_ms)

    def common(one: tuple[float, float], other: tuple[float, float]) -> bool:
        return max(one[0], other[0]) < min(one[1], other[1])

    assert found.false_starts == sum(not any(common(a, b) for b in true_ms) for a in found_ms)
    assert found.missed_turns == sum(not any(common(a, b) for a in found_ms) for b in true_ms)
    split = [any(common(a, b) and a[1] < b[1] for a in found_ms) for b in true_ms]
    assert found.split_turns == sum(split)


def test_a_table_has_a_row_each_and_keeps_the_reasons() -> None:
    table = scores_frame([judged(turn(1_000, 3_000)), judged(true_ms=TRUE)])
    assert list(table.columns) == [f.name for f in fields(LabScore) if f.name != "reasons"]
    assert table.turns.tolist() == [1, 0]
    assert "precision" in table.attrs["reasons"]["x"]
    assert list(scores_frame([]).columns) == list(table.columns)
