"""What came from the server, for everybody who waits for it, and what is on its way there.

Neither may grow for ever, and each gives way in its own manner. Of what came, the oldest event that
a loop has not read is dropped (:mod:`realtime_nb.session.readers`): it is folded and recorded by
then, so that only ``async for`` misses it, while waiting for the reader would stop the session. Of
what goes out nothing is dropped, for the server's fold must equal ours: whoever appends audio
waits (`Outbox.full`), and everything else is rare enough to be queued at any time, also behind
that audio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from realtime_nb.errors import RealtimeError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.readers import Reader, Received, UnreadEvents

__all__ = ["MAX_UNSENT_APPENDS", "Inbox", "Outbox"]

MAX_UNSENT_APPENDS = 250
"""Microphone chunks that may wait for a slow connection; then whoever appends more has to wait."""

_LOOK_AGAIN_S = 0.25


class Inbox:
    """Events that wait for readers, and those who wait for an event or a condition."""

    def __init__(self) -> None:
        self._log = UnreadEvents(lambda: self._change(None))
        self._waiters: set[_Waiter] = set()
        self._watchers: set[asyncio.Future[None]] = set()
        self._ended = False

    def put(self, event: Received) -> None:
        """Takes an event."""
        self._log.put(event)
        for waiter in list(self._waiters):
            waiter.offer(event)
        self.changed()

    def changed(self) -> None:
        """Has everybody in :meth:`until` look at their condition again."""
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)

    def end(self, error: RealtimeError, *, expected: bool) -> None:
        """Says that no more events will come: whoever waits for one gets the error.

        Args:
            error: why.
            expected: whether reading the events just ends there, instead of raising the error.
        """
        self._ended = True
        self._log.end(None if expected else error)
        for waiter in self._waiters:
            if not waiter.found.done():
                waiter.found.set_exception(error)
        self.changed()

    def events(self) -> Reader:
        """Returns a loop over the events, from now on or from where nobody has read."""
        return self._log.reader()

    async def wait_for(self, wanted: Callable[[Received], bool], timeout_s: float) -> Received:
        """Returns the next event for which ``wanted`` is true; TimeoutError when none comes."""
        waiter = _Waiter(wanted)
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter.found
        finally:
            self._waiters.discard(waiter)

    async def until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Waits until a condition is true; False if it is not after ``timeout_s``.

        It is looked at whenever something happened, and now and then in between, for conditions
        that the mere passing of time makes true. The end of the events ends the wait.
        """
        loop = asyncio.get_running_loop()
        end_s = None if timeout_s is None else loop.time() + timeout_s
        while not condition():
            left_s = _LOOK_AGAIN_S if end_s is None else min(_LOOK_AGAIN_S, end_s - loop.time())
            if self._ended or left_s <= 0:
                return False
            await self._change(left_s)
        return True

    async def _change(self, timeout_s: float | None) -> None:
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.add(watcher)
        try:
            await asyncio.wait([watcher], timeout=timeout_s)
        finally:
            self._watchers.discard(watcher)


class _Waiter:
    """Somebody who waits for an event."""

    def __init__(self, wanted: Callable[[Received], bool]) -> None:
        self._wanted = wanted
        self.found: asyncio.Future[Received] = asyncio.get_running_loop().create_future()

    def offer(self, event: Received) -> None:
        """Ends the wait if this is the event; an error in the condition belongs to who waits."""
        if self.found.done():
            return
        try:
            if self._wanted(event):
                self.found.set_result(event)
        except Exception as error:
            self.found.set_exception(error)


class Outbox:
    """Events that wait for the connection: one queue, one writer, in order.

    Args:
        send: sends one event.
        changed: called after each event that was sent.
        sent_ms: how much of the user's audio had been sent before, on another connection.

    Attributes:
        sent_ms: position of the user's audio up to which the connection has taken it.
        confirmed_ms: up to which the other end surely has it.
    """

    def __init__(
        self,
        send: Callable[[JsonObject], Awaitable[None]],
        changed: Callable[[], None],
        sent_ms: float = 0.0,
    ) -> None:
        self._send = send
        self._changed = changed
        self._events: deque[tuple[JsonObject, float | None]] = deque()
        self.sent_ms = self.confirmed_ms = sent_ms
        self._ready = asyncio.Event()
        self.unsent_appends = 0

    @property
    def empty(self) -> bool:
        """Whether everything was sent."""
        return not self._events

    @property
    def full(self) -> bool:
        """Whether more than ``MAX_UNSENT_APPENDS`` pieces of audio wait."""
        return self.unsent_appends > MAX_UNSENT_APPENDS

    def put(self, event: JsonObject, end_ms: float | None = None) -> None:
        """Queues an event; :meth:`run` sends it.

        Args:
            event: as it is on the wire.
            end_ms: of one with audio: the position of its end in all of the user's audio.
        """
        self._events.append((event, end_ms))
        self.unsent_appends += _is_append(event)
        self._ready.set()

    async def run(self) -> None:
        """Sends what comes in until it is cancelled or sending fails."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._events:
                event, end_ms = self._events[0]  # unsent until the connection has taken it
                await self._send(event)
                self._events.popleft()
                self.sent_ms = self.sent_ms if end_ms is None else end_ms
                self.unsent_appends -= _is_append(event)
                self._changed()


def _is_append(event: JsonObject) -> bool:
    return event.get("type") == "input_audio_buffer.append"
