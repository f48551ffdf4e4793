"""What was asked for: done at once or under way, awaited or not, in the order of asking."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from realtime_nb.errors import shown_at_call

__all__ = ["Asked", "InOrder", "Turn"]

T = TypeVar("T")


class Asked(Coroutine[Any, Any, T], Generic[T]):
    """Something that a session was asked for. It goes on by itself; ``await`` it to wait for it.

    Cancelling who awaits it cancels it. It may be given to whatever takes a coroutine.

    Args:
        future: its outcome; one of the other kind where it was asked for from another thread.
    """

    def __init__(self, future: asyncio.Future[T] | concurrent.futures.Future[T]) -> None:
        self._future = future
        self._steps: Generator[Any, None, T] | None = None

    def __await__(self) -> Generator[Any, None, T]:
        future = self._future
        if isinstance(future, concurrent.futures.Future):
            future = asyncio.wrap_future(future)
        with shown_at_call:
            return (yield from future.__await__())

    def __repr__(self) -> str:
        return f"<Asked: {'done' if self._future.done() else 'under way; await it to wait for it'}>"

    def then(self, callback: Callable[[Any], object]) -> None:
        """Calls back with the finished future, on whichever thread finishes it."""
        self._future.add_done_callback(callback)

    def send(self, value: Any) -> Any:
        """Implements a coroutine's."""
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        """Implements a coroutine's."""
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps.throw(*error)

    def close(self) -> None:
        """Leaves it alone: it goes on."""
        self._steps = None


class Turn:
    """The place of one verb among those that were asked for."""

    def __init__(self, order: InOrder, *, aside: bool, lasts: bool) -> None:
        self._order = order
        self.aside = aside
        self._lasts = lasts
        loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[None] = loop.create_future()
        self._over: asyncio.Future[None] = loop.create_future()

    async def come(self, *, all_begun: bool = False) -> None:
        """Waits until the verbs before this one have had their effect.

        Args:
            all_begun: those that go beside the others, too, such as the microphone's audio.
        """
        for turn in self._order.before(self):
            if all_begun or not turn.aside:
                await asyncio.wait([turn._begun])

    async def last(self) -> None:
        """Waits until the verbs before this one are over, confirmed by the server where it does;
        of those that last, until they have begun."""
        for turn in self._order.before(self):
            if not turn.aside:
                await asyncio.wait([turn._begun if turn._lasts else turn._over])

    def begun(self) -> None:
        """Lets the next one begin, once this step of the loop is done."""
        if not self._begun.done():
            self._begun.set_result(None)

    def over(self) -> None:
        """Ends it, well or not."""
        self.begun()
        if not self._over.done():
            self._over.set_result(None)
        self._order.forget(self)

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, *error: object) -> None:
        self.over()

    def free(self, *, all_begun: bool = False) -> bool:
        """Tells whether `come` would return at once."""
        return all(
            turn._begun.done() or (turn.aside and not all_begun)
            for turn in self._order.before(self)
        )

    async def passed(self) -> None:
        """Waits until it is over."""
        await asyncio.wait([self._over])


class InOrder:
    """The verbs of one session or agent: each has its effect after those asked for before it.

    There are as many as were asked for and are not over; each ends with its session.

    Args:
        loop: where they run. They may be asked for on any thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._turns: list[Turn] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def turn(self, *, aside: bool = False, lasts: bool = False) -> Turn:
        """Returns the next place. ``aside``: the others don't wait for it, only its like do;
        ``lasts``: none waits for its end."""
        turn = Turn(self, aside=aside, lasts=lasts)
        self._turns.append(turn)
        return turn

    def before(self, turn: Turn) -> list[Turn]:
        """Returns what was asked for before it and is not over."""
        return self._turns[: self._turns.index(turn)]

    def forget(self, turn: Turn) -> None:
        """Drops one that is over."""
        if turn in self._turns:
            self._turns.remove(turn)

    async def settled(self) -> None:
        """Waits until all that was asked for by now is over."""
        for turn in list(self._turns):
            await turn.passed()

    def at_once(self, verb: Callable[[], T], *, all_begun: bool = False) -> Asked[T]:
        """Does something that takes no time: now, or as soon as what is before it has begun."""
        return self._here(lambda: self._at_once(verb, all_begun))

    def _at_once(self, verb: Callable[[], T], all_begun: bool) -> Asked[T]:
        turn = self.turn()
        if not turn.free(all_begun=all_begun):
            return self._start(turn, self._later(turn, verb, all_begun))
        with turn:
            return self._done(verb())

    @staticmethod
    def _done(result: T) -> Asked[T]:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        done.set_result(result)
        return Asked(done)

    async def _later(self, turn: Turn, verb: Callable[[], T], all_begun: bool) -> T:
        await turn.come(all_begun=all_begun)
        return verb()

    def aside(
        self,
        free: Callable[[], bool],
        verb: Callable[[], T],
        waiting: Callable[[], Coroutine[Any, Any, T]],
    ) -> Asked[T]:
        """Does something now if it is ``free``, else waits: the others don't wait for it."""
        return self._here(lambda: self._aside(free, verb, waiting))

    def _aside(
        self,
        free: Callable[[], bool],
        verb: Callable[[], T],
        waiting: Callable[[], Coroutine[Any, Any, T]],
    ) -> Asked[T]:
        turn = self.turn(aside=True)
        if turn.free(all_begun=True) and free():
            with turn:
                return self._done(verb())
        return self._start(turn, self._wait_aside(turn, waiting))

    async def _wait_aside(self, turn: Turn, waiting: Callable[[], Coroutine[Any, Any, T]]) -> T:
        await turn.come(all_begun=True)
        return await waiting()

    def start(
        self, work: Callable[[Turn], Coroutine[Any, Any, T]], *, lasts: bool = False
    ) -> Asked[T]:
        """Starts something that takes time; it waits for its turn itself, as it needs to."""

        def begin() -> Asked[T]:
            turn = self.turn(lasts=lasts)
            return self._start(turn, work(turn))

        return self._here(begin)

    def _here(self, begin: Callable[[], Asked[T]]) -> Asked[T]:
        """Begins something on the loop, whoever asks for it."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._loop:
            return begin()

        async def begun() -> T:
            return await begin()

        return Asked(asyncio.run_coroutine_threadsafe(begun(), self._loop))

    def _start(self, turn: Turn, work: Coroutine[Any, Any, T]) -> Asked[T]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: turn.over())
        return Asked(task)

    async def end(self) -> None:
        """Cancels what is still under way."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
