"""The end of a session, whatever its parts raise and whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.session.closing import Closing
from realtime_nb.testing import run_on_virtual_clock
from tests.virtual import virtual


class Steps:
    """Steps that take a second each, some of which fail."""

    def __init__(self, failing: set[int]) -> None:
        self.taken: list[int] = []
        self._failing = failing

    def of(self, count: int) -> list[Callable[[], Coroutine[None, None, None]]]:
        def step(number: int) -> Callable[[], Coroutine[None, None, None]]:
            async def take() -> None:
                await asyncio.sleep(1)
                self.taken.append(number)
                if number in self._failing:
                    raise ValueError(str(number))

            return take

        return [step(number) for number in range(count)]


@settings(max_examples=30, deadline=None)
@given(failing=st.sets(st.integers(0, 4)), cancelled_at=st.none() | st.floats(0.1, 4.9))
def test_each_step_is_taken_in_order_whatever_happens(
    failing: set[int], cancelled_at: float | None
) -> None:
    async def end() -> None:
        steps, closing = Steps(failing), Closing()
        waiting = asyncio.create_task(closing.close(steps.of(5)))
        if cancelled_at is not None:
            asyncio.get_running_loop().call_later(cancelled_at, waiting.cancel)
        (how,) = await asyncio.gather(waiting, return_exceptions=True)
        assert steps.taken == [0, 1, 2, 3, 4]
        if cancelled_at is not None:
            assert isinstance(how, asyncio.CancelledError)
        elif failing:
            assert isinstance(how, ValueError) and str(how) == str(max(failing))
        else:
            assert how is None

    run_on_virtual_clock(end())


@virtual
async def test_it_is_closed_once_and_everybody_waits_for_that() -> None:
    steps, others, closing = Steps(set()), Steps(set()), Closing()
    begun = [closing.begun]
    first = asyncio.create_task(closing.close(steps.of(2)))
    await asyncio.sleep(0.5)
    assert [*begun, closing.begun] == [False, True]
    await closing.close(others.of(3))
    assert (steps.taken, others.taken) == ([0, 1], [])
    await first


@virtual
async def test_what_failed_is_told_to_everybody() -> None:
    closing = Closing()
    for _ in range(2):
        with pytest.raises(ValueError, match="1"):
            await closing.close(Steps({1}).of(3))
