"""Threads for what blocks: engines, and whatever thinks for longer than the loop can wait.

Those of the standard library keep a process from ending until they are done; an engine that is in
the middle of a long piece of audio can't be stopped, and must not.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

__all__ = ["WorkThreads", "run_apart"]

P = ParamSpec("P")
T = TypeVar("T")

_Work = tuple[float, int, Future[Any], Callable[[], Any]]  # when it is due first


class WorkThreads(Executor):
    """At most ``count`` threads, begun when there is work for them; they end with the process.

    What is due first is done first; work is due when it is submitted, unless it says otherwise.
    What waits for them is unbounded here; who submits, waits for its result.
    """

    def __init__(self, count: int, purpose: str) -> None:
        self._count = count
        self._purpose = purpose
        self._waiting: list[_Work] = []  # a heap
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._idle = 0
        self._threads: list[threading.Thread] = []

    @property
    def busy(self) -> bool:
        """Whether one of the threads is still there."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def waiting_s(self) -> float:
        """How long work has been due that waits for a thread; 0 where none is."""
        with self._changed:
            return max(0.0, time.monotonic() - self._waiting[0][0]) if self._waiting else 0.0

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Returns the future of a call in one of the threads."""
        return self._submit(0.0, partial(work, *args, **kwargs))

    def due_in(self, seconds: float) -> Executor:
        """Returns these threads for work that is due then, and done earlier where nothing else is
        to be."""
        return _Due(self._submit, seconds)

    def _submit(self, due_s: float, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("The threads were told to end.")
            due_at_s = time.monotonic() + due_s
            heapq.heappush(self._waiting, (due_at_s, next(self._numbers), future, call))
            if self._idle < len(self._waiting) and len(self._threads) < self._count:
                self._begin()
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the threads once their work is done, and what waits for them too if it is not to be
        cancelled."""
        with self._changed:
            self._closed = True
            dropped = [*self._waiting] if cancel_futures else []
            if cancel_futures:
                self._waiting.clear()
            self._changed.notify_all()
        for _, _, future, _ in dropped:
            future.cancel()
        for thread in self._threads if wait else ():
            thread.join()

    def _begin(self) -> None:
        name = f"realtime_nb-{self._purpose}_{len(self._threads)}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            _, _, future, call = work
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # whatever it is, it belongs to who waits for the result
                future.set_exception(error)
            else:
                future.set_result(result)
            del work, future, call  # an idle thread keeps nothing

    def _next(self) -> _Work | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._idle -= 1
            return heapq.heappop(self._waiting) if self._waiting else None


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Returns what a coroutine returns, run on a loop of its own; blocks, also where one runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class _Due(Executor):
    """Threads, for work that is due in so many seconds."""

    def __init__(
        self, submit: Callable[[float, Callable[[], Any]], Future[Any]], due_s: float
    ) -> None:
        self._submit = submit
        self._due_s = due_s

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Returns the future of a call in one of them."""
        return self._submit(self._due_s, partial(work, *args, **kwargs))
