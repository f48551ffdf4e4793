"""The one who runs functions: each call once, each answered once or dropped."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from realtime_nb.protocol.conversation import FunctionCall, ToolReport
from realtime_nb.session.calls import STEPS, CallRunner
from realtime_nb.tools import Tool, ToolCall, tool
from tests.session.session_fakes import turns
from tests.virtual import virtual


class Runner:
    """A runner, and what it told."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, str, str | None]] = []
        self.answers: list[tuple[str, str]] = []
        self.failures: list[Exception] = []
        self.told = 0
        self.runner = CallRunner(
            asyncio.get_running_loop().time,
            None,
            report=self._report,
            answered=self._answered,
            failed=self.failures.append,
        )

    def _report(self, report: ToolReport) -> None:
        self.reports.append((report.call_id, report.kind, report.outcome or report.progress))

    def _answered(self) -> None:
        self.told += 1

    def take(self) -> list[tuple[str, str]]:
        return [(answer.call.call_id, answer.output) for answer in self.runner.take()]


def call(call_id: str, arguments: str = "{}", name: str = "f") -> FunctionCall:
    return FunctionCall(call_id, name, arguments, response_id="resp_1")


@virtual
async def test_what_a_function_tells_is_cleaned_before_anybody_gets_it() -> None:
    told: list[str | None] = []
    runner = CallRunner(
        asyncio.get_running_loop().time,
        None,
        report=lambda report: told.append(report.progress),
        answered=lambda: None,
        failed=lambda _: None,
        cleaned=lambda text: text.replace("secret", "[removed]"),
    )

    async def f() -> Any:
        yield "a secret step"
        yield {"the secret": ["secret"]}

    async def fails() -> str:
        raise ValueError("no secret here")

    runner.run(tool(f), call("a"))
    runner.run(tool(fails), call("b"))
    runner.refuse(call("c"), "of secret")
    await turns(50)
    outputs = [answer.output for answer in runner.take()]
    assert len(outputs) == 3 and "a [removed] step" in told
    assert not any("secret" in str(one) for one in [*outputs, *told])


def gated(gate: asyncio.Event) -> Tool:
    async def f() -> str:
        await gate.wait()
        return "done"

    return tool(f)


def test_whatever_ended_stays_as_it_is() -> None:
    assert {state for state, _ in STEPS} == {"running", "answered"}
    assert set(STEPS.values()) - {state for state, _ in STEPS} == {
        "taken",
        "dropped",
    }


@virtual
async def test_a_call_is_run_once_and_its_answer_is_handed_out_once() -> None:
    ran: list[int] = []

    @tool
    async def f(n: int) -> int:
        ran.append(n)
        return n

    told = Runner()
    assert told.runner.run(f, call("a", '{"n": 1}'))
    assert not told.runner.run(f, call("a", '{"n": 2}'))
    assert told.runner.state("a") == "running"
    await turns()
    assert told.runner.state("a") == "answered"
    assert not told.runner.run(f, call("a", '{"n": 3}'))
    assert told.take() == [("a", "1")]
    assert told.take() == []
    assert told.runner.state("a") == "taken"
    assert not told.runner.run(f, call("a", '{"n": 4}'))
    assert not told.runner.refuse(call("a"), "No.")
    await turns()
    assert ran == [1]
    assert told.reports == [("a", "started", None), ("a", "ended", "ok")]
    assert told.told == 1


@virtual
async def test_an_answer_stays_until_somebody_has_a_connection() -> None:
    gate = asyncio.Event()
    told = Runner()
    told.runner.run(gated(gate), call("slow"))
    told.runner.run(tool(name="f")(_at_once), call("quick"))
    await turns()
    assert [one.call_id for one in told.runner.running] == ["slow"]
    gate.set()
    await turns()
    assert told.take() == [("quick", "now"), ("slow", "done")]


async def _at_once() -> str:
    return "now"


@virtual
async def test_one_that_is_cancelled_is_answered_so() -> None:
    ended: list[str] = []

    @tool
    async def f(call: ToolCall) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(f"{call.id} {call.reason}")
            raise

    told = Runner()
    told.runner.run(f, call("a"))
    await turns()
    assert told.runner.cancel("a")
    await asyncio.sleep(0.1)
    assert not told.runner.cancel("a")
    assert not told.runner.cancel("never seen")
    [(_, output)] = told.take()
    assert "f was cancelled before it was done" in json.loads(output)["error"]
    assert ended == ["a cancelled"]
    assert told.reports[-1] == ("a", "ended", "cancelled")


@virtual
async def test_what_is_dropped_is_told_to_nobody() -> None:
    ended: list[str] = []

    async def f() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1.0)  # a rollback
            ended.append("f")

    told = Runner()
    told.runner.run(tool(f), call("runs"))
    told.runner.run(tool(name="f")(_at_once), call("waits"))
    await turns()
    await told.runner.close()
    assert ended == ["f"]
    assert told.take() == []
    assert {told.runner.state(one) for one in ("runs", "waits")} == {"dropped"}
    assert told.reports[-1] == ("runs", "ended", "cancelled")
    assert [kind for _, kind, _ in told.reports].count("ended") == 2


@virtual
async def test_closing_does_not_wait_for_what_never_ends() -> None:
    async def f() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    told = Runner()
    told.runner.run(tool(f), call("a"))
    await turns()
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await told.runner.close()
    assert loop.time() - began_s <= 5.0
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.get_coro().close()


@virtual
async def test_one_that_can_not_be_run_is_answered_after_whoever_asked_is_done() -> None:
    told = Runner()
    assert told.runner.refuse(call("a"), "There is no such function.")
    assert (told.told, told.runner.state("a")) == (0, "answered")
    await turns()
    assert told.told == 1
    assert told.take() == [("a", '{"error": "There is no such function."}')]
    assert told.reports == [("a", "ended", "invalid")]


@virtual
async def test_progress_is_reported_while_it_runs() -> None:
    @tool
    async def f(call: ToolCall) -> str:
        call.progress("looking")
        await asyncio.sleep(0.1)
        call.progress("too soon after the first")
        await asyncio.sleep(0.2)
        call.progress({"page": 2})
        return "done"

    told = Runner()
    told.runner.run(f, call("a"))
    await asyncio.sleep(1)
    assert told.reports == [
        ("a", "started", None),
        ("a", "progress", "looking"),
        ("a", "progress", '{"page":2}'),
        ("a", "ended", "ok"),
    ]


@virtual
async def test_what_fails_in_those_who_are_told_is_passed_on() -> None:
    def fail(*values: Any) -> None:
        raise ValueError("full")

    told = Runner()
    told.runner._report = fail
    told.runner.run(tool(name="f")(_at_once), call("a"))
    await turns()
    assert [str(one) for one in told.failures] == ["full", "full"]
    assert told.take() == [("a", "now")]


@pytest.mark.parametrize("arguments", ["{", "[1]", '{"n": "x"}', '{"m": 1}', "[" * 100_000])
@virtual
async def test_arguments_that_do_not_fit_are_answered(arguments: str) -> None:
    @tool
    async def f(n: int) -> int:
        return n

    told = Runner()
    told.runner.run(f, call("a", arguments))
    await turns()
    [(_, output)] = told.take()
    assert "f" in json.loads(output)["error"]
    assert told.reports == [("a", "ended", "invalid")]
