"""Functions that do whatever they can: there is a result, in time, and the loop goes on."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pydantic
import pytest

from realtime_nb.errors import ToolError
from realtime_nb.tools import Tool, ToolCall, ToolResult, running, tool
from realtime_nb.tools.outputs import MAX_OUTPUT_CHARS, brief

TIMEOUT_S = 0.4
PATIENCE_S = 6.0
"""A loaded machine is slow; what sleeps here sleeps for half a minute, or for ever."""


class Unreadable(Exception):
    def __str__(self) -> str:
        raise SystemExit("no text")

    __repr__ = __str__


class Endless(Exception):
    def __str__(self) -> str:
        time.sleep(30)
        return ""


class Evil:
    """Has code wherever somebody might look."""

    def __getattribute__(self, name: str) -> Any:
        raise KeyboardInterrupt(name)

    def __repr__(self) -> str:
        raise SystemExit


class Sleepy(list):  # type: ignore[type-arg]
    def __iter__(self) -> Iterator[Any]:
        time.sleep(30)
        return super().__iter__()


class Metered(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise GeneratorExit


@dataclasses.dataclass
class Counting:
    values: Any = dataclasses.field(default_factory=lambda: (n for n in itertools.count()))


class Counted(pydantic.BaseModel):
    value: Any


def circular() -> dict[str, Any]:
    one: dict[str, Any] = {}
    one["self"] = [one]
    return one


def deep(levels: int) -> list[Any]:
    one: list[Any] = []
    for _ in range(levels):
        one = [one]
    return one


RAISED: list[Callable[[], BaseException]] = [
    lambda: SystemExit(1),
    lambda: KeyboardInterrupt(),
    lambda: asyncio.CancelledError(),
    lambda: GeneratorExit(),
    lambda: StopIteration(3),
    lambda: StopAsyncIteration(),
    lambda: MemoryError(),
    lambda: RecursionError("deep"),
    lambda: Unreadable(),
    lambda: Endless(),
    lambda: ValueError(Evil()),
    lambda: ValueError("half a letter: \ud83d"),
    lambda: ValueError("x" * 80_000_000),
    lambda: ExceptionGroup("many", [ValueError("one"), Unreadable()]),
    lambda: BaseExceptionGroup("many", [SystemExit(1)]),
    lambda: TimeoutError(),
]
RETURNED: list[Callable[[], Any]] = [
    lambda: Evil(),
    lambda: [Evil()],
    lambda: {"a": Evil()},
    lambda: Metered(a=1),
    lambda: Counting(),
    lambda: list(range(5_000_000)),
    lambda: {"a": (n for n in itertools.count())},
    lambda: itertools.count(),
    lambda: circular(),
    lambda: deep(90),
    lambda: deep(100_000),
    lambda: "x" * 80_000_000,
    lambda: b"x" * 80_000_000,
    lambda: 10**5000,
    lambda: float("nan"),
    lambda: [float("inf"), {"x": float("-inf")}],
    lambda: "half \ud83d",
    lambda: {"half \udc00": ["\ud83d\ude00"]},
    lambda: b"\xff\x00",
    lambda: np.zeros(10_000_000),
    lambda: pd.DataFrame({"a": range(1_000_000)}),
    lambda: Counted(value=np.arange(3)),
    lambda: Counted(value=float("nan")),
    lambda: Counted(value=itertools.count()),
    lambda: map(str, itertools.count()),
    lambda: {"a": itertools.repeat([1])},
    lambda: itertools.cycle("ab"),
    lambda: ValueError,
    lambda: object(),
    lambda: sys.modules,
    lambda: threading.Lock(),
    lambda: NotImplemented,
    lambda: ...,
    lambda: {1: 2, None: 3, (1, 2): 4},
    lambda: {frozenset(): 1},
]

SLEEPY: list[Callable[[], Any]] = [lambda: Sleepy([1]), lambda: [{"a": Sleepy([1])}]]


def tools(function: Callable[[], Any]) -> Iterator[Tool]:
    """Returns tools of every kind that do what a function does."""

    async def on_the_loop() -> Any:
        return function()

    async def after_a_while() -> Any:
        await asyncio.sleep(0)
        return function()

    async def in_steps() -> Any:
        yield 1
        yield function()

    def in_steps_of_a_thread() -> Any:
        yield 1
        return function()

    def leaves_it_to_the_loop() -> Any:
        return on_the_loop()

    made = tool(timeout_s=TIMEOUT_S)
    yield made(function_named("plain", function))
    for kind in (
        on_the_loop,
        after_a_while,
        in_steps,
        in_steps_of_a_thread,
        leaves_it_to_the_loop,
    ):
        yield made(kind)
    yield tool(timeout_s=TIMEOUT_S, main_thread=True)(function_named("here", function))


def function_named(name: str, function: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        return function()

    run.__name__ = name
    return run


async def stalls() -> tuple[asyncio.Task[None], list[float]]:
    """Measures how long the loop is held up."""
    gaps: list[float] = [0.0]

    async def measure() -> None:
        while True:
            began_s = time.perf_counter()
            await asyncio.sleep(0.005)
            gaps.append(time.perf_counter() - began_s)

    return asyncio.create_task(measure()), gaps


async def outcome(made: Tool) -> ToolResult:
    began_s = time.perf_counter()
    result = await made.call("{}")
    assert time.perf_counter() - began_s < PATIENCE_S
    assert isinstance(result.output, str)
    result.output.encode()  # it can be written anywhere
    assert len(result.output) <= MAX_OUTPUT_CHARS
    if result.outcome != "ok":
        assert set(json.loads(result.output)) == {"error"}
    return result


@pytest.mark.parametrize("raised", RAISED)
async def test_a_function_may_raise_anything(raised: Callable[[], BaseException]) -> None:
    def fail() -> None:
        raise raised()

    for made in tools(fail):
        result = await outcome(made)
        assert result.outcome in ("error", "timeout"), made.name


@pytest.mark.parametrize("returned", RETURNED + SLEEPY)
async def test_a_function_may_return_anything(returned: Callable[[], Any]) -> None:
    for made in tools(returned):
        await outcome(made)


@pytest.mark.parametrize("returned", [Sleepy, Counting, lambda: deep(50_000), lambda: "x" * 10**8])
async def test_whatever_it_returns_nobody_else_waits(returned: Callable[[], Any]) -> None:
    measuring, gaps = await stalls()
    for made in tools(returned):
        if not made.main_thread:
            await outcome(made)
    measuring.cancel()
    assert max(gaps) < PATIENCE_S


async def test_one_that_clings_to_life_is_left_alone() -> None:
    """It swallows its cancellation, for good."""
    release = asyncio.Event()
    swallowed: list[int] = []

    async def cling() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                swallowed.append(1)

    result = await outcome(tool(timeout_s=0.05)(cling))
    assert result.outcome == "timeout"
    assert swallowed == [1]
    release.set()


async def test_arguments_are_checked_by_code_that_may_do_anything() -> None:
    def slow(value: int) -> int:
        time.sleep(30)
        return value

    def evil(value: int) -> int:
        raise SystemExit

    def wrong(value: int) -> int:
        raise KeyError("no such key")

    for validator, expected in ((slow, "timeout"), (evil, "invalid"), (wrong, "invalid")):

        async def f(n: int) -> int:
            return n

        f.__annotations__["n"] = Annotated[int, pydantic.AfterValidator(validator)]
        result = await tool(timeout_s=0.2)(f).call('{"n": 1}')
        assert result.outcome == expected


async def test_how_long_an_output_may_be_is_told() -> None:
    for value in ("x" * (MAX_OUTPUT_CHARS + 1), list(range(50_000))):
        result = await tool(_returning(value)).call("{}")
        assert result.outcome == "error"
        assert "more than 100,000 characters" in result.output
    assert (await tool(_returning("x" * MAX_OUTPUT_CHARS)).call("{}")).outcome == "ok"


def _returning(value: Any) -> Callable[[], Any]:
    def f() -> Any:
        return value

    return f


async def test_numbers_that_json_lacks_are_nothing_and_half_letters_are_marked() -> None:
    value = {"n": float("nan"), "text": "half \ud83d", "whole": "\ud83d\ude00"}
    result = await tool(_returning(value)).call("{}")
    assert json.loads(result.output) == {"n": None, "text": "half �", "whole": "😀"}


async def test_cancelling_is_answered_and_says_that_the_effect_is_unknown() -> None:
    call = ToolCall("call_1", "f")

    @tool
    async def f() -> None:
        call.stop("cancelled")
        await asyncio.Event().wait()

    result = await f.call("{}", call=call)
    assert result.outcome == "cancelled"
    assert "may have had an effect" in json.loads(result.output)["error"]


async def test_threads_that_are_left_over_have_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_THREADS_LEFT", set())
    monkeypatch.setattr(running, "MAX_THREADS_LEFT", 3)
    gate, runs = threading.Event(), []

    @tool(timeout_s=0.05)
    def hang() -> None:
        runs.append(threading.current_thread())
        gate.wait(30)

    @tool
    def quick() -> str:
        return "done"

    @tool
    async def elsewhere() -> str:
        return "done"

    results = await asyncio.gather(*(hang.call("{}") for _ in range(2)))
    results += [await hang.call("{}")]
    assert [result.outcome for result in results] == ["timeout"] * 3
    for made in (hang, quick):
        refused = await made.call("{}")
        assert refused.outcome == "error"
        assert "3 that were stopped go on" in json.loads(refused.output)["error"]
    assert len(runs) == 3
    assert (await elsewhere.call("{}")).outcome == "ok"  # it needs no thread
    gate.set()
    for thread in runs:
        await asyncio.to_thread(thread.join, PATIENCE_S)
    assert (await quick.call("{}")).output == "done"
    assert not running._THREADS_LEFT


async def test_functions_that_stop_when_they_are_told_leave_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "_THREADS_LEFT", set())
    monkeypatch.setattr(running, "MAX_THREADS_LEFT", 3)

    @tool(timeout_s=0.05)
    def heed(call: ToolCall) -> None:
        call.wait(30)

    for _ in range(5):
        assert (await heed.call("{}")).outcome == "timeout"


async def test_one_that_was_done_when_it_was_cancelled_is_done() -> None:
    call = ToolCall("call_1", "f")

    @tool
    async def f() -> str:
        call.stop("cancelled")
        return "done"

    assert (await f.call("{}", call=call)).outcome in ("ok", "cancelled")


def test_progress_of_any_kind_can_be_told() -> None:
    for returned in RETURNED:
        assert len(brief(returned())) <= 200
    assert brief("x" * 1000) == "x" * 200
    assert brief(object()) == "a object"


async def test_the_words_of_a_tool_error_are_cut_where_they_are_endless() -> None:
    @tool
    def f() -> None:
        raise ToolError("x" * 10_000)

    result = await f.call("{}")
    assert 2_000 < len(result.output) < 2_100
