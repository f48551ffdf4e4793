"""A plan is pure: told what crosses, it says what strikes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.errors import ConfigurationError
from realtime_nb.testing.faults import (
    Corrupt,
    Delay,
    Direction,
    Drop,
    Duplicate,
    Fault,
    FaultPlan,
    HalfOpen,
    Refuse,
    Throttle,
    When,
    expiry,
    randomly,
    received,
    received_bytes,
    sent,
    sent_bytes,
)

A, B = {"type": "a"}, {"type": "b", "n": 1}
Way = list[tuple[Direction, dict[str, Any]]]
WAY: Way = [("sent", A), ("received", A), ("sent", B), ("received", B), ("sent", A)]


def struck(at: When, way: Way = WAY) -> list[int]:
    """Where a drop strikes, when each event has 10 bytes and comes a second after the last."""
    plan = FaultPlan([Drop(at)])
    return [
        n
        for n, (direction, event) in enumerate(way)
        if plan.crossing(direction, event, 10, float(n)).strikes
    ]


@pytest.mark.parametrize(
    ("at", "where"),
    [
        ("a", [0]),
        ("b", [2]),
        ("c", []),
        (lambda event: event.get("n") == 1, [2]),
        (sent(1), [0]),
        (sent(2), [2]),
        (sent(3), [4]),
        (sent(4), []),
        (received(1), [1]),
        (received(2), [3]),
        (sent("a", 2), [4]),
        (sent("b"), [2]),
        (received("b"), [3]),
        (received(lambda event: "n" in event), [3]),
        (sent_bytes(0), [0]),
        (sent_bytes(9), [0]),
        (sent_bytes(10), [2]),
        (sent_bytes(29), [4]),
        (sent_bytes(30), []),
        (received_bytes(15), [3]),
        (randomly(0), []),
        (randomly(1), [0]),
        (randomly(1, "received"), [1]),
    ],
)
def test_a_drop_strikes_once_at_its_moment(at: When, where: list[int]) -> None:
    assert struck(at) == where


def test_what_strikes_at_a_time_does_so_whether_anything_crosses_or_not() -> None:
    faults: list[Fault] = [Drop(2.5), HalfOpen(received(1)), Throttle(1), Delay(0.5)]
    assert [seconds for seconds, _ in FaultPlan(faults).timed()] == [2.5, 1.0]


@pytest.mark.parametrize(
    ("fault", "copies", "cut"),
    [
        (Drop(sent(1)), 0, None),
        (Drop(sent(1), passes=True), 1, None),
        (HalfOpen(sent(1)), 0, None),
        (HalfOpen(sent(1), direction="received"), 1, None),
        (HalfOpen(sent_bytes(3), direction="received"), 1, None),
        (Drop(sent_bytes(3)), 1, 3),
        (Throttle(sent(1)), 1, None),
    ],
)
def test_the_event_at_which_it_strikes_passes_or_not(
    fault: Any, copies: int, cut: int | None
) -> None:
    crossing = FaultPlan([fault]).crossing("sent", A, 10, 0)
    assert (crossing.copies, crossing.cut, crossing.strikes) == (copies, cut, [fault])


def test_events_are_delayed_doubled_and_broken_as_often_as_it_says() -> None:
    faults: list[Fault] = [
        Delay(sent(2), ms=100),
        Delay(1.0, ms=20, times=1),
        Duplicate(received("a"), times=None),
        Corrupt(sent("a"), times=2),
    ]
    plan = FaultPlan(faults)
    found = [plan.crossing(*crossed, 10, float(n)) for n, crossed in enumerate(WAY)]
    assert [crossing.delay_ms for crossing in found] == [0, 20, 100, 0, 100]
    assert [crossing.copies for crossing in found] == [1, 2, 1, 1, 1]
    assert [crossing.corrupt is not None for crossing in found] == [True, False, False, False, True]


@given(seed=st.integers(0, 2**32), share=st.floats(0, 1))
def test_a_seed_decides_everything(seed: int, share: float) -> None:
    def run() -> list[tuple[float, int]]:
        plan = FaultPlan(
            [Delay(randomly(share), ms=(5, 50)), Duplicate(randomly(share), times=None)], seed
        )
        found = [plan.crossing(direction, event, 7, 0) for direction, event in WAY * 5]
        return [(crossing.delay_ms, crossing.copies) for crossing in found]

    assert run() == run()
    assert all(ms == 0 or 5 <= ms <= 50 for ms, _ in run())


def test_pings_are_no_events_but_have_bytes() -> None:
    plan = FaultPlan([Drop(sent(1)), Duplicate(sent_bytes(0)), HalfOpen(sent_bytes(12))])
    ping = plan.crossing("sent", None, 10, 0)
    assert (ping.copies, ping.strikes) == (1, [])
    ping = plan.crossing("sent", None, 10, 0)
    assert (ping.cut, ping.strikes) == (2, [HalfOpen(sent_bytes(12))])


def test_now_is_whatever_its_moment_says() -> None:
    plan = FaultPlan([])
    assert plan.now(Drop(99.0)) == Drop(99.0)
    assert plan.now(Duplicate(sent(99))) is None
    assert plan.crossing("received", A, 10, 0).copies == 2
    with pytest.raises(ConfigurationError, match="handshake"):
        plan.now(Refuse())


def test_an_expiry_is_what_openai_sends() -> None:
    assert expiry(3.0) == Drop(3.0, 1001, "Your session hit the maximum duration of 60 minutes.")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: sent(0),
        lambda: received("a", 0),
        lambda: sent_bytes(-1),
        lambda: randomly(1.5),
        lambda: FaultPlan([Drop(-1)]),
        lambda: FaultPlan([Drop(float("nan"))]),
    ],
)
def test_moments_that_never_come_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        wrong()
