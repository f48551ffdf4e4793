"""Calls that finish, are cancelled, interrupted and outlive their connection, in any order."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.protocol.client import ClientProtocol
from realtime_nb.protocol.client_actions import CallTool
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import FunctionCall, ToolReport
from realtime_nb.session.calls import CallRunner
from realtime_nb.testing import CountingIds, run_on_virtual_clock
from realtime_nb.tools import Tool, tool

STEPS = ["finish", "fail", "cancel", "repeat", "interrupt", "drop", "reconnect", "done", "wait"]


class Talk:
    """A runner whose connections come and go; each response calls several functions."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.gates: dict[str, asyncio.Future[str]] = {}
        self.sent: list[dict[str, Any]] = []
        self.reports: list[ToolReport] = []
        self.failures: list[Exception] = []
        self.ids = CountingIds()
        self.protocol = ClientProtocol(self.ids, answers=["f"])
        self.online = True
        self.running_response: str | None = None
        self.names = 0
        self.runner = CallRunner(
            asyncio.get_running_loop().time,
            None,
            report=self.reports.append,
            answered=self.deliver,
            failed=self.failures.append,
        )

    def tool(self) -> Tool:
        async def f(name: str) -> str:
            self.runs.append(name)
            gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self.gates[name] = gate
            return await gate

        return tool(timeout_s=None)(f)

    def connect(self) -> None:
        if not self.online:
            self.online = True
            self.protocol.resume([])
            self.flush()

    def drop(self) -> None:
        if self.online:
            self.online = False
            self.running_response = None
            self.protocol.lost(ConnectionReport("lost", 0.0))
            self.flush()

    def deliver(self) -> None:
        for answer in self.runner.take():
            self.protocol.receive_tool_output(answer.call, answer.output)
        self.flush()

    def flush(self) -> None:
        for action in self.protocol.actions_to_run():
            if isinstance(action, CallTool):
                self.runner.run(self.tool(), action.call)
        for event in self.protocol.events_to_send():
            self.protocol.sent(event, 0.0)
            self.sent.append(event)
            if "item" in event:
                self.protocol.receive({"type": "conversation.item.added", "item": event["item"]}, 0)

    def hear(self, kind: str, **fields: Any) -> None:
        if self.online:
            self.protocol.receive({"type": kind, **fields}, 0.0)
            self.flush()

    def respond(self, calls: int) -> None:
        """The model answers with function calls; a response that was asked for begins with it."""
        if not self.online or self.running_response is not None:
            return
        self.running_response = self.ids("resp")
        self._response("created", "in_progress")
        for _ in range(calls):
            self.names += 1
            self.call(f"call_{self.names}")

    def call(self, call_id: str) -> None:
        arguments = json.dumps({"name": call_id})
        item = {"id": f"item_{call_id}", "type": "function_call", "call_id": call_id, "name": "f"}
        whole = {**item, "arguments": arguments, "status": "completed"}
        response_id = self.running_response or "resp_unknown"
        self.hear("response.output_item.done", response_id=response_id, item=whole)

    def done(self, status: str) -> None:
        if self.running_response is not None:
            self._response("done", status)
            self.running_response = None

    def _response(self, kind: str, status: str) -> None:
        response = {"id": self.running_response, "status": status, "conversation_id": "conv"}
        self.hear(f"response.{kind}", response=response)

    def outputs(self) -> list[str]:
        """What was sent, and what waits for a connection."""
        waiting = [] if self.online else self.protocol._unconfirmed.items.values()
        events = [*self.sent, *waiting]
        items = [event["item"] for event in events if "item" in event]
        return [item["call_id"] for item in items if item["type"] == "function_call_output"]


async def _talk(steps: list[tuple[str, int]], closes: bool) -> None:
    talk = Talk()
    for step, number in steps:
        waiting = [name for name, gate in talk.gates.items() if not gate.done()]
        name = waiting[number % len(waiting)] if waiting else None
        if step == "finish" and name:
            talk.gates[name].set_result("done")
        elif step == "fail" and name:
            talk.gates[name].set_exception(SystemExit(1))
        elif step == "cancel" and name:
            talk.runner.cancel(name)
        elif step == "repeat" and talk.names:
            talk.call(f"call_{number % talk.names + 1}")
        elif step == "interrupt":
            talk.hear("input_audio_buffer.speech_started", item_id="item_user", audio_start_ms=0)
            talk.done("cancelled")
            talk.hear("input_audio_buffer.speech_stopped", item_id="item_user", audio_end_ms=9)
        elif step == "drop":
            talk.drop()
        elif step == "reconnect":
            talk.connect()
        elif step == "done":
            talk.done("completed")
        elif step == "respond":
            talk.respond(number % 3)
        await asyncio.sleep(0.2 if step == "wait" else 0)
    if closes:
        await talk.runner.close()
    else:
        talk.connect()
        talk.done("completed")
        await asyncio.sleep(0.1)
        for gate in talk.gates.values():
            if not gate.done():
                gate.set_result("done")
        await asyncio.sleep(1)

    asked = [f"call_{number + 1}" for number in range(talk.names)]
    began = [one for one in asked if one in talk.runs]
    assert talk.failures == []
    assert talk.runs == began  # each once at most
    ended = [report.call_id for report in talk.reports if report.kind == "ended"]
    assert len(ended) == len(set(ended))
    outputs = talk.outputs()
    assert len(outputs) == len(set(outputs))
    states = {one: talk.runner.state(one) for one in asked}
    for one, state in states.items():
        assert state == ("taken" if one in outputs else "dropped"), (one, state)
        assert one in ended
    if not closes:
        assert sorted(outputs) == sorted(asked)
        if outputs:  # and of the last of them the model has been asked to speak, or will be
            assert _asked_after_outputs(talk)


def _asked_after_outputs(talk: Talk) -> bool:
    kinds = [event["type"] for event in talk.sent]
    last = max(n for n, event in enumerate(talk.sent) if "item" in event)
    return "response.create" in kinds[last:] or talk.protocol._arbiter.busy


def _steps() -> st.SearchStrategy[list[tuple[str, int]]]:
    step = st.tuples(st.sampled_from(["respond", "respond", *STEPS]), st.integers(0, 5))
    return st.lists(step, max_size=25)


@settings(max_examples=300, deadline=None)
@given(steps=_steps(), closes=st.booleans())
def test_every_call_is_answered_once_or_dropped(steps: list[tuple[str, int]], closes: bool) -> None:
    run_on_virtual_clock(_talk(steps, closes))


async def _parallel(order: list[int], cancelled: set[int], count: int) -> None:
    talk = Talk()
    talk.respond(count)
    talk.done("completed")
    await asyncio.sleep(0.01)
    for number in order:
        assert [event["type"] for event in talk.sent].count("response.create") == 0
        name = f"call_{number + 1}"
        if number in cancelled:
            assert talk.runner.cancel(name)
        else:
            talk.gates[name].set_result("done")
        await asyncio.sleep(0.1)
    kinds = [event["type"] for event in talk.sent]
    assert kinds == ["conversation.item.create"] * count + ["response.create"]


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(range(4)), cancelled=st.sets(st.integers(0, 3)))
def test_parallel_calls_are_spoken_about_once_when_all_have_ended(
    order: list[int], cancelled: set[int]
) -> None:
    run_on_virtual_clock(_parallel(order, cancelled, 4))


def test_a_call_that_two_connections_tell_of_is_one() -> None:
    async def twice() -> None:
        talk = Talk()
        talk.respond(1)
        await asyncio.sleep(0.01)
        talk.drop()
        talk.connect()
        talk.call("call_1")  # a server that tells the restored history
        await asyncio.sleep(0.01)
        talk.gates["call_1"].set_result("done")
        await asyncio.sleep(0.01)
        talk.call("call_1")
        await asyncio.sleep(0.01)
        assert talk.runs == ["call_1"]
        assert talk.outputs() == ["call_1"]
        assert talk.runner.state("call_1") == "taken"
        assert not talk.runner.run(talk.tool(), FunctionCall("call_1", "f"))

    run_on_virtual_clock(twice())
