"""What a session has started ends with it, and what fails is told."""

from __future__ import annotations

import asyncio

from realtime_nb.session.work import Work
from tests.virtual import virtual


@virtual
async def test_what_fails_is_told_and_the_rest_goes_on() -> None:
    told: list[Exception] = []
    work = Work(told.append)
    error = ValueError("one of two")

    async def fails() -> None:
        raise error

    going_on = work.start(asyncio.sleep(60))
    work.start(fails())
    await asyncio.sleep(1)
    assert told == [error]
    assert not going_on.done()
    await work.end()


@virtual
async def test_the_end_waits_for_what_takes_its_time_to_end() -> None:
    told: list[Exception] = []
    work = Work(told.append)
    steps: list[str] = []

    async def lasts() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(1)
            steps.append("ended")

    work.start(lasts())
    await asyncio.sleep(0)
    work.cancel()
    assert steps == []
    await work.end()
    assert (steps, told) == (["ended"], [])


@virtual
async def test_a_failure_on_the_way_out_is_told_too() -> None:
    told: list[Exception] = []
    work = Work(told.append)

    async def stumbles() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RuntimeError("while it ended") from None

    work.start(stumbles())
    await asyncio.sleep(0)
    await work.end()
    await asyncio.sleep(0)
    assert [str(one) for one in told] == ["while it ended"]


@virtual
async def test_what_has_time_to_finish_finishes_and_the_rest_is_cancelled() -> None:
    told: list[Exception] = []
    work = Work(told.append)
    soon, late = (work.start(asyncio.sleep(seconds)) for seconds in (1, 60))
    began_s = asyncio.get_running_loop().time()
    await work.finished(2)
    assert asyncio.get_running_loop().time() - began_s == 2
    await asyncio.wait([soon, late])
    assert (soon.cancelled(), late.cancelled(), told) == (False, True, [])
    await work.finished(2)  # nothing is left
