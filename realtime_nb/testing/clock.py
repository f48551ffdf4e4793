"""Time that jumps: whatever waits is next, and nothing takes long."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

__all__ = ["VirtualClockLoop", "run_on_virtual_clock"]

T = TypeVar("T")

_PATIENCE_S = 5.0


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it.

    Blocking work (``asyncio.to_thread``, ``run_in_executor``) runs at once and takes no time.
    Sockets and threads of one's own live in real time and don't belong on this loop.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_JumpingSelector(self._skip))

    def time(self) -> float:
        """Returns the seconds since the loop was made, in the loop's own time."""
        return self._now_s

    def _skip(self, seconds: float) -> None:
        # At least by the smallest step that there is: less would be no time at all, for ever.
        self._now_s = max(self._now_s + seconds, math.nextafter(self._now_s, math.inf))

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Runs the function now, in this thread."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            events = super().select(_PATIENCE_S)
            if not events:
                raise RuntimeError("Everybody waits for something that can't happen any more.")
            return events
        events = super().select(0)
        if not events and timeout > 0:
            self._skip(timeout)
        return events


def run_on_virtual_clock(main: Coroutine[Any, Any, T]) -> T:
    """Runs as ``asyncio.run`` does, on a :class:`VirtualClockLoop`."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(main)
