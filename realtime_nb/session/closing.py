"""How the parts of a session end: once, one after the other, whatever each of them raises."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

__all__ = ["Closing"]


class Closing:
    """The end of one session."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        """Whether it is being closed, or was."""
        return self._task is not None

    async def close(self, steps: Sequence[Callable[[], Awaitable[object]]]) -> None:
        """Ends everything, even when whoever waits for it is cancelled meanwhile.

        Args:
            steps: what ends one part each, in order; those of the first call count.

        Raises:
            Exception: what the last step that failed raised; all others were taken.
        """
        if self._task is None:
            self._task = asyncio.create_task(_taken(steps))
        try:
            await asyncio.shield(self._task)
        except asyncio.CancelledError:
            while not self._task.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([self._task])
            raise


async def _taken(steps: Sequence[Callable[[], Awaitable[object]]]) -> None:
    async with AsyncExitStack() as stack:
        for step in reversed(steps):
            stack.push_async_callback(step)
