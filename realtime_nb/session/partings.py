"""Connections that are given up: each is ended by a task of its own, which nothing cuts short."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

__all__ = ["Partings"]

logger = logging.getLogger(__name__)


class Closable(Protocol):
    """A connection or a transport."""

    async def close(self) -> None:
        """Ends it, within a bound of its own."""


class Partings:
    """Ends what a session leaves behind while it goes on, or ends itself.

    Saying goodbye takes a round trip. The session's own tasks are cancelled where it ends, also in
    the middle of that; these are waited for instead.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def part(self, one: Closable) -> None:
        """Begins to end a connection."""
        task = asyncio.create_task(_closed(one))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def over(self) -> None:
        """Returns when all have ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def _closed(one: Closable) -> None:
    try:
        await one.close()
    except Exception as error:  # it is over either way
        logger.warning("A connection did not end as it should: %s.", type(error).__name__)
