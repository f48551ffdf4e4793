"""What a function knows of the call that it is run for."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

import realtime_nb as rt
from realtime_nb.errors import ToolError
from realtime_nb.tools import tool
from realtime_nb.tools.tool_call import ToolCall


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_model_is_not_told_of_it() -> None:
    @tool
    def f(n: int, call: rt.ToolCall, again: rt.ToolCall | None = None) -> str:
        return call.id

    assert set(f.parameters["properties"]) == {"n"}


async def test_a_function_is_given_its_call_and_its_session() -> None:
    @tool
    def f(call: ToolCall, session: rt.Session) -> list[object]:
        return [call.id, call.name, session]

    result = await f.call("{}", session="the session", call=ToolCall("call_1", "f"))
    assert json.loads(result.output) == ["call_1", "f", "the session"]


async def test_without_a_session_there_is_a_call_too() -> None:
    @tool
    def f(call: ToolCall) -> bool:
        call.progress("nobody listens")
        return call.cancelled

    assert (await f.call("{}")).output == "false"


async def test_a_thread_learns_that_its_time_is_over() -> None:
    seen: list[object] = []
    over = threading.Event()

    @tool(timeout_s=0.02)
    def f(call: ToolCall) -> None:
        seen.append(call.wait(10))
        seen.append(call.reason)
        over.set()
        call.raise_if_cancelled()
        seen.append("went on")

    assert (await f.call("{}")).outcome == "timeout"
    assert await asyncio.to_thread(over.wait, 5)
    assert seen == [True, "timeout"]


def test_it_is_stopped_once_and_for_one_reason() -> None:
    calls: list[str] = []
    call = ToolCall("call_1", "f")
    call.raise_if_cancelled()
    assert not call.wait(0)
    call.on_stop(lambda: calls.append("before"))
    assert call.stop("cancelled")
    assert not call.stop("closed")
    call.on_stop(lambda: calls.append("after"))
    assert (call.cancelled, call.reason, calls) == (True, "cancelled", ["before", "after"])
    assert call.wait(0)
    assert repr(call) == "<ToolCall f call_1 cancelled>"
    with pytest.raises(ToolError, match=r"f was ended before it was done \(cancelled\)"):
        call.raise_if_cancelled()


def test_progress_that_comes_too_fast_is_left_out() -> None:
    told: list[str] = []
    clock = Clock()
    call = ToolCall("", "f", told.append, clock)
    for eighth in range(10):
        clock.now_s = eighth / 8
        call.progress(eighth)
    assert told == ["0", "2", "4", "6", "8"]
    call.stop("timeout")
    clock.now_s = 5
    call.progress("late")
    assert told[-1] == "8"


@pytest.mark.parametrize("is_async", [False, True])
async def test_what_a_generator_yields_is_its_progress(is_async: bool) -> None:
    clock = Clock()
    told: list[str] = []

    def plain() -> Iterator[object]:
        for step in ("looking", {"page": 2}, ["found"]):
            clock.now_s += 1
            yield step

    async def with_loop() -> AsyncIterator[object]:
        for step in plain():
            yield step

    made = tool(with_loop if is_async else plain)
    result = await made.call("{}", call=ToolCall("", "f", told.append, clock))
    assert told == ["looking", '{"page":2}', '["found"]']
    assert result.output == '["found"]'


async def test_what_a_generator_returns_is_its_output() -> None:
    @tool
    def f():  # type: ignore[no-untyped-def]
        yield "looking"
        return {"found": 2}

    assert (await f.call("{}")).output == '{"found":2}'


async def test_a_generator_in_a_thread_is_closed_once_nobody_waits() -> None:
    closed = threading.Event()

    @tool(timeout_s=0.05)
    def f(call: ToolCall):  # type: ignore[no-untyped-def]
        try:
            while True:
                call.wait(0.01)
                yield "more"
        finally:
            closed.set()

    assert (await f.call("{}")).outcome == "timeout"
    assert await asyncio.to_thread(closed.wait, 5)
