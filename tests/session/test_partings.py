"""What a session leaves behind ends by itself: no task and no transport is left."""

from __future__ import annotations

import asyncio
import gc
import random
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.partings import Partings
from realtime_nb.session.transport import Transport
from realtime_nb.testing import Drop, Fault, run_on_virtual_clock
from tests.session.lost_connections import Servers, Thinking
from tests.virtual import virtual


class SlowToEnd:
    """A transport whose goodbye takes a while, as that of a socket does."""

    def __init__(self, inner: Transport, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds
        self.ended = False

    async def send(self, event: JsonObject) -> None:
        await self._inner.send(event)

    async def receive(self) -> JsonObject:
        return await self._inner.receive()

    async def close(self) -> None:
        await asyncio.sleep(self._seconds)
        await self._inner.close()
        self.ended = True


async def ends_nothing_left(seed: int) -> None:
    chance = random.Random(seed)
    before = asyncio.all_tasks()
    transports: list[SlowToEnd] = []
    faults: list[list[Fault]] = [
        [Drop(chance.choice([rt.testing.sent, rt.testing.received])(chance.randint(2, 40)))]
        for _ in range(chance.randint(1, 3))
    ]
    servers = Servers(Thinking(), *faults, session_s=chance.choice([40.0, 3_600.0]))

    async def dial() -> Transport:
        await asyncio.sleep(chance.choice([0.0, 0.5]))
        transports.append(SlowToEnd(await servers.dial(), chance.choice([0.0, 0.1, 2.0])))
        return transports[-1]

    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
    policy = rt.Reconnect(first_s=chance.choice([0.0, 0.3, 3.0]), before_expiry_s=10)
    async with servers:
        async with rt.connect(transport=dial, reconnect=policy) as session:
            for text in ("My name is Ada.", "Thank you.")[: chance.randint(1, 2)]:
                await session.say(text)
                await asyncio.sleep(chance.choice([0.0, 0.05, 0.4, 3.0]))
            if chance.random() < 0.5:
                await servers.vanish()
            await asyncio.sleep(chance.choice([0.0, 0.01, 0.3, 45.0]))
        assert [one.ended for one in transports] == [True] * len(transports)
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - before
    assert not left, left
    del session
    gc.collect()
    assert complaints == []


@pytest.mark.parametrize("part", range(3))
def test_whenever_it_is_dropped_and_closed_nothing_is_left(part: int) -> None:
    for seed in range(part * 15, part * 15 + 15):
        try:
            run_on_virtual_clock(ends_nothing_left(seed))
        except AssertionError as failed:
            raise AssertionError(f"seed {seed}: {failed}") from failed


@virtual
async def test_one_that_fails_to_end_keeps_nobody_from_it(caplog: Any) -> None:
    class Failing:
        async def close(self) -> None:
            raise ZeroDivisionError("secret")

    partings = Partings()
    partings.part(Failing())
    await partings.over()
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text
