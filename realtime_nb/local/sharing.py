"""What the connections of a server share: its loop, its memory, its patience for long messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

__all__ = ["LoopShare", "Memory", "Sharing"]

SHARE = 0.05
"""Of the loop's time, what a connection may use without standing in line."""

BURST_S = 0.1
"""Of the loop's time, what it may use at once after a pause."""

MEMORY_BYTES = 128 * 1024 * 1024
"""What all connections together may hold: audio, messages, whatever waits."""

LONG_MESSAGES = 2
"""So many long messages are taken at the same time, from all connections together."""


class Sharing:
    """What one server's connections have in common.

    Attributes:
        line: where connections that use more than their share wait; one of them is served in each
            round of the loop.
        long_messages: held by who sends a long message, until it is worked off.
    """

    def __init__(self) -> None:
        self.line = asyncio.Lock()
        self.memory = Memory()
        self.long_messages = asyncio.Semaphore(LONG_MESSAGES)


class LoopShare:
    """One connection's share of the loop: who lives at the pace of life never waits for others.

    Args:
        line: shared with the other connections.
        clock: seconds of this thread's processor time.
    """

    def __init__(self, line: asyncio.Lock, clock: Callable[[], float] = time.thread_time) -> None:
        self._line = line
        self._clock = clock
        self._credit_s = BURST_S
        self._earned_s = time.monotonic()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits until it is this connection's turn to have a piece of work done."""
        now_s = time.monotonic()
        earned_s = (now_s - self._earned_s) * SHARE
        self._credit_s, self._earned_s = min(BURST_S, self._credit_s + earned_s), now_s
        if self._credit_s > 0:
            with self._counted():
                yield
            return
        async with self._line:
            with self._counted():
                yield
            await asyncio.sleep(0)  # a round of the loop for everybody else

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Counts work that does not wait."""
        began_s = self._clock()
        try:
            yield
        finally:
            self._credit_s -= self._clock() - began_s


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
