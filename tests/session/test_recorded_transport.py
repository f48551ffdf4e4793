"""A recording's events at the other end of the wire: what waits for what, and the end."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from realtime_nb.errors import SessionClosedError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.recorded_transport import RecordedTransport
from tests.scripted_session import session
from tests.virtual import virtual


def greeted(*more: WireEvent) -> list[WireEvent]:
    return [said(0.0, "session.created", session=session()), *more]


def asked(t_s: float, name: str, **fields: Any) -> WireEvent:
    return WireEvent("sent", {"type": name, **fields}, t_s)


def said(t_s: float, name: str, **fields: Any) -> WireEvent:
    return WireEvent("received", {"type": name, **fields}, t_s)


async def arrivals(transport: RecordedTransport, count: int) -> list[tuple[float, str]]:
    """When and what the next events are."""
    loop = asyncio.get_running_loop()
    events = []
    for _ in range(count):
        event = await transport.receive()
        events.append((round(loop.time(), 3), event["type"]))
    return events


@virtual
async def test_events_come_at_their_times() -> None:
    transport = RecordedTransport(greeted(said(1.5, "a"), said(1.5, "b"), said(2.0, "c")), pace=2)

    assert await arrivals(transport, 4) == [
        (0.0, "session.created"),
        (0.75, "a"),
        (0.75, "b"),
        (1.0, "c"),
    ]


@virtual
async def test_an_answer_waits_for_its_question_and_moves_the_rest_back() -> None:
    transport = RecordedTransport(
        greeted(asked(1.0, "response.create"), said(1.2, "response.created"), said(2.0, "later"))
    )
    coming = asyncio.create_task(arrivals(transport, 3))
    await asyncio.sleep(4.0)
    assert transport.unsent == [{"type": "response.create"}]
    await transport.send({"type": "response.create"})

    assert await coming == [(0.0, "session.created"), (4.2, "response.created"), (5.0, "later")]
    assert transport.unsent == []


@virtual
async def test_one_who_asks_early_is_answered_at_the_recorded_time() -> None:
    transport = RecordedTransport(
        greeted(asked(1.0, "response.create"), said(1.2, "response.created"))
    )
    await transport.send({"type": "response.create"})

    assert await arrivals(transport, 2) == [(0.0, "session.created"), (1.2, "response.created")]


@virtual
async def test_audio_and_interruptions_hold_nothing_back() -> None:
    transport = RecordedTransport(
        greeted(
            asked(0.5, "input_audio_buffer.append", audio="AAAA"),
            asked(0.6, "response.cancel"),
            asked(0.7, "conversation.item.truncate"),
            asked(0.7, "conversation.item.delete"),
            said(0.8, "conversation.item.truncated"),
        )
    )

    assert (await arrivals(transport, 2))[1] == (0.8, "conversation.item.truncated")


@virtual
async def test_the_wait_ends_with_what_was_missing() -> None:
    output = {"type": "function_call_output", "call_id": "call_1"}
    transport = RecordedTransport(
        greeted(asked(1.0, "conversation.item.create", item=output), said(1.1, "more")),
        patience_s=3.0,
    )
    await transport.receive()

    with pytest.raises(SessionClosedError, match=r"item.create \(function_call_output\).*1\.0 s"):
        await transport.receive()

    assert asyncio.get_running_loop().time() == pytest.approx(4.0)
    with pytest.raises(SessionClosedError):
        await transport.send({"type": "response.create"})


@virtual
async def test_what_nobody_recorded_is_told_at_the_end() -> None:
    transport = RecordedTransport(greeted(asked(0.1, "response.create"), said(0.2, "x")))
    sent: list[JsonObject] = [
        {"type": "response.create", "event_id": "one"},
        {"type": "response.create", "event_id": "two"},
        {"type": "conversation.item.retrieve", "item_id": "item_1"},
        {"type": "input_audio_buffer.append", "audio": "AAAA"},
    ]
    for event in sent:
        await transport.send(event)

    assert (await arrivals(transport, 2))[1][1] == "x"
    assert transport.unexpected == sent[1:3]


@virtual
async def test_an_update_that_was_not_recorded_is_confirmed_as_things_are() -> None:
    transport = RecordedTransport(greeted(said(1.0, "x")))
    await transport.receive()
    await transport.send({"type": "session.update", "session": {"instructions": "No."}})

    assert await transport.receive() == {"type": "session.updated", "session": session()}


@virtual
async def test_an_error_names_this_clients_event() -> None:
    error = {"message": "No.", "event_id": "theirs"}
    transport = RecordedTransport(
        greeted(asked(0.1, "response.create", event_id="theirs"), said(0.2, "error", error=error))
    )
    await transport.send({"type": "response.create", "event_id": "mine"})
    await transport.receive()

    assert (await transport.receive())["error"] == {"message": "No.", "event_id": "mine"}


@virtual
async def test_it_ends_when_all_was_heard() -> None:
    delta = {"delta": "AAAA" * 16_000, "item_id": "i", "response_id": "r"}  # 1 s
    transport = RecordedTransport(
        greeted(said(0.0, "response.output_audio.delta", **delta)), pace=math.inf
    )
    await arrivals(transport, 2)

    with pytest.raises(SessionClosedError) as ended:
        await transport.receive()

    assert ended.value.close_code == 1000
    assert asyncio.get_running_loop().time() == pytest.approx(2.0)


@virtual
async def test_it_ends_as_the_recorded_one_did() -> None:
    transport = RecordedTransport(greeted(), end_s=3.0, close_code=1001, reason="expired")
    await transport.receive()

    with pytest.raises(SessionClosedError, match="expired") as ended:
        await transport.receive()

    assert ended.value.close_code == 1001
    assert asyncio.get_running_loop().time() == 3.0


@virtual
async def test_a_clock_that_runs_backwards_stops_nothing() -> None:
    transport = RecordedTransport(greeted(said(5.0, "a"), said(2.0, "b")))

    assert (await arrivals(transport, 3))[1:] == [(5.0, "a"), (5.0, "b")]


@virtual
async def test_events_without_times_come_at_once_after_those_before() -> None:
    transport = RecordedTransport(greeted(said(1.0, "a"), said(math.nan, "b")), end_s=math.nan)

    assert (await arrivals(transport, 3))[1:] == [(1.0, "a"), (1.0, "b")]
