"""What goes over the wire between a client and a server, both of them as they are.

Bytes are passed on unchanged, in both directions; the events are read from a copy of them. Where
both speak TLS it does with each of them, by the server's own certificate.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

__all__ = ["Tap", "Wire", "tapped"]

LONGEST_LINE = 65_536

Event = dict[str, Any]


class _Copy:
    """One direction of a connection, read as HTTP and then as frames."""

    def __init__(self, masked: bool) -> None:
        self.head: list[str] = []
        self.events: list[Event] = []
        self.close_code: int | None = None
        self._masked = masked
        self._bytes = StreamReader()
        self._reading = self._read()
        next(self._reading)

    def feed(self, data: bytes) -> None:
        self._bytes.feed_data(data)
        next(self._reading)

    def _read(self) -> Generator[None, None, None]:
        while line := (yield from self._bytes.read_line(LONGEST_LINE)).decode().strip():
            self.head.append(line)
        if not any(line.lower() == "upgrade: websocket" for line in self.head):
            while True:
                yield  # plain HTTP: nothing of it is an event
        message = bytearray()
        while True:
            frame = yield from Frame.parse(self._bytes.read_exact, mask=self._masked)
            if frame.opcode in (Opcode.TEXT, Opcode.CONT):
                message += frame.data
                if frame.fin:
                    self.events.append(json.loads(message))
                    message.clear()
            elif frame.opcode is Opcode.CLOSE:
                self.close_code = int.from_bytes(frame.data[:2]) or None


@dataclass
class Wire:
    """A connection: what the client sent and what the server did."""

    client: _Copy = field(default_factory=lambda: _Copy(masked=True))
    server: _Copy = field(default_factory=lambda: _Copy(masked=False))

    @property
    def path(self) -> str:
        return self.client.head[0].split()[1]

    def sent(self, kind: str) -> list[Event]:
        return [event for event in self.client.events if event["type"] == kind]

    def received(self, kind: str) -> list[Event]:
        return [event for event in self.server.events if event["type"] == kind]


@dataclass
class Tap:
    """The address that a client is given, and all connections that came there."""

    port: int
    wires: list[Wire] = field(default_factory=list)

    @property
    def sessions(self) -> list[Wire]:
        return [wire for wire in self.wires if wire.server.events]


@asynccontextmanager
async def tapped(
    server_port: int, tls: tuple[ssl.SSLContext | None, ssl.SSLContext | None]
) -> AsyncIterator[Tap]:
    """Listens on a free port for as long as the block runs; ``tls`` is for clients and server."""
    wires: list[Wire] = []
    open_ones: set[asyncio.Task[None]] = set()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wires.append(wire := Wire())
        task = asyncio.current_task()
        assert task is not None
        open_ones.add(task)
        back, on = await asyncio.open_connection("127.0.0.1", server_port, ssl=tls[1])
        try:
            await asyncio.gather(
                _pass_on(reader, on, wire.client), _pass_on(back, writer, wire.server)
            )
        finally:
            for one in (on, writer):
                one.close()
                with suppress(ConnectionError, ssl.SSLError):
                    await one.wait_closed()
            open_ones.discard(task)

    listening = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls[0])
    async with listening:
        yield Tap(listening.sockets[0].getsockname()[1], wires)
        listening.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.gather(*open_ones, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copy: _Copy) -> None:
    """Passes bytes on to their end, and the end as well."""
    with suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65_536):
            copy.feed(data)
            writer.write(data)
            await writer.drain()
    with suppress(ConnectionError, OSError):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
