"""Readers, those who wait for an event or a condition, and the one writer."""

from __future__ import annotations

import asyncio

import pytest

from realtime_nb.errors import SessionClosedError
from realtime_nb.protocol.events import JsonObject, UnknownEvent
from realtime_nb.session.queues import Inbox, Outbox
from realtime_nb.session.readers import Received
from tests.virtual import virtual

ENDED = SessionClosedError("over", 1006)
APPEND = {"type": "input_audio_buffer.append"}


# --- in ---


def event(name: str) -> UnknownEvent:
    return UnknownEvent(name, {"type": name})


async def read(inbox: Inbox) -> list[str]:
    return [received.type async for received in inbox.events()]


@virtual
async def test_events_are_read_from_the_first_on() -> None:
    inbox = Inbox()
    inbox.put(event("a"))
    reading = asyncio.create_task(read(inbox))
    await asyncio.sleep(1)
    inbox.put(event("b"))
    inbox.end(ENDED, expected=True)
    assert await reading == ["a", "b"]
    assert await read(inbox) == []


@virtual
async def test_an_unexpected_end_is_raised_after_the_last_event() -> None:
    inbox = Inbox()
    inbox.put(event("a"))
    inbox.end(ENDED, expected=False)
    seen = []
    with pytest.raises(SessionClosedError):
        async for received in inbox.events():
            seen.append(received.type)  # noqa: PERF401 - what was read before the error counts
    assert seen == ["a"]


@virtual
async def test_waiting_is_for_the_next_event_only() -> None:
    inbox = Inbox()
    inbox.put(event("a"))

    def is_a(received: Received) -> bool:
        return received.type == "a"

    waiting = asyncio.create_task(inbox.wait_for(is_a, 5))
    await asyncio.sleep(1)
    assert not waiting.done()
    inbox.put(event("b"))
    again = event("a")
    inbox.put(again)
    assert await waiting is again
    with pytest.raises(TimeoutError):
        await inbox.wait_for(is_a, 5)


@virtual
async def test_a_condition_is_looked_at_when_something_changed() -> None:
    inbox, values = Inbox(), [False]
    waiting = asyncio.create_task(inbox.until(lambda: values[0], 10))
    await asyncio.sleep(0.1)
    values[0] = True
    inbox.changed()
    assert await waiting
    assert asyncio.get_running_loop().time() == pytest.approx(0.1)


@virtual
async def test_a_condition_on_the_clock_is_looked_at_now_and_then() -> None:
    inbox, loop = Inbox(), asyncio.get_running_loop()
    assert await inbox.until(lambda: loop.time() >= 3, 10)
    assert loop.time() < 3.3
    assert not await inbox.until(lambda: False, 2)
    assert loop.time() < 5.3 + 0.01


@virtual
async def test_the_end_ends_every_wait() -> None:
    inbox = Inbox()
    waits = [
        asyncio.create_task(inbox.wait_for(lambda received: True, 100)),
        asyncio.create_task(read(inbox)),
    ]
    condition = asyncio.create_task(inbox.until(lambda: False))
    await asyncio.sleep(1)
    inbox.end(ENDED, expected=False)
    assert await asyncio.gather(*waits, return_exceptions=True) == [ENDED, ENDED]
    assert await condition is False
    assert asyncio.get_running_loop().time() == pytest.approx(1)


# --- out ---


class Wire:
    """A connection that is as slow as it is told to be."""

    def __init__(self) -> None:
        self.sent: list[JsonObject] = []
        self.changes: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.outbox = Outbox(self.send, lambda: self.changes.append(len(self.sent)))

    async def send(self, event: JsonObject) -> None:
        await self.open.wait()
        self.sent.append(event)


@virtual
async def test_events_leave_in_order_whenever_they_come() -> None:
    wire = Wire()
    writer = asyncio.create_task(wire.outbox.run())
    for number in range(5):
        wire.outbox.put({"type": "a", "number": number})
        if number % 2:
            await asyncio.sleep(0.1)
    await asyncio.sleep(0.1)
    assert [event["number"] for event in wire.sent] == [0, 1, 2, 3, 4]
    assert wire.outbox.empty
    assert wire.changes == [1, 2, 3, 4, 5]
    writer.cancel()


@virtual
async def test_unsent_appends_are_counted_until_they_are_sent() -> None:
    wire = Wire()
    wire.open.clear()
    writer = asyncio.create_task(wire.outbox.run())
    for event in (APPEND, {"type": "input_audio_buffer.commit"}, APPEND, {}):
        wire.outbox.put(event)
    await asyncio.sleep(0.1)
    held = (wire.outbox.unsent_appends, wire.outbox.empty)
    wire.open.set()
    await asyncio.sleep(0.1)
    assert [held, (wire.outbox.unsent_appends, wire.outbox.empty)] == [(2, False), (0, True)]
    writer.cancel()


@virtual
async def test_what_sending_raises_ends_the_writer_and_keeps_the_event() -> None:
    async def fail(event: JsonObject) -> None:
        raise OSError("gone")

    outbox = Outbox(fail, lambda: None)
    outbox.put(APPEND)
    with pytest.raises(OSError, match="gone"):
        await outbox.run()
    assert outbox.unsent_appends == 1
