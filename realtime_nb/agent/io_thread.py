"""The thread that keeps a conversation going while notebook cells run.

One daemon thread owns an asyncio loop on which sockets, sessions, recordings and the local server
of all agents live. It is started when first needed and stopped when Python exits; what calls
``sys.exit()`` there, or stops the loop, ends neither it nor them. What is started on it comes back
as a :class:`Pending`, which can be awaited from any loop or left alone.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import logging
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from realtime_nb.errors import shown_at_call

__all__ = ["IoThread", "Pending", "io_thread"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_STOP_TIMEOUT_S = 5.0


class Pending(Generic[T]):
    """Something under way on the I/O thread.

    ``await`` it in a notebook cell (the cell's loop goes on meanwhile), or don't: it goes on by
    itself. :meth:`result` waits without a loop, as a script would.
    """

    def __init__(self, future: concurrent.futures.Future[T]) -> None:
        self._future = future

    def __await__(self) -> Generator[Any, None, T]:
        with shown_at_call:
            return (yield from asyncio.wrap_future(self._future).__await__())

    def __repr__(self) -> str:
        if not self._future.done():
            return "<Pending: under way; await it to wait for it>"
        if self._future.cancelled():
            return "<Pending: cancelled>"
        error = self._future.exception()
        return f"<Pending: failed: {error}>" if error is not None else "<Pending: done>"

    def done(self) -> bool:
        """Tells whether it is over, well or not."""
        return self._future.done()

    def result(self, timeout_s: float | None = None) -> T:
        """Waits for the outcome; raises what went wrong, or TimeoutError."""
        with shown_at_call:
            return self._future.result(timeout_s)

    def then(self, callback: Callable[[concurrent.futures.Future[T]], object]) -> None:
        """Calls back with the finished future, on whichever thread finishes it."""
        self._future.add_done_callback(callback)


class IoThread:
    """A daemon thread with an asyncio loop of its own."""

    def __init__(self, name: str = "realtime_nb-io") -> None:
        self._loop = asyncio.new_event_loop()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The thread's loop."""
        return self._loop

    @property
    def running(self) -> bool:
        """Whether it still takes work."""
        return self._thread.is_alive() and not self._loop.is_closed()

    def run(self, work: Coroutine[Any, Any, T]) -> Pending[T]:
        """Starts a coroutine on the thread; may be called from any other thread."""
        return Pending(asyncio.run_coroutine_threadsafe(work, self._loop))

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Calls a plain function on the thread soon; does nothing once the thread has stopped.

        What one thread asks for with `run` and `call` begins in the order in which it was asked.
        """
        try:
            # A coroutine's first step comes a turn of the loop after the callback that makes its
            # task; a function called at once would overtake it.
            self._loop.call_soon_threadsafe(self._loop.call_soon, function, *args)
        except RuntimeError:  # the loop is closed: the interpreter is on its way out
            return

    def stop(self) -> None:
        """Cancels what still runs and ends the thread; may be called twice."""
        if not self.running:
            return
        self.call(self._stop)  # after all that was asked for before
        if threading.current_thread() is not self._thread:
            self._thread.join(_STOP_TIMEOUT_S)

    def _stop(self) -> None:
        self._stopping = True
        self._loop.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            while not self._stopping:
                self._run_on()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def _run_on(self) -> None:
        """Runs the loop, also after somebody's task has ended it: it isn't that one's alone."""
        try:
            self._loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            logger.error("%s on the thread of all agents; they go on", type(error).__name__)


_shared: IoThread | None = None
_starting = threading.Lock()


def io_thread() -> IoThread:
    """Returns the thread that all agents of this process share."""
    global _shared
    with _starting:  # two that ask at once must not get one each
        if _shared is None or not _shared.running:
            _shared = IoThread()
            atexit.register(_shared.stop)
        return _shared
