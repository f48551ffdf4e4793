"""One connection of a session: read, written and watched until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from realtime_nb.errors import ConnectionFailedError, SessionClosedError
from realtime_nb.protocol.events import ErrorEvent, JsonObject
from realtime_nb.session.endpoints import Endpoint
from realtime_nb.session.queues import Outbox
from realtime_nb.session.readers import Received
from realtime_nb.session.transport import Transport

__all__ = ["GREETING_TIMEOUT_S", "PING_INTERVAL_S", "PING_TIMEOUT_S", "OpenConnection", "greeted"]

PING_INTERVAL_S = 5.0
PING_TIMEOUT_S = 10.0
"""A connection whose other end has vanished without a word is found out within 15 s: a ping after
five, and ten to answer it. The hosted service pings every 20 s, which a client can't miss."""

GREETING_TIMEOUT_S = 15.0

_EVENTS_AT_ONCE = 16
"""Events taken without letting other tasks run, however many are there."""

_NO_ANSWER = f"no answer to a ping within {PING_TIMEOUT_S:g} s"


@runtime_checkable
class _Pinged(Protocol):
    """A transport that can tell whether somebody is still there."""

    async def ping(self) -> None:
        """Returns when the other end has answered."""


async def greeted(
    wait_for: Callable[[Callable[[Received], bool], float], Awaitable[Received]],
    endpoint: Endpoint,
) -> None:
    """Waits for the server's greeting.

    Args:
        wait_for: returns the first event of a kind, within so many seconds.
        endpoint: whom it is expected from.

    Raises:
        ConnectionFailedError: the server refused the session, or said nothing of the kind.
    """
    where = endpoint.shown_url
    try:
        first = await wait_for(
            lambda event: event.type in ("session.created", "error"), GREETING_TIMEOUT_S
        )
    except TimeoutError:
        raise ConnectionFailedError(
            f"{where} accepted the connection but sent no session.created. "
            "Does it speak the Realtime protocol?"
        ) from None
    except SessionClosedError as closed:
        words = endpoint.without_secrets(str(closed))
        raise ConnectionFailedError(f"{where} ended the session at once. {words}") from None
    if isinstance(first, ErrorEvent):
        message = endpoint.refusal_words(first.message, first.code) or "it did not say why."
        raise ConnectionFailedError(f"{where} refused the session: {message}", first.code)


class OpenConnection:
    """Carries events over an open transport.

    Args:
        transport: open; it is closed with the connection.
        received: takes each event of the server.
        ended: takes how it ended, once: its error, and whatever else ended it.
        changed: called after each event that was sent.
        sent_ms: how much of the user's audio had been sent before, on another connection.

    Attributes:
        outbox: what waits to be sent.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        received: Callable[[JsonObject], None],
        ended: Callable[[OpenConnection, Exception], None],
        changed: Callable[[], None],
        sent_ms: float = 0.0,
    ) -> None:
        self.outbox = Outbox(transport.send, changed, sent_ms)
        self._transport = transport
        self._received = received
        self._ended = ended
        self._over = False
        work = [self._read(), self._write()]
        if isinstance(transport, _Pinged):
            work.append(self._watch(transport))
        self._tasks = [asyncio.create_task(one) for one in work]

    async def close(self) -> None:
        """Ends it: the transport first, then those that read, write and watch."""
        try:
            await self._transport.close()
        finally:
            await self.abandon()

    async def abandon(self) -> None:
        """Ends those that read, write and watch, and leaves the transport to its fate."""
        self._over = True
        here = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not here]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, error: Exception) -> None:
        if not self._over:
            self._over = True
            self._ended(self, error)

    async def _read(self) -> None:
        taken = 0
        try:
            while True:
                self._received(await self._transport.receive())
                taken += 1
                if taken % _EVENTS_AT_ONCE == 0:
                    await asyncio.sleep(0)
        except Exception as error:
            self._end(error)

    async def _write(self) -> None:
        try:
            await self.outbox.run()
        except SessionClosedError:
            pass  # the reader tells everybody
        except Exception as error:
            self._end(error)

    async def _watch(self, transport: _Pinged) -> None:
        try:
            while True:
                await asyncio.sleep(PING_INTERVAL_S)
                sent_ms = self.outbox.sent_ms
                if not await self._answers(transport):
                    self.outbox.sent_ms = self.outbox.confirmed_ms  # what came after is lost
                    dead = f"The connection is dead: {_NO_ANSWER}."
                    self._end(SessionClosedError(dead, 1006, _NO_ANSWER))
                    return
                self.outbox.confirmed_ms = sent_ms
        except SessionClosedError:
            pass  # the reader tells everybody
        except Exception as error:
            self._end(error)

    async def _answers(self, transport: _Pinged) -> bool:
        """Tells whether a ping is answered in time.

        A loop that stood still finds the answer beside the end of its patience, so it looks once
        more.
        """
        answered = asyncio.ensure_future(transport.ping())
        try:
            for patience_s in (PING_TIMEOUT_S, 0.1):
                await asyncio.wait([answered], timeout=patience_s)
                if answered.done():
                    answered.result()
                    return True
            return False
        finally:
            answered.cancel()
