"""An HTTP server that answers as a test says, and the events that chat endpoints stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["Endpoint", "delta", "endpoint", "piece", "sse"]


class Endpoint:
    """An HTTP server that answers every request with the same bytes, cut as asked.

    Args:
        headers: Lines of the head.
        first: Answers to the first requests, each a status and a body, before the usual one.
    """

    def __init__(
        self,
        status: str,
        body: bytes,
        cut: int,
        headers: Sequence[str] = (),
        first: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        self.status, self.body, self.cut = status, body, cut
        self.more_headers = headers
        self.first = list(first)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.url = ""
        self.disconnected = asyncio.Event()
        self.hold_open = False
        self.served = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.served += 1
        self.idle.clear()
        try:
            await self._answer(reader, writer)
        finally:
            writer.close()
            self.served -= 1
            if not self.served:
                self.idle.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1])
            for line in head.splitlines()
            if line.lower().startswith("content-length")
        )
        self.headers.append(head)
        self.requests.append(json.loads(await reader.readexactly(length)))
        status, body = self.first.pop(0) if self.first else (self.status, self.body)
        lines = [f"HTTP/1.1 {status}", "Connection: close", *self.more_headers]
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        for start in range(0, len(body), self.cut):
            writer.write(body[start : start + self.cut])
            await writer.drain()
            await asyncio.sleep(0)
        if self.hold_open:
            await reader.read()
            self.disconnected.set()


@asynccontextmanager
async def endpoint(
    body: bytes,
    status: str = "200 OK",
    cut: int = 10_000,
    headers: Sequence[str] = (),
    first: Sequence[tuple[str, bytes]] = (),
) -> AsyncIterator[Endpoint]:
    served = Endpoint(status, body, cut, headers, first)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield served
        await served.idle.wait()


def sse(*chunks: object, done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks]
    return "".join([": a comment\n\n", *lines, "data: [DONE]\n\n" if done else ""]).encode()


def delta(finish: str | None = None, **fields: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def piece(index: int | None, arguments: object, **more: object) -> dict[str, Any]:
    name = more.pop("name", None)
    function = {"arguments": arguments} | ({"name": name} if name else {})
    numbered = {} if index is None else {"index": index}
    return delta(tool_calls=[{**numbered, **more, "function": function}])
