from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.frames import Close, Frame, Opcode

from realtime_nb.local import client_socket
from realtime_nb.local.server import LocalServer
from realtime_nb.testing import silence, tone
from tests.local.connections import connection_of
from tests.local.fake_engines import WatchedTTS, fake_server
from tests.local.raw_client import RawClient, become_true, joined

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def frame(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


@asynccontextmanager
async def wire(server: LocalServer, key: str = "a-token") -> AsyncIterator[Wire]:
    """A connection whose client does as it likes; the answer to its handshake is not read yet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [
        "GET /v1/realtime?model=m HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Authorization: Bearer {key}",
        "\r\n",
    ]
    writer.write("\r\n".join(lines).encode())
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def close_code_on(reader: asyncio.StreamReader) -> int | None:
    """Reads frames up to the server's CLOSE."""
    async with asyncio.timeout(20):
        await reader.readuntil(b"\r\n\r\n")
        while True:
            first, length = await reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await reader.readexactly(2))
            elif length == 127:
                length = int.from_bytes(await reader.readexactly(8))
            data = await reader.readexactly(length)
            if first & 0x0F == Opcode.CLOSE:
                return Close.parse(data).code


EMPTY = frame(Opcode.TEXT, b"", False) + frame(Opcode.CONT, b"", False) * 2_000


FLOODS = {
    "pings": (frame(Opcode.PING, b"x" * 125) * 2_000, 1008),
    "pongs": (frame(Opcode.PONG, b"") * 2_000, 1008),
    "empty fragments": (EMPTY, 1009),
    "short fragments": (
        frame(Opcode.TEXT, b"x", False) + frame(Opcode.CONT, b"x", False) * 2_000,
        1009,
    ),
    "a length without end": (bytes((0x81, 0xFF)) + (2**40).to_bytes(8) + b"abcd", 1009),
    "a continuation of nothing": (frame(Opcode.CONT, b"x"), 1002),
    "not masked": (b"\x81\x01x", 1002),
    "no UTF-8": (frame(Opcode.TEXT, b"\xff" * 10), 1007),
    "close": (frame(Opcode.CLOSE, b"\x03\xe8"), 1000),
}


# Masks are random, so the frames are no names: processes of one run have to agree on them.
@pytest.mark.parametrize(("flood", "code"), FLOODS.values(), ids=FLOODS.keys())
@pytest.mark.parametrize("at_once", [True, False])
async def test_floods_end_their_own_session(
    flood: bytes, code: int, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_socket, "LINGER_S", 0.2)
    async with fake_server() as server, joined(server) as neighbour:
        async with wire(server) as (reader, writer):
            if not at_once:
                await become_true(lambda: server.connections == 2)
            writer.write(flood)
            assert await close_code_on(reader) == code
            # It neither reads on nor ends the connection itself, and is gone all the same.
            await become_true(lambda: server.connections == 1)
        assert (await neighbour.ask())["status"] == "completed"


async def test_a_flood_without_a_token_is_not_looked_at() -> None:
    async with fake_server() as server, joined(server) as neighbour:
        async with wire(server, key="wrong") as (reader, writer):
            writer.write(frame(Opcode.PING, b"x") * 50_000)
            assert (await reader.readline()).startswith(b"HTTP/1.1 401")
            await become_true(lambda: not server._server or len(server._server.handlers) == 1)
        assert (await neighbour.ask())["status"] == "completed"


async def test_who_knocks_and_waits_makes_room() -> None:
    async with fake_server() as server:
        knocking = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(80)]
        assert server._server is not None
        await become_true(lambda: len(server._server.handlers) <= 64)  # type: ignore[union-attr]
        async with joined(server) as client:
            assert (await client.ask())["status"] == "completed"
        for _, writer in knocking:
            writer.transport.abort()


# --- the end of a session ---


async def fill_unread(client: RawClient, server: LocalServer) -> None:
    """Asks for more than is taken while it is not read."""
    connection = connection_of(server)
    await client.update(audio={"input": {"turn_detection": None}})
    await client.append(tone(60_000))
    await client.send("input_audio_buffer.commit")
    item = (await client.until("conversation.item.done"))["item"]
    for _ in range(40):
        await client.send("conversation.item.retrieve", item_id=item["id"])
    await become_true(lambda: connection._unsent.amount > connection._unsent.limit)


@pytest.mark.parametrize("how", ["abort", "close"])
async def test_who_vanishes_with_much_unread_is_gone(how: str) -> None:
    async with fake_server() as server, joined(server, reads=False) as client:
        await fill_unread(client, server)
        client.socket.transport.abort() if how == "abort" else client.socket.transport.close()
        async with asyncio.timeout(2):
            await become_true(lambda: server.connections == 0)


async def test_who_vanishes_while_transcriptions_wait_is_gone() -> None:
    """Nothing is read or written then that would tell."""
    async with fake_server() as server, joined(server) as client:
        connection = connection_of(server)
        connection._unheard.add(connection._unheard.limit + 1)
        await client.append(silence(100))
        await become_true(lambda: connection.core.conversation.input_ms > 0)
        client.socket.transport.abort()
        async with asyncio.timeout(2):
            await become_true(lambda: server.connections == 0)


async def test_stopping_does_not_wait_for_what_is_queued() -> None:
    """Three clients with a quarter of an hour of audio each in their queues."""
    audio = "A" * 20_000_000
    text = json.dumps({"type": "input_audio_buffer.append", "audio": audio})
    server = fake_server(tts=WatchedTTS(60_000))
    async with server, joined(server) as one, joined(server) as two, joined(server) as three:
        clients = [one, two, three]
        sending = [
            asyncio.create_task(client.socket.send(text)) for client in clients for _ in range(3)
        ]
        await become_true(
            lambda: any(c.core.conversation.input_ms > 10_000 for c in server._connections)
        )
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await server.__aexit__(None, None, None)
        assert loop.time() - began_s < 6
        assert server.connections == 0
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)


async def test_a_long_message_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds a place that others wait for, and loses it."""
    monkeypatch.setattr(client_socket, "LONG_MESSAGE_S", 0.3)
    begin = b'{"type":"input_audio_buffer.append","audio":"' + b"A" * 200_000
    async with fake_server() as server:
        slow = [wire(server) for _ in range(3)]
        opened = [await one.__aenter__() for one in slow]
        for _, writer in opened:
            writer.write(frame(Opcode.TEXT, begin, False))
        await become_true(lambda: server.connections == 3)
        async with joined(server) as client:
            await client.append(silence(10_000))
            await client.send("input_audio_buffer.clear")
            await client.until("input_audio_buffer.cleared")
        for reader, _ in opened[:2]:
            assert await close_code_on(reader) == 1008
        for one in slow:
            await one.__aexit__(None, None, None)
