"""Readers, and those who wait for an event or a condition."""

from __future__ import annotations

import asyncio

import pytest

from realtime_nb.errors import SessionClosedError
from realtime_nb.protocol.events import UnknownEvent
from realtime_nb.session.inbox import MAX_UNREAD_EVENTS, Inbox, Received
from tests.virtual import virtual

ENDED = SessionClosedError("over", 1006)


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
async def test_two_readers_share_the_events() -> None:
    inbox = Inbox()
    readers = [asyncio.create_task(read(inbox)) for _ in range(2)]
    for number in range(10):
        await asyncio.sleep(0.1)
        inbox.put(event(str(number)))
    await asyncio.sleep(0.1)
    inbox.end(ENDED, expected=True)
    first, second = await asyncio.gather(*readers)
    assert sorted(first + second) == [str(number) for number in range(10)]


@virtual
async def test_a_slow_reader_is_warned_where_events_are_missing() -> None:
    inbox = Inbox()
    events = inbox.events()
    inbox.put(event("first"))
    assert (await anext(events)).type == "first"
    for number in range(MAX_UNREAD_EVENTS + 3):
        inbox.put(event(str(number)))
    with pytest.warns(UserWarning, match="3 events that nobody read in time"):
        assert (await anext(events)).type == "3"
    assert (await anext(events)).type == "4"


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
