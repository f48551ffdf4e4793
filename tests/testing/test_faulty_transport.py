"""A transport on which things go wrong, on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.transport import MemoryTransport, memory_pair
from realtime_nb.testing import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Fault,
    FaultyTransport,
    HalfOpen,
    MemoryServer,
    Throttle,
    appends,
    expiry,
    received,
    sent,
    sent_bytes,
    silence,
    tone,
)
from tests.virtual import virtual


def pair(*faults: Fault) -> tuple[FaultyTransport, MemoryTransport]:
    client, server = memory_pair()
    return FaultyTransport(client, faults), server


def event(n: int) -> JsonObject:
    return {"type": f"e{n}"}


async def arriving(end: Any, within_s: float = 60.0) -> list[tuple[str, float]]:
    """What arrives at an end, and when by the loop's clock, until nothing more does."""
    found: list[tuple[str, float]] = []
    while True:
        try:
            async with asyncio.timeout(within_s):
                one = await end.receive()
        except TimeoutError:
            return found
        except rt.SessionClosedError as ended:
            found.append((f"closed {ended.close_code}", asyncio.get_running_loop().time()))
            return found
        found.append((one["type"], round(asyncio.get_running_loop().time(), 3)))


@virtual
async def test_without_faults_nothing_is_different() -> None:
    faulty, server = pair()
    for n in range(1_500):
        await faulty.send(event(n))
        await server.send(event(n))
    assert [await server.receive() for _ in range(1_500)] == [event(n) for n in range(1_500)]
    assert [await faulty.receive() for _ in range(1_500)] == [event(n) for n in range(1_500)]
    await server.close(1011, "broken")
    for _ in range(2):
        with pytest.raises(rt.SessionClosedError) as ended:
            await faulty.receive()
        assert (ended.value.close_code, ended.value.reason) == (1011, "broken")
    with pytest.raises(rt.SessionClosedError):
        await faulty.send(event(0))
    await faulty.close()
    await faulty.close()


@pytest.mark.parametrize("passes", [False, True])
@pytest.mark.parametrize("code", [1006, 1001, 1011, 1012, 4000])
def test_it_drops_at_the_nth_event_sent(code: int, passes: bool) -> None:
    @virtual
    async def run() -> None:
        faulty, server = pair(Drop(sent(3), code, "why", passes=passes))
        for n in (1, 2, 3):
            await faulty.send(event(n))
        with pytest.raises(rt.SessionClosedError) as ended:
            await faulty.receive()
        assert (ended.value.close_code, ended.value.reason) == (code, "why")
        with pytest.raises(rt.SessionClosedError):
            await faulty.send(event(4))
        names = [name for name, _ in await arriving(server)]
        assert names[:-1] == ["e1", "e2", "e3"][: 3 if passes else 2]
        assert faulty.passed.lost == ({} if passes else {"e3": 1})
        await faulty.close()

    run()


@virtual
async def test_it_drops_at_the_nth_event_received_and_those_before_are_still_read() -> None:
    faulty, server = pair(expiry(received("e3")))
    for n in range(1, 6):
        await server.send(event(n))
    names = [name for name, _ in await arriving(faulty)]
    assert names == ["e1", "e2", "closed 1001"]
    assert (await arriving(server))[-1][0].startswith("closed")
    await faulty.close()


@virtual
async def test_it_drops_at_a_time_though_nothing_crosses() -> None:
    faulty, _ = pair(Drop(2.5))
    assert await arriving(faulty) == [("closed 1006", 2.5)]
    await faulty.close()


@virtual
async def test_half_open_is_silence_both_ways_and_nobody_is_told() -> None:
    faulty, server = pair(HalfOpen(sent(2)))
    for n in range(1, 5):
        await faulty.send(event(n))
        await server.send(event(n))
    assert [name for name, _ in await arriving(server)] == ["e1"]
    assert await arriving(faulty) == []
    assert faulty.passed.lost == {"e2": 1, "e3": 1, "e4": 1}
    await faulty.close()
    assert (await arriving(server))[0][0] == "closed 1000"  # closing it here ends what is inside


@virtual
async def test_one_way_may_be_open_still() -> None:
    faulty, server = pair(HalfOpen(direction="received"))
    reading = asyncio.create_task(arriving(faulty))
    await asyncio.sleep(0.1)
    await faulty.send(event(1))
    await server.send(event(1))
    assert [name for name, _ in await arriving(server)] == ["e1"]
    assert await reading == []
    await faulty.close()


@virtual
async def test_late_events_keep_their_order_and_overlap() -> None:
    faulty, server = pair(Delay(received(2), ms=300), Delay(sent(1), ms=50))

    async def talk() -> None:
        for n in range(1, 5):
            await faulty.send(event(n))
            await server.send(event(n))
            await asyncio.sleep(0.1)

    talking = asyncio.create_task(talk())
    there, here = await asyncio.gather(arriving(server), arriving(faulty))
    await talking
    assert there == [("e1", 0.05), ("e2", 0.15), ("e3", 0.25), ("e4", 0.35)]
    assert here == [("e1", 0.0), ("e2", 0.4), ("e3", 0.5), ("e4", 0.6)]
    await faulty.close()


@virtual
async def test_what_is_late_at_a_drop_never_comes_and_what_is_late_at_a_close_does() -> None:
    for end in ("drop", "close"):
        faulty, server = pair(Delay(ms=200))
        await faulty.send(event(1))
        await (faulty.inflict(Drop()) if end == "drop" else faulty.close())
        await faulty.close()
        names = [name for name, _ in await arriving(server)]
        assert names[:-1] == ([] if end == "drop" else ["e1"])


@virtual
async def test_doubled_and_broken_events() -> None:
    faults: list[Fault] = [
        Duplicate(sent(2)),
        Duplicate(received(1)),
        Corrupt(received(2)),
        Corrupt(sent(3)),
    ]
    faulty, server = pair(*faults)
    for n in (1, 2, 3):
        await faulty.send(event(n))
        await server.send(event(n))
    assert [name for name, _ in await arriving(server)] == ["e1", "e2", "e2", "malformed"]
    assert [name for name, _ in await arriving(faulty)] == ["e1", "e1", "malformed", "e3"]
    await faulty.close()


@virtual
async def test_a_broken_frame_ends_the_connection_as_websockets_do() -> None:
    faulty, server = pair(Corrupt(received(1), "frame"))
    await server.send(event(1))
    assert [name for name, _ in await arriving(faulty)] == ["closed 1006"]
    await faulty.close()


@virtual
async def test_a_broken_frame_to_the_server_is_refused_there() -> None:
    faulty, _ = pair(Corrupt(sent(1), "frame"))
    await faulty.send(event(1))
    assert [name for name, _ in await arriving(faulty)] == ["closed 1002"]
    await faulty.close()


@virtual
async def test_a_slow_connection_passes_so_many_bytes_a_second() -> None:
    size = len('{"type":"e1"}')
    faulty, server = pair(Throttle(bytes_per_s=size))
    reading = asyncio.create_task(arriving(faulty))
    await asyncio.sleep(0.001)
    for n in (1, 2, 3):
        await server.send(event(n))
    assert [round(t_s) for _, t_s in await reading] == [1, 2, 3]
    await faulty.close()


@virtual
async def test_a_part_of_an_event_is_none() -> None:
    faulty, server = pair(Drop(sent_bytes(20)))  # of 13 bytes each
    for n in (1, 2):
        await faulty.send(event(n))
    assert [name for name, _ in await arriving(server)][:-1] == ["e1"]
    await faulty.close()


@virtual
async def test_it_counts_the_audio_that_arrived_in_the_format_of_the_session() -> None:
    faulty, server = pair(HalfOpen(sent(8)))
    for append in appends(silence(100)):  # 5 × 20 ms
        await faulty.send(append)
    ulaw = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    await server.send({"type": "session.updated", "session": ulaw})
    await faulty.receive()
    for append in appends(bytes(80 * 4), piece_bytes=80):  # 4 × 10 ms at 8 kHz
        await faulty.send(append)
    assert faulty.passed.sent_audio_ms == pytest.approx(100 + 2 * 10)
    assert faulty.passed.lost_audio_ms == pytest.approx(2 * 10)
    await faulty.close()


@virtual
async def test_a_function_that_fails_is_no_silence() -> None:
    faulty, server = pair(Drop(lambda event: event["missing"]))
    await server.send(event(1))
    with pytest.raises(KeyError):
        await faulty.receive()
    await faulty.close()


@virtual
async def test_a_session_ends_as_its_connection_does_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with MemoryServer(ScriptedLLM(["One.", "Two."])) as server:
        faulty = FaultyTransport(server.transport, [Drop(received("response.done", nth=2))])
        async with rt.connect(transport=faulty) as session:
            await session.say("Hi")
            assert await session.settled()
            await session.speak(tone(400))
            with pytest.raises(rt.SessionClosedError, match="1006"):
                await session.settled()
    assert faulty.passed.received["response.done"] == 1
    assert faulty.passed.sent_audio_ms == pytest.approx(session.conversation.input_ms, abs=100)
    assert asyncio.all_tasks() == before
