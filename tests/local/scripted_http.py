"""A service over HTTP that answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

__all__ = ["Asked", "Service", "service"]


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Service:
    """What it answers with, in pieces; then it holds the connection open, where it is told to."""

    pieces: Sequence[bytes] = (b"",)
    status: str = "200 OK"
    content_type: str = "application/json"
    more: str = ""  # further header lines
    hold: bool = False
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    left_s: float = 0.0
    _at_work: set[asyncio.Task[None]] = field(default_factory=set)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering = asyncio.create_task(self._answer(reader, writer))
        self._at_work.add(answering)
        await asyncio.wait({answering})
        writer.close()

    async def all_answered(self) -> None:
        async with asyncio.timeout(10):
            await asyncio.gather(*self._at_work, return_exceptions=True)
        await asyncio.sleep(0.001)  # its transports close

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        self.asked.append(Asked(method, path, headers, body))
        head = [f"HTTP/1.1 {self.status}", f"Content-Type: {self.content_type}"]
        writer.write("\r\n".join([*head, f"Connection: close{self.more}", "", ""]).encode())
        for piece in self.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.002)
        self.came.set()
        if self.hold:
            await reader.read()
            self.left_s = time.perf_counter()
            self.left.set()


@asynccontextmanager
async def service(*pieces: bytes, **fields: object) -> AsyncIterator[Service]:
    served = Service(pieces or (b"",), **fields)  # type: ignore[arg-type]
    server = await asyncio.start_server(served.take, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield served
        await served.all_answered()
