"""What is put in comes out in order, each not before its time."""

from __future__ import annotations

import asyncio

import pytest

from realtime_nb.testing.line import Line
from tests.virtual import virtual


class Out:
    """What came out, and when."""

    def __init__(self) -> None:
        self.came: list[tuple[int, float]] = []
        self.line: Line[int] = Line(self.take)

    async def take(self, thing: int) -> None:
        self.came.append((thing, round(asyncio.get_running_loop().time(), 6)))


@virtual
async def test_what_need_not_wait_is_there_at_once() -> None:
    out = Out()
    await out.line.put(1)
    assert out.came == [(1, 0.0)]


@virtual
async def test_nothing_overtakes_and_delays_overlap() -> None:
    out = Out()
    running = asyncio.create_task(out.line.run())
    await out.line.put(1, delay_ms=300)
    await out.line.put(2)
    await out.line.put(3, delay_ms=400)
    await out.line.emptied()
    assert out.came == [(1, 0.3), (2, 0.3), (3, 0.4)]
    await out.line.put(4)
    assert out.came[-1] == (4, 0.4)
    running.cancel()


@virtual
async def test_a_slow_line_takes_the_time_of_what_it_carries() -> None:
    out = Out()
    out.line.bytes_per_s = 100
    running = asyncio.create_task(out.line.run())
    for n in (1, 2):
        await out.line.put(n, size=50)
    await out.line.emptied()
    assert out.came == [(1, 0.5), (2, 1.0)]
    running.cancel()


@virtual
async def test_whoever_puts_in_too_much_waits() -> None:
    out = Out()
    for n in range(1_024):
        await out.line.put(n, delay_ms=1_000)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await out.line.put(1_024)
