"""A network that fails on purpose: a proxy in front of a WebSocket server, with faults by plan."""

from __future__ import annotations

import asyncio
import contextlib
import http
import math
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import SplitResult, urlsplit, urlunsplit

from realtime_nb.errors import ConfigurationError
from realtime_nb.testing.faults import (
    Drop,
    Fault,
    HalfOpen,
    Refuse,
    SlowHandshake,
    When,
    expiry,
)
from realtime_nb.testing.faulty_connection import FaultyConnection, Streams, abort

if TYPE_CHECKING:
    from typing import Self

__all__ = ["FaultyNetwork"]

_HEAD_END = b"\r\n\r\n"
_HANDSHAKE_S = 30.0
_FAREWELL_S = 1.0
_GONE = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, OSError)

Faults = Iterable[Fault] | Iterable[Iterable[Fault]] | Callable[[int], Iterable[Fault]]


class _Served(Protocol):
    """What has a URL once it runs, such as :class:`realtime_nb.local.server.LocalServer`."""

    @property
    def url(self) -> str: ...


class FaultyNetwork:
    """A proxy in front of a Realtime server, on which things go wrong.

    ::

        async with rt.serve() as server:
            async with FaultyNetwork(server, drop_at=received("response.created")) as url:
                async with rt.connect(url, api_key=server.token) as session: ...

        network = await FaultyNetwork(server, drop_at=received("response.created"))
        async with rt.connect(network) as session: ...      # with the key of its server
        await network.close()

    It listens on 127.0.0.1, with a path and a query as its server's. Compression is not passed on,
    so that every event can be read. All that it started ends with its block, or
    with `close`. Each runs once.

    Args:
        server: a server that runs, or the ``ws://`` or ``wss://`` URL of one.
        faults: what goes wrong on the first connection; or a list of such lists, for several
            connections in a row; or a function that returns the list of the n-th one, from 1.
            Handshakes that :class:`~realtime_nb.testing.faults.Refuse` turns away belong to the
            connection that they led to.
        drop_at, half_open_at, expire_at: when the first connection is dropped, goes half-open,
            or ends with OpenAI's 1001.
        code: of that drop.
        refuse: how many handshakes are refused with 503 before it.
        seed: decides what is left to chance; another one for each connection comes of it.

    Attributes:
        connections: those that were let through, in their order: each tells what ``passed``.
        refused: how many handshakes were refused.
        url: where it listens, once it runs.
        token: the key of the server behind it; empty where that was given as a URL.
        certificate: what clients are to trust: None, as it speaks no TLS itself.

    Raises:
        ConfigurationError: once it is entered: the server does not run or the URL is none, or it
            was entered before.
    """

    certificate = None

    def __init__(
        self,
        server: str | _Served,
        faults: Faults = (),
        *,
        drop_at: When | None = None,
        half_open_at: When | None = None,
        expire_at: When | None = None,
        code: int = 1006,
        refuse: int = 0,
        seed: int = 0,
    ) -> None:
        self.connections: list[FaultyConnection] = []
        self.refused = 0
        self.url = ""
        self.token = str(getattr(server, "token", ""))
        self._server = server
        self._seed = seed
        first: list[Fault] = [Refuse(refuse)] if refuse else []
        first += [] if drop_at is None else [Drop(drop_at, code)]
        first += [] if half_open_at is None else [HalfOpen(half_open_at)]
        first += [] if expire_at is None else [expiry(expire_at)]
        self._faults_of = _by_connection(faults, first)
        self._number = 1
        self._attempts = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: Exception | None = None
        self._listener: asyncio.Server | None = None
        self._upstream = SplitResult("", "", "", "", "")

    def __repr__(self) -> str:
        state = self.url or "not running"
        return f"<FaultyNetwork {state}, {len(self.connections)} connections>"

    @property
    def running(self) -> bool:
        """Whether clients can connect."""
        return self._listener is not None and self._listener.is_serving()

    def __await__(self) -> Generator[Any, Any, Self]:
        """Starts it; :meth:`close` ends it. ``async with`` does both, and gives the URL."""
        yield from self.__aenter__().__await__()
        return self

    async def __aenter__(self) -> str:
        if self._listener is not None:
            raise ConfigurationError("This network was entered before. Make another one.")
        url = self._server if isinstance(self._server, str) else self._server.url
        self._upstream = urlsplit(url)
        if self._upstream.scheme not in ("ws", "wss") or not self._upstream.hostname:
            raise ConfigurationError(f"{url!r} is no ws:// or wss:// URL, nor a running server.")
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        parts = SplitResult(
            "ws", f"127.0.0.1:{port}", self._upstream.path, self._upstream.query, ""
        )
        self.url = urlunsplit(parts)
        return self.url

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        await self._end()
        if self._failure is not None and error is None:
            raise self._failure

    async def close(self) -> None:
        """Ends it, with all its connections; once is enough.

        Raises:
            Exception: what failed in a connection of it, and was no fault by plan.
        """
        was_running = self.running
        await self._end()
        if self._failure is not None and was_running:
            raise self._failure

    async def _end(self) -> None:
        if self._listener is None:
            return
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    @property
    def open(self) -> list[FaultyConnection]:
        """The connections that have not ended."""
        return [connection for connection in self.connections if not connection.over]

    @property
    def sent_audio_ms(self) -> float:
        """The user's audio that really reached the server, over all connections."""
        return sum(connection.passed.sent_audio_ms for connection in self.connections)

    async def inflict(self, fault: Fault) -> None:
        """Lets a fault strike all open connections now, whatever its ``at`` says."""
        for connection in self.open:
            await connection.inflict(fault)

    # --- one connection ---

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        # A task of our own: the one that asyncio would make logs that it was cancelled.
        task = asyncio.create_task(self._admit(Streams(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _admit(self, client: Streams) -> None:
        try:
            await self._serve(client)
        except _GONE:
            pass
        except Exception as error:
            self._failure = self._failure or error
        finally:
            await abort(client.writer)

    async def _serve(self, client: Streams) -> None:
        async with asyncio.timeout(_HANDSHAKE_S):
            head = await client.reader.readuntil(_HEAD_END)
        faults = list(self._faults_of(self._number))
        refusals = [fault for fault in faults if isinstance(fault, Refuse)]
        due = [fault for fault in refusals for _ in range(fault.times)][self._attempts :]
        if due:
            self._attempts += 1
            self.refused += 1
            await _answer(client, due[0])
            return
        self._attempts = 0
        seed = self._seed * 1_000_003 + self._number
        self._number += 1
        for fault in faults:
            if isinstance(fault, SlowHandshake):
                await _slept(fault.seconds, client)
        server = await self._reach(client)
        if server is None:
            return
        try:
            await self._connect(client, server, head, faults, seed)
        finally:
            await abort(server.writer)

    async def _reach(self, client: Streams) -> Streams | None:
        secure = self._upstream.scheme == "wss"
        port = self._upstream.port or (443 if secure else 80)
        # A local server that runs tells what it is trusted by.
        own = getattr(self._server, "certificate", None)
        trusted = None if own is None else own.path
        context = ssl.create_default_context(cafile=trusted) if secure else None
        try:
            opened = await asyncio.open_connection(self._upstream.hostname, port, ssl=context)
        except OSError:
            await _answer(client, Refuse(status=502, body="The server can't be reached.\n"))
            return None
        return Streams(*opened)

    async def _connect(
        self, client: Streams, server: Streams, head: bytes, faults: Sequence[Fault], seed: int
    ) -> None:
        server.writer.write(_rewritten(head, self._upstream.netloc.rpartition("@")[2]))
        await server.writer.drain()
        async with asyncio.timeout(_HANDSHAKE_S):
            answer = await server.reader.readuntil(_HEAD_END)
        client.writer.write(answer)
        await client.writer.drain()
        if b" 101 " not in answer.split(b"\r\n", 1)[0]:
            client.writer.write(await server.reader.read())
            await _closed(client)
            return
        connection = FaultyConnection(client, server, faults, seed)
        self.connections.append(connection)
        await connection.run()


def _by_connection(faults: Faults, first: list[Fault]) -> Callable[[int], Iterable[Fault]]:
    if callable(faults):
        function = faults
        return lambda number: [*(first if number == 1 else ()), *function(number)]
    listed = list(faults)
    rows: list[list[Fault]] = []
    if any(isinstance(row, Iterable) for row in listed):
        rows = [list(row) for row in listed if isinstance(row, Iterable)]
        if len(rows) < len(listed):
            raise ConfigurationError("Give faults, or lists of faults by connection; not both.")
    else:
        rows = [[fault for fault in listed if not isinstance(fault, Iterable)]]
    rows[:1] = [[*first, *(rows[0] if rows else [])]]
    return lambda number: rows[number - 1] if number <= len(rows) else []


def _rewritten(head: bytes, host: str) -> bytes:
    """Returns the request as the server is to see it: its own name, and no compression."""
    lines = head.removesuffix(_HEAD_END).split(b"\r\n")
    kept = [
        line
        for line in lines
        if not line.lower().startswith((b"host:", b"sec-websocket-extensions:"))
    ]
    return b"\r\n".join([kept[0], f"Host: {host}".encode(), *kept[1:]]) + _HEAD_END


async def _answer(client: Streams, refusal: Refuse) -> None:
    """Refuses a handshake."""
    if refusal.status is None:
        return
    body = refusal.body.encode()
    phrase = _phrase(refusal.status)
    lines = [f"HTTP/1.1 {refusal.status} {phrase}", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: text/plain; charset=utf-8", "Connection: close"]
    if refusal.retry_after_s is not None:
        lines.append(f"Retry-After: {math.ceil(refusal.retry_after_s)}")
    client.writer.write("\r\n".join(lines).encode() + _HEAD_END + body)
    await _closed(client)


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


async def _closed(client: Streams) -> None:
    """Ends a stream in order: what was written is read before it is gone."""
    await client.writer.drain()
    client.writer.write_eof()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL_S):
            while await client.reader.read(65_536):
                pass


async def _slept(seconds: float, client: Streams) -> None:
    """Waits for so long, or until the client has given up."""
    waiting = asyncio.create_task(client.reader.read(1))
    try:
        async with asyncio.timeout(None if seconds == math.inf else seconds):
            if not await waiting:
                raise ConnectionError("The client gave up.")
    except TimeoutError:
        pass
    finally:
        waiting.cancel()
