"""One way of a connection: what is put in comes out in order, each not before its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["Line"]

T = TypeVar("T")

_MAX_WAITING = 1_024


class Line(Generic[T]):
    """Carries things.

    What need not wait is delivered at once. No more than 1,024 things are on their way; whoever
    puts in more waits.

    Args:
        deliver: takes what comes out.

    Attributes:
        bytes_per_s: how much passes; None: any amount.
    """

    def __init__(self, deliver: Callable[[T], Awaitable[None]]) -> None:
        self.bytes_per_s: float | None = None
        self._deliver = deliver
        self._waiting: asyncio.Queue[tuple[float, T]] = asyncio.Queue(_MAX_WAITING)
        self._under_way = 0
        self._free_s = 0.0

    async def put(self, thing: T, size: int = 0, delay_ms: float = 0.0) -> None:
        """Takes a thing of ``size`` bytes that comes out ``delay_ms`` late."""
        now_s = asyncio.get_running_loop().time()
        self._free_s = max(self._free_s, now_s + delay_ms / 1000)
        if self.bytes_per_s is not None:
            self._free_s += size / self.bytes_per_s
        alone = self._under_way == 0
        self._under_way += 1
        if not alone or self._free_s > now_s:
            await self._waiting.put((self._free_s, thing))
            return
        try:
            await self._deliver(thing)
        finally:
            self._under_way -= 1

    async def run(self) -> None:
        """Delivers what has to wait, until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            release_s, thing = await self._waiting.get()
            if release_s > loop.time():
                await asyncio.sleep(release_s - loop.time())
            try:
                await self._deliver(thing)
            finally:
                self._under_way -= 1
                self._waiting.task_done()

    async def emptied(self) -> None:
        """Waits until everything that had to wait has come out."""
        await self._waiting.join()
