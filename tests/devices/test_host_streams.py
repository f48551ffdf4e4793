from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.devices.host_streams import LossFinder

RATE = 48_000
BLOCK = 960


def lost_s(times_s: list[float]) -> list[float]:
    """What is said to be lost before each of the blocks that came at those times."""
    finder = LossFinder(RATE)
    return [finder.count(BLOCK, time_s) / RATE for time_s in times_s]


def on_time(blocks: int, drift: float = 0.0) -> list[float]:
    return [5.0 + (1 + drift) * i * BLOCK / RATE for i in range(blocks)]


@given(st.lists(st.floats(0, 0.15), min_size=1, max_size=9))
def test_blocks_that_come_late_are_not_lost(late_s: list[float]) -> None:
    """Up to nine in a row, and then all that waited."""
    times = on_time(100)
    for index, seconds in enumerate(late_s, start=50):
        times[index] += seconds
    assert sum(lost_s(times)) == 0


@given(st.integers(10, 400), st.floats(0.012, 3.0))
def test_what_is_missing_is_found_soon_and_once(before: int, missing_s: float) -> None:
    times = on_time(before) + [time_s + missing_s for time_s in on_time(500)[before:]]
    found = lost_s(times)
    assert sum(found[: before + 10]) == sum(found) == pytest.approx(missing_s, abs=0.003)


def test_several_losses_add_up() -> None:
    late = np.cumsum([0.06 if i in (40, 90, 91, 300) else 0.0 for i in range(500)])
    found = lost_s(list(np.array(on_time(500)) + late))
    assert sum(found) == pytest.approx(0.24, abs=0.003)


@pytest.mark.parametrize("drift", [-0.0004, 0.0004])
def test_a_clock_of_its_own_is_no_loss(drift: float) -> None:
    """An hour of a device that is 400 ppm fast or slow."""
    assert sum(lost_s(on_time(50 * 3600, drift))) == 0
