from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.frames import Close, Frame, Opcode

from realtime_nb.local import client_socket, door
from realtime_nb.local import server as server_module
from realtime_nb.local.connection import UNREAD_S
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
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
    monkeypatch.setattr(server_module, "CLOSE_S", 0.5)
    async with fake_server() as server, joined(server) as neighbour:
        async with wire(server) as (reader, writer):
            if not at_once:
                await become_true(lambda: server.connections == 2)
            writer.write(flood)
            assert await close_code_on(reader) == code
            # It neither reads on nor ends the connection itself, and is gone all the same.
            await become_true(lambda: server.connections == 1)
        assert (await neighbour.ask())["status"] == "completed"


async def test_a_flood_without_a_token_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "CLOSE_S", 0.5)
    async with fake_server() as server, joined(server) as neighbour:
        async with wire(server, key="wrong") as (reader, writer):
            writer.write(frame(Opcode.PING, b"x") * 50_000)
            assert (await reader.readline()).startswith(b"HTTP/1.1 401")
            await become_true(lambda: not server._server or len(server._server.handlers) == 1)
        assert (await neighbour.ask())["status"] == "completed"


async def test_who_knocks_and_waits_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_MAX_HANDSHAKES", 64)
    async with fake_server() as server:
        knocking = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(80)]
        assert server._server is not None
        await become_true(lambda: len(server._server.handlers) <= 64)  # type: ignore[union-attr]
        async with joined(server) as client:
            assert (await client.ask())["status"] == "completed"
        for _, writer in knocking:
            writer.transport.abort()


async def test_too_many_at_the_door_are_turned_away_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "PER_ADDRESS_AT_ONCE", 5)
    monkeypatch.setattr(door, "PER_ADDRESS_PER_S", 4.0)
    monkeypatch.setattr(door, "MOST_WAIT_S", 0.5)
    async with fake_server() as server, joined(server) as neighbour:

        async def answer() -> bytes:
            async with wire(server, key="wrong") as (reader, _):
                return await reader.readline()

        answers = await asyncio.gather(*(answer() for _ in range(40)))
        served = [line for line in answers if line.startswith(b"HTTP/1.1 401")]
        away = [line for line in answers if line.startswith(b"HTTP/1.1 429")]
        assert len(served) >= 6  # two of them waited
        assert away
        assert len(served) + len(away) == 40
        # Nothing is kept of any of them.
        await become_true(lambda: len(server._server.handlers) == 1)  # type: ignore[union-attr]
        assert (await neighbour.ask())["status"] == "completed"
        await asyncio.sleep(0.5)
        async with joined(server) as late:  # the door opens again
            assert (await late.ask())["status"] == "completed"


async def test_a_burst_of_sessions_comes_in() -> None:
    async with fake_server() as server, AsyncExitStack() as clients:
        opening = [clients.enter_async_context(joined(server)) for _ in range(100)]
        await asyncio.gather(*opening)
        assert server.connections == 100


# --- the end of a session ---


@pytest.mark.parametrize("what", ["nothing", "noise"])
async def test_who_vanishes_without_a_word_is_gone(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine is switched off: nothing is closed, and no ping is answered any more."""
    monkeypatch.setattr(client_socket, "PING_S", 0.1)
    async with fake_server() as server, joined(server) as neighbour:
        async with wire(server) as (_, writer):
            if what == "noise":
                writer.write(frame(Opcode.TEXT, b"{") * 3)
            await become_true(lambda: server.connections == 2)
            async with asyncio.timeout(5):
                await become_true(lambda: server.connections == 1)
        assert (await neighbour.ask())["status"] == "completed"


async def test_who_reads_an_answer_as_it_plays_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing meanwhile, for the pings are behind the answer; afterwards it has to."""
    monkeypatch.setattr(client_socket, "PING_S", 0.1)
    server = fake_server(tts=WatchedTTS(1_500), pace=SpeechPace())
    async with server, wire(server) as (_, writer):
        await become_true(lambda: server.connections == 1)
        asked = asyncio.get_running_loop().time()
        writer.write(frame(Opcode.TEXT, b'{"type":"response.create"}'))
        await become_true(lambda: bool(connection_of(server).core.conversation.responses))
        async with asyncio.timeout(5):
            await become_true(lambda: server.connections == 0)
        assert 1.4 < asyncio.get_running_loop().time() - asked < 3


def test_who_vanishes_is_noticed_within_20_s() -> None:
    assert client_socket.PING_S * (client_socket.MISSED_PINGS + 1) <= 20
    assert UNREAD_S + client_socket.CLOSE_S <= 20  # while nothing is taken from it


@pytest.mark.parametrize("says", ["pongs", "audio"])
async def test_who_says_anything_stays(says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_socket, "PING_S", 0.1)
    async with fake_server() as server, wire(server) as (_, writer):
        await become_true(lambda: server.connections == 1)
        connection = connection_of(server)
        for _ in range(30):
            text = b'{"type":"input_audio_buffer.append","audio":""}'
            writer.write(frame(Opcode.PONG, b"") if says == "pongs" else frame(Opcode.TEXT, text))
            await asyncio.sleep(0.02)
        assert connection in server._connections


async def test_a_server_that_stood_still_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell in the server's own loop takes longer than all the time that a client has."""
    monkeypatch.setattr(client_socket, "PING_S", 0.1)
    async with fake_server() as server, joined(server) as client:
        for _ in range(3):
            time.sleep(0.5)  # noqa: ASYNC251
            await asyncio.sleep(0.01)
        assert (await client.ask())["status"] == "completed"


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
