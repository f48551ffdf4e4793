"""How events travel: a WebSocket, or a pair of queues in memory.

Replay and tests put something else behind the same three methods, and nothing above notices.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
)

from realtime_nb.errors import ConnectionFailedError, SessionClosedError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.endpoints import Endpoint

__all__ = [
    "MemoryTransport",
    "Transport",
    "WebSocketTransport",
    "closed_with",
    "memory_pair",
    "open_websocket",
]

_CLOSE_TIMEOUT_S = 3.0
_MAX_FRAME_BYTES = 64 * 1024 * 1024  # a retrieved item carries all of its audio


# At debug level websockets writes the headers of the handshake into its log, key included.
_websocket_logger = logging.getLogger(f"{__name__}.websocket")
_websocket_logger.addFilter(lambda record: record.levelno > logging.DEBUG)


class Transport(Protocol):
    """One end of a connection; events arrive whole and in order."""

    async def send(self, event: JsonObject) -> None:
        """Sends an event. Raises SessionClosedError once the connection is closed."""

    async def receive(self) -> JsonObject:
        """Returns the next event. Raises SessionClosedError, with code and reason, at the end."""
        ...

    async def close(self) -> None:
        """Ends the connection; may be called twice."""


class WebSocketTransport:
    """Events as JSON text frames of a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, event: JsonObject) -> None:
        """Implements :class:`Transport`."""
        try:
            await self._socket.send(msgspec.json.encode(event), text=True)
        except ConnectionClosed as closed:
            raise _ended(closed) from None

    async def receive(self) -> JsonObject:
        """Implements :class:`Transport`. A frame that is no JSON object becomes a ``malformed``
        event."""
        try:
            frame = await self._socket.recv(decode=False)
        except ConnectionClosed as closed:
            raise _ended(closed) from None
        try:
            event = msgspec.json.decode(frame)
        except (msgspec.DecodeError, RecursionError) as error:
            return {"type": "malformed", "problem": str(error), "bytes": len(frame)}
        if not isinstance(event, dict):
            return {"type": "malformed", "problem": "not an object", "bytes": len(frame)}
        return event

    async def close(self) -> None:
        """Implements :class:`Transport`."""
        await self._socket.close()


def _ended(closed: ConnectionClosed) -> SessionClosedError:
    frame = closed.rcvd or closed.sent
    return closed_with(1006, "") if frame is None else closed_with(frame.code, frame.reason)


def closed_with(code: int, reason: str) -> SessionClosedError:
    """Returns the error that whoever uses a connection after its end gets."""
    words = f": {reason}" if reason else ""
    return SessionClosedError(f"The connection was closed ({code}{words}).", code, reason)


class _Connect(connect):
    """Opens a WebSocket where it was told to: a redirect could take the key to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_websocket(endpoint: Endpoint, timeout_s: float = 15.0) -> WebSocketTransport:
    """Connects to an endpoint.

    Raises:
        ConnectionFailedError: nobody answers there, or the upgrade was refused.
    """
    where = endpoint.shown_url
    try:
        socket = await _Connect(
            endpoint.connect_url,
            additional_headers=endpoint.headers,
            max_size=_MAX_FRAME_BYTES,
            max_queue=256,
            compression=None,
            open_timeout=timeout_s,
            close_timeout=_CLOSE_TIMEOUT_S,
            logger=_websocket_logger,
            # Realtime servers ping us; pinging them too would only add a way to fail.
            ping_interval=None,
            # A conversation must not wander off to a proxy or another host with the key.
            proxy=None if endpoint.kind == "local" else True,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        body = (error.response.body or b"").decode("utf-8", "replace").strip()[:200]
        words = f": {endpoint.without_secrets(body)}" if body else ""
        raise ConnectionFailedError(
            f"{where} refused the connection with HTTP {status}{words}. "
            "Check the URL, the model and the key.",
            code=str(status),
        ) from None
    except TimeoutError:
        raise ConnectionFailedError(
            f"{where} did not answer within {timeout_s:g} s. Check the address and the network."
        ) from None
    except (OSError, InvalidHandshake, InvalidURI) as error:
        raise ConnectionFailedError(
            f"Can't connect to {where}: {endpoint.without_secrets(str(error))}. "
            "Is the server running there?"
        ) from None
    return WebSocketTransport(socket)


class MemoryTransport:
    """One end of a pair in memory; see :func:`memory_pair`."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[JsonObject | None] = asyncio.Queue()  # None: it is over
        self._peer: MemoryTransport | None = None
        self._closed: SessionClosedError | None = None

    def join(self, peer: MemoryTransport) -> None:
        """Makes ``peer`` the other end."""
        self._peer = peer

    async def send(self, event: JsonObject) -> None:
        """Implements :class:`Transport`. The event travels as JSON, so both ends own their copy."""
        if self._closed is not None or self._peer is None:
            raise self._closed or SessionClosedError("This end was never joined to another.")
        copy: JsonObject = msgspec.json.decode(msgspec.json.encode(event))
        self._peer._inbox.put_nowait(copy)

    async def receive(self) -> JsonObject:
        """Implements :class:`Transport`. What was sent before the end is still received."""
        event = await self._inbox.get()
        if event is None:
            self._inbox.put_nowait(None)  # for whoever asks again
            assert self._closed is not None
            raise self._closed
        return event

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Ends both ends with a close code."""
        for end in (self, self._peer):
            if end is not None and end._closed is None:
                end._closed = closed_with(code, reason)
                end._inbox.put_nowait(None)


def memory_pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Returns two joined ends: what one sends, the other receives."""
    client, server = MemoryTransport(), MemoryTransport()
    client.join(server)
    server.join(client)
    return client, server
