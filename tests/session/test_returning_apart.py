"""Responses apart from the conversation outlive a lost connection: each is answered once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import Call, Reply, Request, ScriptedLLM, Text
from realtime_nb.testing import Drop, run_on_virtual_clock
from realtime_nb.testing.faults import Fault
from tests.session.lost_connections import Servers


class Booking:
    """Books what it is asked to by instructions, once, and answers otherwise."""

    name = "booking"

    def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        return ScriptedLLM([self._answer(request)]).reply(request)

    def _answer(self, request: Request) -> Reply:
        called = any(item["type"] == "function_call" for item in request.items)
        if "book" in request.instructions and not called:
            return Call("book", '{"day": "Friday"}')
        return f"Done with {request.instructions[:20]} or so it seems."


async def apart(*faults: Fault, books: bool = False) -> tuple[rt.Session, list[str], Any]:
    bookings: list[str] = []

    async def book(day: str) -> str:
        """Books a day."""
        bookings.append(day)
        await asyncio.sleep(0.2)
        return "booked"

    servers = Servers(Booking(), list(faults))
    policy = rt.Reconnect(first_s=0.3, jitter=False)
    async with servers:
        tools = [book] if books else []
        async with rt.connect(transport=servers.dial, tools=tools, reconnect=policy) as session:
            await session.create_response(
                conversation="none",
                instructions="please book it" if books else "first",
                metadata={"n": "1"},
                output_modalities=["text"],
            )
            if not books:
                await session.say("Hello.")
                await session.create_response(
                    conversation="none", instructions="second", metadata={"n": "2"}
                )
            for _ in range(3):
                await asyncio.sleep(5)
                await session._driver.until(lambda: not session.reconnecting, 30)
            await session.settled()
    return session, bookings, servers.transports[0].passed


def boundaries(books: bool) -> list[tuple[str, int, bool]]:
    passed = run_on_virtual_clock(apart(books=books))[2]
    counts = {"sent": passed.sent.total(), "received": passed.received.total()}
    return [
        (way, number, passes)
        for way, count in counts.items()
        for number in range(3, count + 1)
        for passes in (False, True)
    ]


@pytest.mark.parametrize("part", range(3))
def test_whenever_it_is_dropped_each_is_whole_once(part: int) -> None:
    for way, number, passes in boundaries(books=False)[part::12]:
        fault = Drop(getattr(rt.testing, way)(number), passes=passes)
        session, _, _ = run_on_virtual_clock(apart(fault))
        where = (way, number, passes)
        assert len(session.reconnections) == 1, where
        whole = [
            str((one.metadata or {}).get("n"))
            for one in session.conversation.responses.values()
            if not one.in_conversation and one.status == "completed"
        ]
        assert sorted(whole) == ["1", "2"], where
        assert [text for role, text in session.conversation.transcript() if role == "user"] == [
            "Hello."
        ], where
        assert session.conversation.refused == [], where


def test_whenever_it_is_dropped_a_function_in_it_runs_once() -> None:
    for way, number, passes in boundaries(books=True)[::2]:
        fault = Drop(getattr(rt.testing, way)(number), passes=passes)
        _, bookings, _ = run_on_virtual_clock(apart(fault, books=True))
        assert bookings == ["Friday"], (way, number, passes)
