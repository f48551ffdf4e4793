"""Loops over one session's events that begin, end and are slow at any moment.

What each has to have is told by the list of what was put, by itself: from which place in it a loop
began, and how many it took.
"""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Literal
from weakref import ref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.errors import SessionClosedError
from realtime_nb.protocol.events import UnknownEvent
from realtime_nb.session import readers
from realtime_nb.session.queues import Inbox
from realtime_nb.testing import run_on_virtual_clock
from tests.virtual import virtual

ENDED = SessionClosedError("over", 1006)


class Event(UnknownEvent, frozen=True, weakref=True):
    """An event that can be weakly held."""


def event(number: int) -> Event:
    return Event(str(number), {})


@dataclass(frozen=True)
class Plan:
    """A loop that is to be run.

    Attributes:
        at: when it begins.
        takes: after how many events it is left; None: never.
        cancelled_at: when it is cancelled; None: never.
        slow: how long it is busy with each event.
    """

    at: int
    takes: int | None
    cancelled_at: int | None
    slow: float


PLANS = st.builds(
    Plan,
    at=st.integers(0, 12),
    takes=st.none() | st.integers(1, 5),
    cancelled_at=st.none() | st.integers(1, 14),
    slow=st.sampled_from([0.0, 0.0, 0.4, 1.3, 5.0]),
)


@dataclass
class Loops:
    """An inbox, what was put into it, and the loops over it, with what each has to begin with."""

    inbox: Inbox = field(default_factory=Inbox)
    put: list[str] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    furthest: int = 0

    async def run(self, me: int, plan: Plan) -> tuple[int, list[str], str]:
        """Returns where a loop had to begin, what it got, and how it ended."""
        seen: list[str] = []
        began, how = -1, "ended"
        try:
            await asyncio.sleep(plan.at)
            began = len(self.put) if self.open else self.furthest
            self.open.add(me)
            async for received in self.inbox.events():
                seen.append(received.type)
                self.furthest = max(self.furthest, began + len(seen))
                if len(seen) == plan.takes:
                    how = "left"
                    break
                await asyncio.sleep(plan.slow)
        except asyncio.CancelledError:
            how = "cancelled"
        finally:
            self.open.discard(me)
        return began, seen, how


@settings(max_examples=150, deadline=None)
@given(
    plans=st.lists(PLANS, min_size=2, max_size=3),
    gaps=st.lists(st.sampled_from([0.0, 0.0, 0.3, 1.1, 2.7]), max_size=14),
)
def test_each_loop_has_the_events_of_its_time_in_order(
    plans: list[Plan], gaps: list[float]
) -> None:
    async def talk() -> None:
        loops = Loops()
        running = [asyncio.create_task(loops.run(me, plan)) for me, plan in enumerate(plans)]
        for task, plan in zip(running, plans, strict=True):
            if plan.cancelled_at is not None:
                asyncio.get_running_loop().call_later(plan.cancelled_at + 0.05, task.cancel)
        for number, gap in enumerate(gaps):
            await asyncio.sleep(gap + 0.001)
            loops.put.append(str(number))
            loops.inbox.put(event(number))
        await asyncio.sleep(100)
        loops.inbox.end(ENDED, expected=True)
        for plan, (began, seen, how) in zip(plans, await asyncio.gather(*running), strict=True):
            if how == "ended":
                assert seen == loops.put[began:]
            elif how == "left":
                assert seen == loops.put[began : began + (plan.takes or 0)]
            elif began >= 0:
                assert seen == loops.put[began : began + len(seen)]

    run_on_virtual_clock(talk())


async def read(events: AsyncIterator[readers.Received]) -> list[str]:
    return [received.type async for received in events]


@virtual
async def test_a_loop_that_was_left_is_taken_up_by_the_next() -> None:
    inbox = Inbox()
    for number in range(5):
        inbox.put(event(number))
    async for received in inbox.events():
        if received.type == "1":
            break
    inbox.put(event(5))
    inbox.end(ENDED, expected=True)
    assert await read(inbox.events()) == ["2", "3", "4", "5"]
    assert await read(inbox.events()) == []


@virtual
async def test_loops_that_begin_together_both_have_everything() -> None:
    inbox = Inbox()
    events = [inbox.events() for _ in range(2)]
    for number in range(10):
        inbox.put(event(number))
    inbox.end(ENDED, expected=False)
    for loop in events:
        seen = []
        with pytest.raises(SessionClosedError):
            async for received in loop:
                seen.append(received.type)  # noqa: PERF401 - what was read before the error counts
        assert seen == [str(number) for number in range(10)]


@virtual
async def test_only_the_loop_that_is_too_slow_misses_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "MAX_UNREAD_EVENTS", 50)
    inbox = Inbox()
    slow, quick = inbox.events(), inbox.events()
    inbox.put(event(0))
    assert (await anext(slow)).type == "0"
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(1, 54):
            inbox.put(event(number))
            seen.append((await anext(quick)).type)
        assert seen == [str(number) for number in range(53)]
    with pytest.warns(UserWarning, match="^3 events that nobody read in time") as told:
        assert (await anext(slow)).type == "4"
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (await anext(slow)).type == "5"


@virtual
async def test_a_wait_that_is_cancelled_costs_no_event() -> None:
    inbox = Inbox()
    events = inbox.events()
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await anext(events)
    inbox.put(event(0))
    assert (await anext(events)).type == "0"


@pytest.mark.parametrize("leaving", ["break", "cancelled", "closed", "raised"])
@virtual
async def test_a_loop_that_was_left_holds_no_events(
    leaving: Literal["break", "cancelled", "closed", "raised"],
) -> None:
    inbox = Inbox()

    async def loop() -> None:
        async for _ in inbox.events():
            if leaving == "break":
                return
            if leaving == "raised":
                raise ValueError

    async def closed() -> None:
        async with aclosing(held) as events:
            await anext(events)
        with pytest.raises(StopAsyncIteration):
            await anext(held)

    quick, held = inbox.events(), inbox.events()
    if leaving != "closed":
        del held
    task = asyncio.create_task(closed() if leaving == "closed" else loop())
    await asyncio.sleep(0)
    if leaving != "cancelled":
        inbox.put(event(0))
    await asyncio.sleep(1)
    task.cancel()
    with suppress(ValueError, asyncio.CancelledError):
        await task  # whoever keeps it keeps the traceback, too
    if leaving == "cancelled":
        inbox.put(event(0))
    latest = event(1)
    held_weakly = ref(latest)
    inbox.put(latest)
    del latest
    assert [(await anext(quick)).type for _ in range(2)] == ["0", "1"]
    gc.collect()
    assert held_weakly() is None


@virtual
async def test_what_a_slow_loop_has_still_to_read_is_kept() -> None:
    """The counterpart of what holds nothing: without it, nothing would ever be held."""
    inbox = Inbox()
    slow, quick = inbox.events(), inbox.events()
    latest = event(0)
    held_weakly = ref(latest)
    inbox.put(latest)
    del latest
    await anext(quick)
    gc.collect()
    assert held_weakly() is not None
    assert (await anext(slow)).type == "0"
    gc.collect()
    assert held_weakly() is None
