"""Functions of ``main_thread=True``, called from the loop of another thread."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime_nb.agent.io_thread import IoThread
from realtime_nb.tools import Tool, ToolResult, notebook_loop, tool

WAIT_S = 10.0


@pytest.fixture(scope="module")
def io() -> Iterator[IoThread]:
    thread = IoThread("a-session")
    yield thread
    thread.stop()


def in_session(io: IoThread, work: Coroutine[Any, Any, ToolResult]) -> Future[ToolResult]:
    return asyncio.run_coroutine_threadsafe(work, io.loop)


def test_the_loop_of_a_notebook_is_the_running_one() -> None:
    async def cell() -> bool:
        return notebook_loop() is asyncio.get_running_loop()

    assert notebook_loop() is None
    assert asyncio.run(cell())


@pytest.mark.parametrize("is_async", [False, True])
async def test_it_runs_on_the_notebooks_thread_and_keeps_the_context(
    is_async: bool, io: IoThread
) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    def where() -> list[object]:
        return [threading.current_thread() is threading.main_thread(), variable.get()]

    async def where_too() -> list[object]:
        await asyncio.sleep(0)
        return where()

    async def session(main: asyncio.AbstractEventLoop) -> ToolResult:
        variable.set("set")
        made = tool(main_thread=True)(where_too if is_async else where)
        return await made.call("{}", main_loop=main)

    run = in_session(io, session(asyncio.get_running_loop()))
    assert await asyncio.wrap_future(run) == ToolResult('[true,"set"]', "ok")


async def test_others_run_where_they_always_do(io: IoThread) -> None:
    @tool
    async def where() -> str:
        return threading.current_thread().name

    run = in_session(io, where.call("{}", main_loop=asyncio.get_running_loop()))
    assert (await asyncio.wrap_future(run)).output == "a-session"


@pytest.mark.parametrize(
    "raised", [ValueError("no such day"), SystemExit(2), KeyboardInterrupt(), StopIteration()]
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_what_it_raises_ends_neither_loop(
    raised: BaseException, is_async: bool, io: IoThread
) -> None:
    def fail() -> None:
        raise raised

    async def fail_too() -> None:
        raise raised

    made = tool(main_thread=True)(fail_too if is_async else fail)
    run = in_session(io, made.call("{}", main_loop=asyncio.get_running_loop()))
    result = await asyncio.wrap_future(run)
    assert result.outcome == "error"
    assert type(raised).__name__ in result.output
    assert result.exception is not None


def test_a_loop_that_is_no_more_is_an_error_of_the_tool(io: IoThread) -> None:
    gone = asyncio.new_event_loop()
    gone.close()
    made = tool(name="late", main_thread=True)(lambda: None)
    result = in_session(io, made.call("{}", main_loop=gone)).result(WAIT_S)
    assert result.outcome == "error"
    assert "is over" in result.output


async def test_a_hanging_coroutine_is_cancelled_over_there(io: IoThread) -> None:
    cancelled = asyncio.Event()

    @tool(main_thread=True, timeout_s=0.05)
    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    run = in_session(io, hang.call("{}", main_loop=asyncio.get_running_loop()))
    assert (await asyncio.wrap_future(run)).outcome == "timeout"
    await asyncio.wait_for(cancelled.wait(), WAIT_S)


class Notebook:
    """A loop that is held up by cells, and calls of its tools from a session."""

    def __init__(self, io: IoThread) -> None:
        self.io = io
        self.loop = asyncio.new_event_loop()
        self.ran: list[int] = []
        self.told: list[str] = []
        self.runs: list[Future[ToolResult]] = []

    def ask(self, made: Tool) -> None:
        number = len(self.runs)

        async def call() -> ToolResult:
            try:
                return await made.call(
                    f'{{"n": {number}}}', lambda: self.told.append(f"began {number}"), self.loop
                )
            finally:
                self.told.append(f"ended {number}")

        self.runs.append(in_session(self.io, call()))
        self.on_io_thread(lambda: None)

    def on_io_thread(self, work: Callable[[], object]) -> None:
        """Does something in the session, once everything before is done there."""

        async def soon() -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            work()

        self.io.run(soon()).result(WAIT_S)

    def idle(self) -> None:
        """No cell runs: the loop does what has piled up."""
        for _ in range(5):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
            self.on_io_thread(lambda: None)

    def close(self) -> None:
        self.idle()
        self.loop.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    orders=st.lists(st.sampled_from(["ask", "ask async", "cancel first", "cancel last", "idle"])),
)
def test_every_call_runs_once_or_was_given_up_before(orders: list[str], io: IoThread) -> None:
    notebook = Notebook(io)

    def note(n: int) -> int:
        notebook.ran.append(n)
        return n

    async def note_too(n: int) -> int:
        note(n)
        await asyncio.sleep(0)
        return n

    kinds = {
        "ask": tool(main_thread=True)(note),
        "ask async": tool(main_thread=True)(note_too),
    }
    given_up: set[int] = set()
    for order in orders:
        waiting = [number for number, run in enumerate(notebook.runs) if not run.done()]
        if order in kinds:
            notebook.ask(kinds[order])
        elif order == "idle":
            notebook.idle()
        elif waiting:
            number = waiting[0 if order == "cancel first" else -1]
            given_up.add(number)
            notebook.runs[number].cancel()
            notebook.on_io_thread(lambda: None)
    notebook.close()

    asked = range(len(notebook.runs))
    assert notebook.ran == [number for number in asked if number not in given_up]
    for number, run in enumerate(notebook.runs):
        told = [words for words in notebook.told if words.endswith(f" {number}")]
        if number in given_up:
            assert run.cancelled()
            assert told == [f"ended {number}"]
        else:
            assert run.result(WAIT_S) == ToolResult(str(number), "ok")
            assert told == [f"began {number}", f"ended {number}"]


def test_one_whose_time_is_over_before_its_turn_is_not_run(io: IoThread) -> None:
    notebook = Notebook(io)

    @tool(main_thread=True, timeout_s=0.05)
    def late(n: int) -> None:
        notebook.ran.append(n)

    notebook.ask(late)
    result = notebook.runs[0].result(WAIT_S)
    notebook.close()
    assert (result.outcome, result.output) == ("timeout", '{"error": "late took over 0.05 s."}')
    assert (notebook.ran, notebook.told) == ([], ["ended 0"])
