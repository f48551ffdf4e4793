"""Clients that no server should have to suffer, for :mod:`realtime_nb.commands.bench.hostile`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from websockets.frames import Frame, Opcode

__all__ = ["KINDS", "Address", "attack"]

_APPEND = "input_audio_buffer.append"
_LONG_CHARS = 20 * 1024 * 1024
_MANY = 8
_FLOOD_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, and the token that a client gives."""

    port: int
    token: str


class _Wire:
    """A connection whose client does as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def flood(self, data: bytes) -> None:
        block = data * max(1, _FLOOD_BYTES // len(data))
        while True:
            await self.write(block)
            await asyncio.sleep(0)

    async def event(self, kind: str, **fields: Any) -> None:
        await self.write(_text(json.dumps({"type": kind, **fields})))

    async def read_all(self) -> None:
        while await self.reader.read(1 << 20):
            pass


async def _dial(address: Address) -> _Wire:
    return _Wire(*await asyncio.open_connection("127.0.0.1", address.port))


async def _open(address: Address, query: str = "model=m") -> _Wire:
    wire = await _dial(address)
    await wire.write(_request(address, query))
    return wire


def _request(address: Address, query: str = "model=m", more: str = "") -> bytes:
    key = f"Authorization: Bearer {address.token}\r\n" if address.token else ""
    return (
        f"GET /v1/realtime?{query} HTTP/1.1\r\nHost: 127.0.0.1:{address.port}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{key}{more}\r\n"
    ).encode()


def _frame(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def _text(text: str) -> bytes:
    return _frame(Opcode.TEXT, text.encode())


def _event(kind: str, **fields: Any) -> bytes:
    return _text(json.dumps({"type": kind, **fields}))


def _item(text: str) -> bytes:
    content = [{"type": "input_text", "text": text}]
    message = {"type": "message", "role": "user", "content": content}
    return _event("conversation.item.create", item=message)


Client = Callable[[Address], Coroutine[Any, Any, None]]


def _floods(data: Callable[[], bytes], first: Callable[[], bytes] = bytes) -> Client:
    """Returns a client that sends the same again and again, and reads the answers."""

    async def client(address: Address) -> None:
        wire = await _open(address)
        reading = asyncio.create_task(wire.read_all())
        try:
            await wire.write(first())
            await wire.flood(data())
        finally:
            reading.cancel()
            wire.writer.transport.abort()

    return client


def _many(client: Client, count: int = _MANY) -> Client:
    async def clients(address: Address) -> None:
        await asyncio.gather(*(_again(client, address) for _ in range(count)))

    return clients


async def _again(client: Client, address: Address) -> None:
    """Comes back whenever it is turned away."""
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            await client(address)
        await asyncio.sleep(0.02)


# --- what is sent ---------------------------------------------------------------------------------


def _long_append() -> bytes:
    return _event(_APPEND, audio="A" * _LONG_CHARS)


def _escaped_append() -> bytes:
    audio = "\\u0041" * (_LONG_CHARS // 6)
    return _text(f'{{"type":"{_APPEND}","audio":"{audio}"}}')


def _turns_off() -> bytes:
    audio = {"input": {"turn_detection": None}}
    return _event("session.update", session={"type": "realtime", "audio": audio})


def _tools(count: int) -> bytes:
    fields = ("patient_name", "date", "time", "city", "phone", "count")
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in fields}}
    tools = [
        {"type": "function", "name": f"book_{n}", "description": "Book it.", "parameters": schema}
        for n in range(count)
    ]
    session = {"type": "realtime", "output_modalities": ["text"], "tools": tools}
    return _event("session.update", session=session)


def _question() -> bytes:
    asked = _item("On Tuesday at three or twelve people in Paris had an appointment, well. " * 10)
    return asked * 8 + _event("response.create")


async def _deaf(address: Address) -> None:
    """Asks for much, reads nothing."""
    wire = await _open(address)
    await wire.write(_turns_off() + _event(_APPEND, audio="A" * 3_800_000))
    await wire.event("input_audio_buffer.commit")
    await wire.write(_event("response.create") * 1_000)
    await asyncio.Event().wait()


async def _knock(address: Address) -> None:
    """Opens connections and says nothing."""
    wires = []
    try:
        while True:
            wires.append(await _dial(address))
            if len(wires) > 300:
                first = wires.pop(0)  # named, as a writer that nobody holds tells that it is open
                first.writer.transport.abort()
    finally:
        for wire in wires:
            wire.writer.transport.abort()


async def _hang_up(address: Address) -> None:
    """Comes and goes."""
    wire = await _open(address)
    try:
        await wire.reader.readline()
    finally:
        wire.writer.transport.abort()


async def _slow_request(address: Address) -> None:
    wire = await _dial(address)
    for byte in _request(address):
        await wire.write(bytes((byte,)))
        await asyncio.sleep(0.05)


async def _long_request(address: Address) -> None:
    wire = await _dial(address)
    await wire.write(_request(address, more=f"X: {'y' * 8_000}\r\n" * 100))
    await wire.read_all()


async def _endless_request(address: Address) -> None:
    wire = await _dial(address)
    await wire.flood(b"GET /")


async def _huge_header(address: Address) -> None:
    wire = await _open(address)
    await wire.write(bytes((0x81, 0xFF)) + (2**62).to_bytes(8) + b"abcd")
    await wire.flood(b"x" * 65_536)


async def _never_ends(address: Address) -> None:
    """Begins a long message and does not end it."""
    wire = await _open(address)
    begin = f'{{"type":"{_APPEND}","audio":"{"A" * 1_000_000}'
    await wire.write(_frame(Opcode.TEXT, begin.encode(), False))
    await wire.read_all()


async def _closes_and_stays(address: Address) -> None:
    wire = await _open(address)
    await wire.flood(_frame(Opcode.CLOSE, b"\x03\xe8"))


def _fragments(data: bytes) -> Client:
    return _floods(
        lambda: _frame(Opcode.CONT, data, False), lambda: _frame(Opcode.TEXT, b"", False)
    )


KINDS: dict[str, Client] = {
    "nobody": lambda _: asyncio.sleep(3_600),
    "pings": _floods(lambda: _frame(Opcode.PING, b"x" * 125)),
    "empty pings": _floods(lambda: _frame(Opcode.PING, b"")),
    "pongs": _floods(lambda: _frame(Opcode.PONG, b"")),
    "pings, 8 clients": _many(_floods(lambda: _frame(Opcode.PING, b""))),
    "empty fragments": _fragments(b""),
    "fragments of a byte": _fragments(b"x"),
    "fragments of 2 KiB": _fragments(b"x" * 2_048),
    "empty messages": _floods(lambda: _text("")),
    "binary messages": _floods(lambda: _frame(Opcode.BINARY, b"x" * 100)),
    "long binary messages": _floods(lambda: _frame(Opcode.BINARY, bytes(20_000_000))),
    "frame of 2^62 bytes": _huge_header,
    "CLOSE again and again": _closes_and_stays,
    "frames without a mask": _floods(lambda: b"\x81\x01x"),
    "no UTF-8": _floods(lambda: _frame(Opcode.TEXT, b"\xff" * 1_000)),
    "no JSON": _floods(lambda: _text("{" * 200)),
    "deep JSON of 1 MiB": _floods(lambda: _text("[" * 1_000_000)),
    "list of 22 MB": _floods(lambda: _text("[" + "[]," * 7_300_000 + "[]]")),
    "object of 1 MiB": _floods(lambda: _text('{"a":[' + "[]," * 340_000 + "[]]}")),
    "names of 1 MiB": _floods(lambda: _text('{"type":"' + "x" * 1_000_000 + '"}')),
    "text of 20 MB": _floods(lambda: _event("session.update", session="x" * 20_000_000)),
    "15-MiB appends": _floods(_long_append),
    "15-MiB appends, 8 clients": _many(_floods(_long_append)),
    "15-MiB appends, no turns": _floods(_long_append, _turns_off),
    "escaped 15-MiB appends": _floods(_escaped_append),
    "append that never ends": _many(_never_ends),
    "appends of a second, 24 clients": _many(
        _floods(lambda: _event(_APPEND, audio="A" * 64_000)), 24
    ),
    "appends of nothing": _floods(lambda: _event(_APPEND, audio="")),
    "commits": _floods(
        lambda: _event(_APPEND, audio="A" * 6_400) + _event("input_audio_buffer.commit"),
        _turns_off,
    ),
    "items": _floods(lambda: _item("x")),
    "items of 1 MB": _floods(lambda: _item("x" * 1_000_000)),
    "items of 1 MB, 8 clients": _many(_floods(lambda: _item("x" * 1_000_000))),
    "session updates": _floods(lambda: _tools(20)),
    "128 tools in a chat": _floods(_question, lambda: _tools(128)),
    "responses": _floods(lambda: _event("response.create", response={"conversation": "none"})),
    "reads nothing": _many(_deaf),
    "comes and goes": _many(_hang_up),
    "says nothing": _knock,
    "a byte at a time": _many(_slow_request, 100),
    "long request": _many(_long_request),
    "endless request": _many(_endless_request),
}
"""By what they do."""


async def attack(name: str, address: Address, seconds: float) -> None:
    """Runs a kind of client for so long; it comes back whenever it is turned away."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _again(KINDS[name], address)
