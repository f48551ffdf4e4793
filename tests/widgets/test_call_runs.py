from __future__ import annotations

import asyncio
import threading

import pytest

from realtime_nb.tools import tool
from realtime_nb.widgets.call_runs import as_json, start_run


@tool
def double(n: int) -> int:
    """Twice the number."""
    if n < 0:
        raise ValueError("too small")
    return 2 * n


def test_a_run_says_what_came_of_it() -> None:
    run = start_run(double, "call_1", '{"n": 21}').result(5)
    assert (run.call_id, run.name, run.output, run.outcome) == ("call_1", "double", "42", "ok")
    assert run.run_ms >= 0
    assert run.traceback == ""
    assert repr(run).startswith('<Rerun double({"n": 21}) → ok, ')
    assert repr(run).endswith(": 42>")


def test_an_exception_is_there_to_look_at() -> None:
    run = start_run(double, "c", '{"n": -1}').result(5)
    assert (run.outcome, run.output) == ("error", '{"error": "ValueError: too small"}')
    assert isinstance(run.exception, ValueError)
    assert 'raise ValueError("too small")' in run.traceback


@pytest.mark.parametrize("arguments", ["{", "[]", '{"n": "many"}', "{}"])
def test_arguments_that_do_not_fit_run_nothing(arguments: str) -> None:
    run = start_run(double, "c", arguments).result(5)
    assert run.outcome == "invalid"
    assert run.traceback == ""


def test_a_tool_that_takes_too_long_ends() -> None:
    go_on = threading.Event()

    @tool(timeout_s=0.05)
    def slow() -> str:
        """Waits."""
        go_on.wait(5)
        return "late"

    run = start_run(slow, "c", "{}").result(5)
    go_on.set()
    assert run.outcome == "timeout"
    assert run.traceback == ""


def test_an_async_tool_runs_on_a_loop_of_its_own() -> None:
    @tool
    async def where() -> str:
        """The thread."""
        await asyncio.sleep(0)
        return threading.current_thread().name

    assert start_run(where, "c", "{}").result(5).output == "realtime_nb-rerun"


@pytest.mark.parametrize("is_async", [False, True])
async def test_or_on_the_notebooks_where_it_has_to(is_async: bool) -> None:
    def here() -> bool:
        """Whether it is this thread."""
        return threading.current_thread() is threading.main_thread()

    async def here_too() -> bool:
        """The same."""
        return here()

    made = tool(main_thread=True)(here_too if is_async else here)
    run = start_run(made, "c", "{}", asyncio.get_running_loop())
    assert (await asyncio.wrap_future(run)).output == "true"


def test_a_tool_can_not_end_the_kernel() -> None:
    @tool
    async def leave() -> None:
        """Leaves."""
        raise SystemExit(3)

    run = start_run(leave, "c", "{}").result(5)
    assert (run.outcome, run.output) == ("error", '{"error": "SystemExit: 3"}')


def test_arguments_as_json() -> None:
    assert as_json({"a": 1}) == '{"a": 1}'
    assert as_json('{"a":1}') == '{"a":1}'
