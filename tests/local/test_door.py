from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local import door as doors
from realtime_nb.local.door import MOST_WAIT_S, Door

EACH, EACH_PER_S = 200, 50.0
ALL, ALL_PER_S = 400, 100.0


def test_the_first_ones_do_not_wait_and_the_next_ones_come_at_the_pace() -> None:
    door = Door()
    waits = [door.wait_s("a", 10.0) for _ in range(EACH + 110)]
    assert waits[:EACH] == [0.0] * EACH
    served = [wait for wait in waits[EACH:] if wait is not None]
    expected = [number / EACH_PER_S for number in range(1, len(served) + 1)]
    assert served == pytest.approx(expected)
    assert len(served) == pytest.approx(EACH_PER_S * MOST_WAIT_S, abs=1)
    assert waits[-1] is None
    # Who was turned away took nobody's place.
    assert door.wait_s("a", 10.0 + MOST_WAIT_S) == pytest.approx(1 / EACH_PER_S, abs=1 / EACH_PER_S)


def test_one_address_does_not_use_up_another_s() -> None:
    door = Door()
    while door.wait_s("a", 10.0) is not None:
        pass
    assert door.wait_s("b", 10.0) == 0.0


def test_many_addresses_share_one_door() -> None:
    door = Door()
    waits = [door.wait_s(str(number), 10.0) for number in range(2_000)]
    assert waits[:ALL] == [0.0] * ALL
    assert waits[-1] is None
    assert sum(wait is not None for wait in waits) <= ALL + ALL_PER_S * MOST_WAIT_S + 1


@given(
    knocks=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.001, 0.02, 0.5, 5.0])),
        max_size=800,
    )
)
def test_never_more_than_the_pace_allows(knocks: list[tuple[str, float]]) -> None:
    door, now_s = Door(), 100.0
    turns: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    for address, pause_s in knocks:
        now_s += pause_s
        wait_s = door.wait_s(address, now_s)
        if wait_s is not None:
            assert 0 <= wait_s <= MOST_WAIT_S
            turns[address].append(now_s + wait_s)
    every = sorted(turn for of_one in turns.values() for turn in of_one)
    for of_some, at_once, per_s in [
        (every, ALL, ALL_PER_S),
        *((of_one, EACH, EACH_PER_S) for of_one in turns.values()),
    ]:
        for later in range(at_once, len(of_some)):
            since_s = of_some[later] - of_some[later - at_once]
            assert since_s >= 1 / per_s - 1e-6


def test_addresses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "_MOST_ADDRESSES", 50)
    door = Door()
    for number in range(10_000):
        door.wait_s(str(number), number * 0.05)
    assert len(door._paces) <= 50
