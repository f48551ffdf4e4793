"""What came from the server, for each ``async for`` over it.

A loop has every event from when it began, whoever else reads: none takes anything from another. The
first begins with the session. One that begins where no other runs goes on with what nobody has
read, so that a loop that was left is taken up by the next; one that begins beside another has what
comes from then on.

There is one log, bounded, and each loop is a place in it. What all have read is let go of; where
nobody reads, or one of them is too slow, the oldest is dropped, and the loop that misses it is told
how much. The log only knows its loops weakly: one that was left, in whichever way, holds nothing.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from realtime_nb.errors import ConfigurationError, RealtimeError
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.events import ServerEvent, UnknownEvent

if TYPE_CHECKING:
    from typing import Self

__all__ = ["MAX_UNREAD_EVENTS", "E", "Reader", "Received", "UnreadEvents", "Wanted", "chosen"]

Received = ServerEvent | UnknownEvent | ConnectionReport

E = TypeVar("E", bound=Received)

Wanted = str | type[Any] | Callable[[Received], bool]
"""An event that is waited for: the name of its type, its class, or what tells it from others."""


def chosen(wanted: Wanted) -> Callable[[Received], bool]:
    """Returns what tells of an event whether it is meant.

    Raises:
        ConfigurationError: it is none of the three, or a class of something else.
    """
    if isinstance(wanted, str):
        return lambda event: event.type == wanted
    if isinstance(wanted, type) and issubclass(wanted, Received):
        return lambda event: isinstance(event, wanted)
    if isinstance(wanted, type) or not callable(wanted):
        raise ConfigurationError(
            f'event is {wanted!r}; give the type of an event, such as "response.done", its class, '
            "such as realtime_nb.protocol.events.ResponseDone, or a function that tells of each "
            "event whether it is meant."
        )
    return wanted


MAX_UNREAD_EVENTS = 4_000
"""Events kept for the slowest ``async for``, or while nobody reads; older ones are dropped from it
with a warning. They are still in the conversation and the recording."""


class UnreadEvents:
    """The events that some loop still has to read, or the next one.

    Args:
        changed: waits until there is more, or the end.
    """

    def __init__(self, changed: Callable[[], Awaitable[None]]) -> None:
        self.changed = changed
        self._events: deque[Received] = deque(maxlen=MAX_UNREAD_EVENTS)
        self._count = 0  # of all that ever came
        self._read = 0  # how far the loops have come that got furthest
        self._readers: WeakSet[Reader] = WeakSet()
        self._ended = False
        self._error: RealtimeError | None = None

    def put(self, event: Received) -> None:
        """Takes an event."""
        self._events.append(event)
        self._count += 1
        self._let_go()

    def end(self, error: RealtimeError | None) -> None:
        """Says that no more will come; where that is an error, each loop raises it at its end."""
        self._ended, self._error = True, error

    def reader(self) -> Reader:
        """Returns a new loop's place."""
        reader = Reader(self, self._count if self._readers else self._read)
        self._readers.add(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        """Ends a loop here; the others go on."""
        self._readers.discard(reader)
        self._let_go()

    def next_of(self, reader: Reader) -> Received | None:
        """Returns the oldest event that a loop has not read; None where there is none yet.

        Raises:
            StopAsyncIteration: none will come any more.
            RealtimeError: none will, for this reason.
        """
        if reader not in self._readers:
            raise StopAsyncIteration
        if reader.position < self._count:
            return self._events[max(0, reader.position - self.first)]
        if not self._ended:
            return None
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    @property
    def first(self) -> int:
        """Position of the oldest event that is still here."""
        return self._count - len(self._events)

    def read(self, position: int) -> None:
        """Takes note that a loop has read all before a position."""
        self._read = max(self._read, position)
        self._let_go()

    def _let_go(self) -> None:
        wanted = min((reader.position for reader in self._readers), default=self._read)
        while self._events and self.first < wanted:
            self._events.popleft()


class Reader(AsyncIterator[Received]):
    """One ``async for`` over the events.

    Attributes:
        position: of the event that it has next.
    """

    def __init__(self, log: UnreadEvents, position: int) -> None:
        self._log = log
        self.position = position

    def __aiter__(self) -> Self:
        return self

    async def aclose(self) -> None:
        """Ends it, for who holds on to it (``contextlib.aclosing``)."""
        self._log.leave(self)

    async def __anext__(self) -> Received:
        try:
            while (event := self._log.next_of(self)) is None:
                await self._log.changed()
            self._warn(self._log.first - self.position)
            self.position = max(self.position, self._log.first) + 1
            self._log.read(self.position)
            return event
        finally:
            del self  # else the traceback of a wait that was cancelled keeps it, and its events

    def _warn(self, dropped: int) -> None:
        if dropped > 0:
            warnings.warn(
                f"{dropped} events that nobody read in time are left out here; they are in "
                "session.conversation and in the recording.",
                stacklevel=3,
            )
