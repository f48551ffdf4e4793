"""How what is asked of an agent is started: on the I/O thread, in order or beside what runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from realtime_nb.agent.io_thread import IoThread, Pending
from realtime_nb.errors import RealtimeError, SessionClosedError
from realtime_nb.session.asked import InOrder, Turn

__all__ = ["ON_PURPOSE", "Verbs"]

T = TypeVar("T")

ON_PURPOSE = 1000
"""The close code of what somebody here has ended: no problem that a panel has to tell of."""


class Verbs:
    """Starts the verbs of one agent.

    Args:
        thread: where they run.
        problem: takes, in words, what went wrong: nobody may be waiting for the result.

    Attributes:
        order: in which they have their effect.
        closed: why none are taken any more; empty while they are.
    """

    def __init__(self, thread: IoThread, problem: Callable[[str], None]) -> None:
        self.order = InOrder(thread.loop)
        self.closed = ""
        self._thread = thread
        self._problem = problem

    def check_open(self) -> None:
        """Raises a SessionClosedError where none are taken any more."""
        if self.closed:
            raise SessionClosedError(self.closed, ON_PURPOSE)

    def run(self, work: Coroutine[Any, Any, T]) -> Pending[T]:
        """Starts what has no place among the others."""
        try:
            self.check_open()
        except SessionClosedError:
            work.close()
            raise
        return self._thread.run(self._saying_why(work))

    def in_order(self, work: Callable[[Turn], Coroutine[Any, Any, T]]) -> Pending[T]:
        """Starts a verb, which takes its turn before it has an effect."""

        async def in_order() -> T:
            with self.order.turn() as turn:  # in the order of asking: so the thread begins them
                return await work(turn)

        return self.run(in_order())

    def beside(self, work: Callable[[], Coroutine[Any, Any, T]]) -> Pending[T]:
        """Starts what has an effect at once, whatever was asked for before; `settled` waits."""

        async def beside() -> T:
            with self.order.turn(aside=True):
                return await work()

        return self.run(beside())

    async def _saying_why(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        except SessionClosedError as error:
            if error.close_code != ON_PURPOSE:
                self._problem(str(error))
            raise
        except RealtimeError as error:
            self._problem(str(error))
            raise
        except Exception as error:
            self._problem(f"Something here failed: {error!r}")
            raise
