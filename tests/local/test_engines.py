from __future__ import annotations

import asyncio

import pytest

from realtime_nb.errors import RealtimeError
from realtime_nb.local.engines import Backlog, patience


async def test_patience_has_an_end() -> None:
    with pytest.raises(RealtimeError, match=r"The voice gave nothing for 0\.01 s"):
        async with patience("voice", 0.01):
            await asyncio.Event().wait()


async def test_an_engine_s_own_time_out_is_its_own() -> None:
    with pytest.raises(TimeoutError, match="from inside"):
        async with patience("voice", 10):
            raise TimeoutError("from inside")


async def test_cancelling_is_no_time_out() -> None:
    async def wait() -> None:
        async with patience("voice", 10):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_backlog_has_room_up_to_its_limit() -> None:
    backlog = Backlog(10)
    await asyncio.wait_for(backlog.room(), 1)
    backlog.add(10)
    await asyncio.wait_for(backlog.room(), 1)
    backlog.add(5)
    waiting = asyncio.create_task(backlog.room())
    backlog.remove(4)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    backlog.remove(1)
    await asyncio.wait_for(waiting, 1)
    assert backlog.amount == 10
