"""What passes between the local server and real clients, and what does not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest
import websockets.asyncio.client as ws
from websockets.exceptions import ConnectionClosed

import realtime_nb as rt
from realtime_nb.protocol.events import ErrorEvent
from realtime_nb.testing import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    FaultyNetwork,
    HalfOpen,
    Throttle,
    appends,
    received,
    received_bytes,
    sent,
    sent_bytes,
    silence,
    tone,
)
from tests.testing.networks import TOKEN, client, ended, running, through


@pytest.mark.parametrize("code", [1006, 1001, 1011, 1012, 1013, 4000])
@pytest.mark.parametrize(
    "at",
    [received("session.updated", nth=2), sent("session.update", nth=2), sent_bytes(1_000), 0.3],
    ids=["received", "sent", "byte", "time"],
)
async def test_it_drops_with_any_code_at_any_moment(code: int, at: Any) -> None:
    async with through(Drop(at, code, "because")) as (network, url), client(url) as session:
        with contextlib.suppress(rt.SessionClosedError):
            await session.update(instructions="x" * 1_000)
        end = await ended(session)
        assert end.close_code == code
        assert end.reason == ("" if code == 1006 else "because")
        [connection] = network.connections
        if at == sent_bytes(1_000):
            assert connection.passed.sent_bytes == 1_000
        if at == sent("session.update", nth=2):
            assert connection.passed.sent["session.update"] == 1
            assert connection.passed.lost["session.update"] == 1


@pytest.mark.parametrize("tcp", ["fin", "rst"])
async def test_a_connection_ends_in_order_or_is_reset(tcp: Any) -> None:
    async with through(Drop(sent(2), tcp=tcp)) as (_, url):
        socket = await ws.connect(
            f"{url}?model=m", additional_headers={"Authorization": f"Bearer {TOKEN}"}
        )
        await socket.recv()
        for _ in range(2):
            await socket.send('{"type": "input_audio_buffer.clear"}')
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await socket.recv()
        reset = isinstance(closed.value.__cause__, ConnectionResetError)
        assert reset == (tcp == "rst")
        assert closed.value.rcvd is None


async def test_its_count_of_audio_is_what_the_server_got() -> None:
    """The server's own clock, in the answer to a commit, agrees with what the network counted."""
    async with running() as server:
        network = FaultyNetwork(server, [Drop(sent("input_audio_buffer.append", nth=31))])
        async with network as url, client(url, turn_detection=None) as session:
            for append in appends(tone(1_000)):  # 50 × 20 ms
                await session.send(append)
            await ended(session)
        [connection] = network.connections
        assert connection.passed.sent_audio_ms == pytest.approx(30 * 20)
        assert connection.passed.lost_audio_ms == pytest.approx(20 * 20)
        assert network.sent_audio_ms == pytest.approx(600)


@pytest.mark.parametrize("cut", [0, 1, 700, 1_300, 2_600])
async def test_an_append_that_is_cut_never_reached_the_server(cut: int) -> None:
    async with running() as server:
        plain = FaultyNetwork(server)
        async with plain as url, client(url, turn_detection=None) as session:
            before = plain.connections[0].passed.sent_bytes
            await session.send({"type": "input_audio_buffer.append", "audio": "", "event_id": "e"})
            await session.update(instructions="x")  # confirmed: everything has arrived
        network = FaultyNetwork(server, [Drop(sent_bytes(before + cut))])
        async with network as url, client(url, turn_detection=None) as session:
            for append in appends(silence(1_000)):
                await session.send(append)
            await ended(session)
        passed = network.connections[0].passed
        assert passed.sent_bytes == before + cut
        # 20 ms are 1,280 characters, the JSON around them, mask and head: 1,350 to 1,450 bytes.
        assert passed.sent_audio_ms == 20 * (cut // 1_400)


async def test_half_open_is_silence_in_both_directions() -> None:
    async with running() as server:
        network = FaultyNetwork(server, half_open_at=received("session.updated", nth=2))
        async with network as url, client(url) as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await session.update(instructions="x")
            assert not session.closed
            assert server.connections == 1
            session.say("Anybody?")
            await asyncio.sleep(0.2)
        passed = network.connections[0].passed
        assert passed.sent["response.create"] == 0
        assert passed.lost["response.create"] == 1


async def test_pings_are_not_answered_through_a_half_open_connection() -> None:
    async with through(HalfOpen(0.2)) as (_, url):
        socket = await ws.connect(
            f"{url}?model=m",
            additional_headers={"Authorization": f"Bearer {TOKEN}"},
            ping_interval=0.2,
            ping_timeout=0.3,
            close_timeout=0.1,  # nobody answers its close either
        )
        with pytest.raises(ConnectionClosed, match="keepalive ping timeout"):
            while True:
                await socket.recv()


async def test_late_doubled_and_broken_events() -> None:
    faults = [
        Delay(sent("response.create"), ms=400, times=1),
        Duplicate(received("response.done")),
        Corrupt(received("response.created")),
    ]
    async with through(*faults) as (network, url), client(url) as session:
        began = time.monotonic()
        session.say("Hello")
        await session.wait_for("response.done")
        assert time.monotonic() - began >= 0.4
        await session.close()
        types = [event.type async for event in session]
        assert types.count("response.done") == 2
        assert "response.created" not in types
        assert network.connections[0].passed.received["response.done"] == 2


@pytest.mark.parametrize("what", ["json", "utf8", "frame"])
async def test_what_is_broken_on_its_way_to_the_server_is_refused_there(what: Any) -> None:
    fault = Corrupt(sent("input_audio_buffer.clear"), what)
    async with through(fault) as (_, url), client(url) as session:
        await session.send({"type": "input_audio_buffer.clear"})
        if what == "frame":
            assert (await ended(session)).close_code == 1002
        elif what == "utf8":
            assert (await ended(session)).close_code == 1007
        else:
            refusal = await session.wait_for("error")
            assert isinstance(refusal, ErrorEvent)
            assert refusal.code == "invalid_json"


async def test_broken_frames_from_the_server_end_it_here_as_a_broken_connection() -> None:
    fault = Corrupt(received("input_audio_buffer.cleared"), "frame")
    async with through(fault) as (_, url), client(url) as session:
        await session.send({"type": "input_audio_buffer.clear"})
        end = await ended(session)
        assert end.close_code == 1006
        assert end.reason.startswith("broken on its way: ")


async def test_a_slow_connection_takes_its_time() -> None:
    slow = Throttle(sent("input_audio_buffer.append"), 64_000, "sent")
    async with through(slow) as (_, url), client(url, turn_detection=None) as session:
        began = time.monotonic()
        for append in appends(silence(1_000)):  # 64 kB as base64, and the JSON around them
            await session.send(append)
        await session.update(instructions="x")
        assert 0.9 < time.monotonic() - began < 3


async def test_received_bytes_are_counted_too() -> None:
    async with through(Drop(received_bytes(100))) as (network, url):
        with pytest.raises(rt.ConnectionFailedError):
            await client(url)
        assert network.connections[0].passed.received_bytes == 100
        assert not network.connections[0].passed.received
