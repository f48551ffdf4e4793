"""What is on its way to the server: one queue, one writer, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from realtime_nb.protocol.events import JsonObject

__all__ = ["Outbox"]


class Outbox:
    """Events that wait for the connection.

    Args:
        send: sends one event.
        changed: called after each event that was sent.
    """

    def __init__(
        self, send: Callable[[JsonObject], Awaitable[None]], changed: Callable[[], None]
    ) -> None:
        self._send = send
        self._changed = changed
        self._events: deque[JsonObject] = deque()
        self._ready = asyncio.Event()
        self.unsent_appends = 0

    @property
    def empty(self) -> bool:
        """Whether everything was sent."""
        return not self._events

    def put(self, event: JsonObject) -> None:
        """Queues an event; :meth:`run` sends it."""
        self._events.append(event)
        self.unsent_appends += _is_append(event)
        self._ready.set()

    async def run(self) -> None:
        """Sends what comes in until it is cancelled or sending fails."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._events:
                event = self._events[0]
                await self._send(event)
                self._events.popleft()
                self.unsent_appends -= _is_append(event)
                self._changed()


def _is_append(event: Mapping[str, object]) -> bool:
    return event.get("type") == "input_audio_buffer.append"
