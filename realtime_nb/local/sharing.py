"""What the connections of a server share: its loop, its memory, its patience for long messages."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from realtime_nb.local.door import Door

__all__ = ["LoopLine", "LoopShare", "Memory", "Sharing"]

SHARE = 0.05
"""Of the loop's time, what a connection earns."""

BURST_S = 0.1
"""Of the loop's time, what it may have saved after a pause."""

FIRST_S = 0.025
"""Of the loop's time, what it has saved when it is new: less than who has been modest for long."""

ROUND_S = 0.005
"""In one round of the loop, how much is worked by connections that don't stand in line."""

MEMORY_BYTES = 96 * 1024 * 1024
"""What all connections together may hold: audio, messages, whatever waits."""

LONG_MESSAGES = 2
"""So many long messages are taken at the same time, from all connections together."""


class LoopLine:
    """Where connections wait for the loop: who has saved most is served first, one in a round.

    Each connection waits once at most, which bounds it.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._next: asyncio.Handle | None = None
        self._round: asyncio.Handle | None = None
        self._worked_s = 0.0

    def is_free(self) -> bool:
        """Tells whether this round of the loop has time for one more."""
        return not self._waiting and self._worked_s < ROUND_S

    def worked(self, seconds: float) -> None:
        """Takes note of work that was done in this round."""
        self._worked_s += seconds
        if self._round is None:
            self._round = asyncio.get_running_loop().call_soon(self._new_round)

    def _new_round(self) -> None:
        self._round = None
        self._worked_s = 0.0

    async def wait(self, saved_s: float) -> None:
        """Returns when it is the turn of who has saved so much."""
        turn = asyncio.get_running_loop().create_future()
        saved_ms = int(saved_s * 1000)  # who has about the same is served in order
        heapq.heappush(self._waiting, (-saved_ms, next(self._numbers), turn))
        self._go_on()
        await turn

    def _go_on(self) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        self._next = None
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():  # else it was cancelled
                turn.set_result(None)
                break
        if self._waiting:
            self._go_on()


class Sharing:
    """What one server's connections have in common.

    Attributes:
        door: where new ones wait.
        line: where they wait for the loop.
        long_messages: held by who sends a long message, until it is worked off.
    """

    def __init__(self) -> None:
        self.door = Door()
        self.line = LoopLine()
        self.memory = Memory()
        self.long_messages = asyncio.Semaphore(LONG_MESSAGES)


class LoopShare:
    """One connection's share of the loop: who lives at the pace of life hardly waits for others.

    Args:
        line: shared with the other connections.
        clock: seconds of this thread's processor time.
    """

    def __init__(self, line: LoopLine, clock: Callable[[], float] = time.thread_time) -> None:
        self._line = line
        self._clock = clock
        self._saved_s = FIRST_S
        self._earned_s = time.monotonic()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits until it is this connection's turn to have a piece of work done."""
        now_s = time.monotonic()
        earned_s = (now_s - self._earned_s) * SHARE
        self._saved_s, self._earned_s = min(BURST_S, self._saved_s + earned_s), now_s
        if self._saved_s <= 0 or not self._line.is_free():
            await self._line.wait(self._saved_s)
        began_s = self._clock()
        try:
            yield
        finally:
            worked_s = self._clock() - began_s
            self._saved_s -= worked_s
            self._line.worked(worked_s)


class Memory:
    """What each connection holds. Where it is too much together, who holds most has to end.

    Args:
        limit: in bytes.
    """

    def __init__(self, limit: int = MEMORY_BYTES) -> None:
        self.limit = limit
        self.held = 0
        self._accounts: dict[Callable[[], None], int] = {}

    def note(self, end: Callable[[], None], amount: int) -> None:
        """Takes note of how much is held by whom; ``end`` ends that connection."""
        self.held += amount - self._accounts.get(end, 0)
        self._accounts[end] = amount
        while self.held > self.limit:
            largest = max(self._accounts, key=self._accounts.__getitem__)
            self.forget(largest)
            largest()

    def forget(self, end: Callable[[], None]) -> None:
        """Takes note that a connection holds nothing any more."""
        self.held -= self._accounts.pop(end, 0)
