"""A network that fails on purpose: handshakes, plans for several connections, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import time

import pytest
import websockets.asyncio.client as ws
from websockets.exceptions import ConnectionClosed, InvalidStatus

import realtime_nb as rt
from realtime_nb.testing import (
    Delay,
    Drop,
    Fault,
    FaultyNetwork,
    HalfOpen,
    Refuse,
    SlowHandshake,
    Throttle,
    received,
)
from tests.testing.networks import TOKEN, client, ended, running, through


async def test_without_faults_it_is_not_there() -> None:
    async with through() as (network, url), client(url) as session:
        await session.say("Hello")
        assert await session.settled()
        assert [role for role, _ in session.conversation.transcript()] == ["user", "assistant"]
        [connection] = network.connections
        assert connection.passed.received["response.done"] == 1
        assert connection.passed.received_audio_ms > 0
        assert not connection.passed.lost


@pytest.mark.parametrize("status", [401, 408, 429, 500, 503, 599, None])
async def test_handshakes_are_refused_so_often_and_then_let_through(status: int | None) -> None:
    async with through(Refuse(2, status, retry_after_s=1.2, body="not now")) as (network, url):
        for _ in range(2):
            with pytest.raises(rt.ConnectionFailedError) as failed:
                await client(url)
            assert failed.value.code == (None if status is None else str(status))
            assert ("not now" in str(failed.value)) == (status is not None)
        async with client(url) as session:
            await session.say("Hello")
        assert (network.refused, len(network.connections)) == (2, 1)


async def test_a_refusal_says_when_to_come_back() -> None:
    async with through(Refuse(1, 429, retry_after_s=1.2)) as (_, url):
        with pytest.raises(InvalidStatus) as refused:
            await ws.connect(url)
        assert refused.value.response.headers["Retry-After"] == "2"


async def test_a_handshake_is_slow() -> None:
    async with through([SlowHandshake(0.4)], [SlowHandshake(math.inf)]) as (network, url):
        began = time.monotonic()
        async with client(url):
            assert time.monotonic() - began >= 0.4
        with pytest.raises(TimeoutError):
            await ws.connect(url, open_timeout=0.3)
        assert len(network.connections) == 1


async def test_several_connections_in_a_row_have_faults_of_their_own() -> None:
    rows = [[Drop(0.1, 1011)], [Refuse(1), Drop(0.1, 1012)], [], [Drop(0.1, 4000)]]
    async with through(*rows) as (network, url):
        found = []
        for _ in range(6):
            try:
                async with client(url) as session:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.4):
                            async for _ in session:
                                pass
                    found.append(0)
            except rt.ConnectionFailedError as failed:
                found.append(int(failed.code or 0))
            except rt.SessionClosedError as closed:
                found.append(closed.close_code or 0)
        assert found == [1011, 503, 1012, 0, 4000, 0]
        assert network.refused == 1


async def test_faults_of_the_nth_connection_by_a_function() -> None:
    async with running() as server:
        network = FaultyNetwork(server, lambda n: [Drop(0.0, 1011)] if n % 2 else [])
        async with network as url:
            for n in range(1, 5):
                with contextlib.suppress(rt.RealtimeError):
                    async with client(url) as session:
                        await session.settled()
                assert [c.struck != [] for c in network.connections][n - 1] == bool(n % 2)


async def test_the_short_forms() -> None:
    async with running() as server:
        network = FaultyNetwork(server, refuse=1, expire_at=0.2)
        async with network as url:
            with pytest.raises(rt.ConnectionFailedError, match="503"):
                await client(url)
            async with client(url) as session:
                end = await ended(session)
        assert (end.close_code, end.reason[:28]) == (1001, "Your session hit the maximum")
        async with FaultyNetwork(server, drop_at="session.updated", code=1013) as url:
            with pytest.raises(rt.SessionClosedError, match="1013"):
                await client(url)


async def test_a_fault_can_be_inflicted_at_once() -> None:
    async with through() as (network, url), client(url) as session:
        await network.inflict(Drop(code=1011))
        assert (await ended(session)).close_code == 1011
        assert network.open == []


async def test_a_server_that_is_not_there_is_a_bad_gateway() -> None:
    async with FaultyNetwork("ws://127.0.0.1:9/v1/realtime") as url:
        with pytest.raises(rt.ConnectionFailedError, match="502"):
            await client(url)


@pytest.mark.parametrize("server", ["http://127.0.0.1/", "nonsense"])
async def test_what_is_no_websocket_server_is_refused(server: str) -> None:
    with pytest.raises(rt.ConfigurationError, match="no ws://"):
        async with FaultyNetwork(server):
            pass


async def test_a_function_that_fails_fails_the_block() -> None:
    async with running() as server:
        with pytest.raises(KeyError):
            async with FaultyNetwork(server, drop_at=lambda event: event["missing"]) as url:
                with contextlib.suppress(rt.RealtimeError):
                    await client(url)


async def test_clients_that_would_compress_are_read_all_the_same() -> None:
    async with through() as (network, url):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with ws.connect(f"{url}?model=m", additional_headers=headers) as socket:
            await socket.recv()
            await socket.send(['{"type": "input_audio', '_buffer.clear"}'])  # in fragments
            assert "cleared" in str(await socket.recv())
        assert network.connections[0].passed.sent == {"input_audio_buffer.clear": 1}


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("kind", ["drop", "half open", "slow", "rst", "running", "never"])
async def test_it_leaves_nothing_behind(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    faults: dict[str, Fault] = {
        "drop": Drop(0.1),
        "half open": HalfOpen(0.1),
        "slow": Throttle(0.1, bytes_per_s=10),
        "rst": Drop(0.1, tcp="rst"),
        "running": Delay(ms=10),
        "never": SlowHandshake(math.inf),
    }
    async with running() as server:
        gc.collect()
        before = files(), len(asyncio.all_tasks())
        async with FaultyNetwork(server, [faults[kind]]) as url:
            socket = ws.connect(
                f"{url}?model=m",
                additional_headers={"Authorization": f"Bearer {TOKEN}"},
                open_timeout=0.5,
                close_timeout=0.2,
            )
            with contextlib.suppress(TimeoutError, ConnectionClosed):
                async with socket as connection:
                    await connection.send('{"type": "input_audio_buffer.clear"}')
                    await asyncio.sleep(0.3)
        async with asyncio.timeout(5):
            while (files(), len(asyncio.all_tasks())) != before:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_its_end_says_nothing_of_what_was_open(caplog: pytest.LogCaptureFixture) -> None:
    async with through() as (network, url):
        session = await client(url)
        assert len(network.open) == 1
    await asyncio.sleep(0)
    assert not [record for record in caplog.records if record.name == "asyncio"]
    await session.close()


async def test_it_is_awaited_and_closed_too() -> None:
    async with running() as server:
        network = await FaultyNetwork(server, drop_at=received("response.done"))
        assert (network.running, network.token) == (True, server.token)
        async with rt.connect(network, reconnect=False) as session:  # with the server's key
            await session.say("Hello")
            assert (await ended(session)).close_code == 1006
        await network.close()
        await network.close()
        assert (network.running, network.open) == (False, [])
        with pytest.raises(rt.ConfigurationError, match="does not run"):
            await rt.connect(network)
        with pytest.raises(rt.ConfigurationError, match="entered before"):
            await network


async def test_the_servers_url_is_enough_and_the_key_is_given() -> None:
    async with running() as server:
        network = await FaultyNetwork(server.url)
        async with rt.connect(network, api_key=TOKEN, reconnect=False) as session:
            await session.say("Hello")
            assert await session.settled()
        assert len(network.connections) == 1
        await network.close()


async def test_what_never_ran_can_be_closed() -> None:
    await FaultyNetwork("ws://127.0.0.1:9/v1/realtime").close()
    with pytest.raises(rt.ConfigurationError, match="'nowhere' is no ws:// or wss:// URL"):
        await FaultyNetwork("nowhere")
