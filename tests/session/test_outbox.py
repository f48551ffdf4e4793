"""One queue, one writer, in order."""

from __future__ import annotations

import asyncio

import pytest

from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.outbox import Outbox
from tests.virtual import virtual

APPEND = {"type": "input_audio_buffer.append"}


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
