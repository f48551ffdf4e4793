"""The order of events is that of the file, its reverse, or that of their times."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.archive.log_lines import LogEntry
from realtime_nb.archive.log_order import believable, in_order

NAN = math.nan


def entries(*names: str, times: list[float] | None = None) -> list[LogEntry]:
    return [
        LogEntry(
            number,
            {"type": name, "response_id": "r", "item_id": "u"},
            "received",
            None if times is None else times[number],
        )
        for number, name in enumerate(names)
    ]


CHAIN = ("response.created", "response.output_audio.delta", "response.done")


def names(found: list[LogEntry]) -> tuple[str, ...]:
    return tuple(entry.name for entry in found)


def test_without_times_the_causes_tell_which_end_is_the_first() -> None:
    order = in_order(entries(*CHAIN[::-1]))

    assert names(list(order.entries)) == CHAIN
    assert order.note is not None and "newest" in order.note
    assert in_order(entries(*CHAIN)).note is None


def test_times_tell_it_where_both_are_possible() -> None:
    order = in_order(entries("error", "error", times=[2.0, 1.0]))

    assert [entry.time_s for entry in order.entries] == [1.0, 2.0]


def test_lines_that_stand_anyhow_are_taken_by_their_times() -> None:
    shuffled = entries(CHAIN[2], CHAIN[0], CHAIN[1], times=[3.0, 1.0, 2.0])

    order = in_order(shuffled)

    assert names(list(order.entries)) == CHAIN
    assert order.note is not None and "by their times" in order.note


def test_what_stays_contradictory_is_named() -> None:
    order = in_order(entries(CHAIN[2], CHAIN[0], CHAIN[1]))

    assert order.contradicted == {"r"}


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3]),
        ([0, 2, 1, 3], [0, NAN, NAN, 3]),  # which of both is wrong is not known
        ([0, 9, 2, 3, 10], [0, NAN, NAN, NAN, 10]),
        ([0, 1, 1, 2], [0, 1, 1, 2]),
        ([0, NAN, 2, 1, 3], [0, NAN, NAN, NAN, 3]),
    ],
)
def test_times_between_which_the_clock_runs_back_are_not_believed(
    times: list[float], expected: list[float]
) -> None:
    assert list(believable(times).times_s) == pytest.approx(expected, nan_ok=True)


def test_a_clock_that_was_set_back_is_believed_until_then() -> None:
    found = believable([100, 101, 102, 50, 51, 52, 200])

    assert list(found.times_s) == pytest.approx([100, 101, 102, NAN, NAN, NAN, NAN], nan_ok=True)
    assert found.set_back == [(3, 52)]


@given(times=st.lists(st.integers(0, 30), max_size=20))
def test_what_is_believed_contradicts_nothing(times: list[int]) -> None:
    kept = [t for t in believable([float(t) for t in times]).times_s if not math.isnan(t)]

    assert kept == sorted(kept)
    assert times != sorted(times) or kept == times
