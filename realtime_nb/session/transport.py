"""How events travel: a WebSocket, or a pair of queues in memory.

Replay and tests put something else behind the same three methods, and nothing above notices.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidProxy, InvalidStatus, ProxyError

from realtime_nb.archive.redaction import without_known
from realtime_nb.archive.spelled import SpelledSecrets
from realtime_nb.errors import ConnectionFailedError, SessionClosedError
from realtime_nb.errors.secret_shapes import without_shapes
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.stages import STAGES_HEADER
from realtime_nb.protocol.wire import decoded
from realtime_nb.session.client_frames import BoundedConnection
from realtime_nb.session.endpoints import Endpoint
from realtime_nb.session.refusals import advice_on, words_of

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

_FEW_BYTES = 1024 * 1024
_MOST_VALUES = 200_000

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
    """Events as JSON text frames of a WebSocket.

    Args:
        socket: the open connection.
        secrets: what is taken out of whatever the server sends: our keys, if it repeats them.
    """

    def __init__(self, socket: ClientConnection, secrets: Iterable[str] = ()) -> None:
        self._socket = socket
        self._secrets = list(secrets)
        self._spelled = SpelledSecrets(self._secrets)

    async def send(self, event: JsonObject) -> None:
        """Implements :class:`Transport`."""
        try:
            await self._socket.send(msgspec.json.encode(event), text=True)
            return
        except ConnectionClosed as closed:
            ended = self._ended(closed)
        raise ended  # here, where it carries nothing along that may hold a key

    async def receive(self) -> JsonObject:
        """Implements :class:`Transport`. A frame that is no JSON object becomes a ``malformed``
        event."""
        ended = None
        try:
            frame = await self._socket.recv(decode=False)
        except ConnectionClosed as closed:
            ended = self._ended(closed)
        if ended is not None:
            raise ended
        return self._spelled.cleaned(_decoded(frame))

    async def close(self) -> None:
        """Implements :class:`Transport`."""
        await self._socket.close()

    async def ping(self) -> None:
        """Returns when the other end has answered a ping; SessionClosedError when it is over."""
        try:
            await (await self._socket.ping())
            return
        except ConnectionClosed as closed:
            ended = self._ended(closed)
        raise ended

    def _ended(self, closed: ConnectionClosed) -> SessionClosedError:
        frame = closed.rcvd or closed.sent
        if frame is None:
            return closed_with(1006, "")
        if closed.sent and closed.sent.code == 1002 and not closed.rcvd_then_sent:
            # Found here, whatever the server answers to it: what came was no WebSocket any more.
            return closed_with(1006, f"broken on its way: {closed.sent.reason}")
        return closed_with(frame.code, without_shapes(without_known(frame.reason, self._secrets)))


def _decoded(frame: bytes) -> JsonObject:
    """Returns the event in a frame, or a ``malformed`` one that says why there is none."""
    try:
        # Audio is one long text. Millions of small values are no event, and would take seconds.
        if len(frame) > _FEW_BYTES and sum(map(frame.count, (b",", b"[", b"{"))) > _MOST_VALUES:
            problem = "too many values"
        elif isinstance(event := decoded(frame), dict):
            return event
        else:
            problem = "not an object"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        problem = str(error)
    return {"type": "malformed", "problem": problem, "bytes": len(frame)}


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
    failure: ConnectionFailedError
    tls = endpoint.tls
    try:
        return WebSocketTransport(await _upgraded(endpoint, tls, timeout_s), endpoint.secrets)
    except Exception as error:
        failure = _failure(endpoint, error, timeout_s)
    raise failure  # here, where it carries nothing along that may hold a key


async def _upgraded(
    endpoint: Endpoint, tls: ssl.SSLContext | None, timeout_s: float
) -> ClientConnection:
    own: dict[str, Any] = {} if tls is None else {"ssl": tls}
    # The local server listens on this machine alone; nobody else is asked for what is its own.
    asked = {STAGES_HEADER: "1"} if endpoint.kind == "local" or endpoint.is_loopback else {}
    return await _Connect(
        endpoint.connect_url,
        additional_headers={**endpoint.headers, **asked},
        max_size=_MAX_FRAME_BYTES,
        max_queue=256,
        compression=None,
        open_timeout=timeout_s,
        close_timeout=_CLOSE_TIMEOUT_S,
        logger=_websocket_logger,
        create_connection=BoundedConnection,
        **own,
        ping_interval=None,  # whoever keeps the session pings, and knows what was sent by then
        # A conversation must not wander off to a proxy or another host with the key.
        proxy=None if endpoint.kind == "local" or endpoint.is_loopback else True,
    )


def _failure(endpoint: Endpoint, error: Exception, timeout_s: float) -> ConnectionFailedError:
    """Returns what went wrong as an error of ours, without a key."""
    where = endpoint.shown_url
    if isinstance(error, InvalidStatus):
        status, headers = error.response.status_code, error.response.headers
        body = (error.response.body or b"").decode("utf-8", "replace")
        said = endpoint.without_secrets(words_of(endpoint.without_secrets(body)))
        wait_s = _retry_after_s(headers.get("Retry-After"))
        target = headers.get("Location")
        advice = advice_on(status, wait_s, target and endpoint.without_secrets(target))
        return ConnectionFailedError(
            f"{where} refused the connection with HTTP {status}{said and f': {said}'}. {advice}",
            code=str(status),
            retry_after_s=wait_s,
        )
    if isinstance(error, TimeoutError):
        return ConnectionFailedError(
            f"{where} did not answer within {timeout_s:g} s. Check the address and the network."
        )
    said = endpoint.without_secrets(str(error) or type(error).__name__)
    if isinstance(error, ImportError):
        return ConnectionFailedError(
            f"Can't connect to {where} through the SOCKS proxy that the environment names: {said}. "
            "Run: pip install python-socks, or unset the proxy (ALL_PROXY, HTTPS_PROXY, …)."
        )
    if isinstance(error, InvalidProxy | ProxyError):
        return ConnectionFailedError(
            f"Can't connect to {where} through the proxy that the environment names: {said}. "
            "Check the proxy, or unset it (ALL_PROXY, HTTPS_PROXY, …)."
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectionFailedError(
            f"Can't connect to {where}: {said.rstrip('.')}. "
            "Its certificate is not trusted here; check the address and the certificates. That of "
            "a local server with TLS is trusted by rt.Endpoint(…, ca_file=server.certificate.path),"
            " or by SSL_CERT_FILE as `realtime-nb serve --tls` prints it.",
            code="certificate",
        )
    if isinstance(error, ssl.SSLError) or (where.startswith("wss:") and _hung_up(error)):
        remedy = "Does the server speak TLS there? If not, its URL begins with ws://."
    else:
        remedy = "Is the server running there?"
    return ConnectionFailedError(f"Can't connect to {where}: {said.rstrip('.')}. {remedy}")


def _retry_after_s(header: str | None) -> float | None:
    """Returns how long a server wants to be left alone: given in seconds, or as a date (RFC 9110,
    10.2.3)."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - time.time())


def _hung_up(error: Exception) -> bool:
    return isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)


class MemoryTransport:
    """One end of a pair in memory; see :func:`memory_pair`.

    What waits for the other end is unbounded, unlike a socket's: an end that sends never waits, so
    that tests hang on nobody's pace. Both bound what they send, as they do on sockets.
    """

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
