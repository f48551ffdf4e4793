"""One connection: what it carries, how it ends, and how its silent end is found out."""

from __future__ import annotations

import asyncio

import pytest

import realtime_nb as rt
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.open_connection import (
    PING_INTERVAL_S,
    PING_TIMEOUT_S,
    OpenConnection,
)
from realtime_nb.session.transport import MemoryTransport, memory_pair
from tests.virtual import virtual


class Pinged(MemoryTransport):
    """A transport whose other end answers pings until it has vanished."""

    vanished = False

    async def ping(self) -> None:
        if self.vanished:
            await asyncio.get_running_loop().create_future()


class Seen:
    def __init__(self, transport: MemoryTransport) -> None:
        self.received: list[JsonObject] = []
        self.ends: list[Exception] = []
        self.over = asyncio.Event()
        self.connection = OpenConnection(
            transport,
            received=self.received.append,
            ended=self.end,
            changed=lambda: None,
            sent_ms=100.0,
        )

    def end(self, connection: OpenConnection, error: Exception) -> None:
        self.ends.append(error)
        self.over.set()


def pinged_pair() -> tuple[Pinged, MemoryTransport]:
    client, server = Pinged(), MemoryTransport()
    client.join(server)
    server.join(client)
    return client, server


@virtual
async def test_events_come_and_go_in_order() -> None:
    client, server = memory_pair()
    seen = Seen(client)
    for n in range(40):
        await server.send({"n": n})
        seen.connection.outbox.put({"m": n}, 200.0 + n)
    await asyncio.sleep(0.1)
    assert [event["n"] for event in seen.received] == list(range(40))
    assert [(await server.receive())["m"] for _ in range(40)] == list(range(40))
    assert seen.connection.outbox.sent_ms == 239.0
    await seen.connection.close()


@virtual
async def test_its_end_is_told_once_and_not_when_it_is_ours() -> None:
    client, server = memory_pair()
    seen = Seen(client)
    await server.close(1011, "failed")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (error,) = seen.ends
    assert isinstance(error, rt.SessionClosedError)
    assert error.close_code == 1011
    await seen.connection.close()
    ours = Seen(memory_pair()[0])
    await ours.connection.close()
    assert ours.ends == []
    assert len(seen.ends) == 1


@virtual
async def test_an_error_of_ours_in_reading_is_its_end_too() -> None:
    client, server = memory_pair()
    ends: list[Exception] = []

    def fails(event: JsonObject) -> None:
        raise ZeroDivisionError

    OpenConnection(
        client, received=fails, ended=lambda _, error: ends.append(error), changed=lambda: None
    )
    await server.send({})
    await asyncio.sleep(0.1)
    assert [type(error) for error in ends] == [ZeroDivisionError]


@pytest.mark.feature("pings", "client")
@virtual
async def test_who_vanishes_is_found_out_within_the_stated_bound() -> None:
    client, _ = pinged_pair()
    seen = Seen(client)
    loop = asyncio.get_running_loop()
    await asyncio.sleep(3 * PING_INTERVAL_S + 1)
    assert seen.ends == []
    client.vanished = True
    vanished_s = loop.time()
    await asyncio.wait_for(seen.over.wait(), 60)
    assert loop.time() - vanished_s <= PING_INTERVAL_S + PING_TIMEOUT_S + 1
    error = seen.ends[0]
    assert isinstance(error, rt.SessionClosedError)
    assert error.close_code == 1006
    await seen.connection.close()


@virtual
async def test_what_was_sent_since_the_last_answer_counts_as_lost() -> None:
    client, _ = pinged_pair()
    seen = Seen(client)
    outbox = seen.connection.outbox
    outbox.put({"type": "input_audio_buffer.append"}, 140.0)
    await asyncio.sleep(PING_INTERVAL_S + 1)  # and a ping was answered
    assert (outbox.sent_ms, outbox.confirmed_ms) == (140.0, 140.0)
    client.vanished = True
    outbox.put({"type": "input_audio_buffer.append"}, 180.0)
    await asyncio.sleep(1)
    assert outbox.sent_ms == 180.0
    await asyncio.sleep(PING_INTERVAL_S + PING_TIMEOUT_S)
    assert outbox.sent_ms == 140.0
    await seen.connection.close()


@virtual
@pytest.mark.parametrize("late_s", [PING_TIMEOUT_S - 0.5, PING_TIMEOUT_S + 0.05])
async def test_an_answer_at_the_last_moment_counts(late_s: float) -> None:
    client, _ = pinged_pair()

    async def late() -> None:
        await asyncio.sleep(late_s)

    client.ping = late  # type: ignore[method-assign]
    seen = Seen(client)
    await asyncio.sleep(5 * (PING_INTERVAL_S + PING_TIMEOUT_S))
    assert seen.ends == []
    await seen.connection.close()
