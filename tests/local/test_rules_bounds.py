"""However much is declared and said, the rules answer in time, and elsewhere than on the loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from realtime_nb.local import rules
from realtime_nb.local.llm import Call, Request
from realtime_nb.local.rules import RuleLLM
from tests.local.raw_client import become_true


def tool(name: str, description: str = "Book it.") -> dict[str, Any]:
    fields = ("patient_name", "date", "time", "city", "count")
    schema = {"type": "object", "properties": {field: {"type": "string"} for field in fields}}
    return {"type": "function", "name": name, "description": description, "parameters": schema}


def said(*texts: str) -> list[dict[str, Any]]:
    return [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        for text in texts
    ]


async def answer(request: Request) -> list[Any]:
    return [piece async for piece in RuleLLM().reply(request)]


CHAT = "On Tuesday at three about twelve people in Paris were here, I think. " * 10


async def test_many_functions_take_little_more_than_few() -> None:
    """Before, each function listened to each turn anew: 128 took twelve times as long as ten."""
    seconds = []
    for count in (10, 128):
        request = Request(
            items=said(*[f"{count} {number} {CHAT}" for number in range(24)]),
            tools=[tool(f"book_{number}") for number in range(count)],
        )
        began_s = time.process_time()
        await answer(request)
        seconds.append(time.process_time() - began_s)
    assert seconds[1] < 6 * seconds[0]


async def test_of_very_many_functions_the_one_that_is_meant_is_found() -> None:
    tools = [tool(f"register_{number}") for number in range(127)]
    tools.insert(100, tool("cancel_subscription", "Cancel a subscription."))
    (found,) = await answer(Request(items=said("Please cancel my subscription"), tools=tools))
    assert isinstance(found, Call)
    assert found.name == "cancel_subscription"


async def test_thinking_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "LONGEST_THOUGHT_S", -1.0)
    pieces = await answer(Request(items=said("Hello", "Hello"), tools=[tool("book")]))
    assert "more than my rules can follow" in "".join(piece.delta for piece in pieces)


async def test_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, threads = threading.Event(), list[str]()

    def think(*_: object) -> rules.RulesAnswer:
        threads.append(threading.current_thread().name)
        assert gate.wait(10)
        return rules.RulesAnswer("Well.")

    monkeypatch.setattr(rules, "_answer", think)
    answering = asyncio.create_task(answer(Request(items=[])))
    await become_true(lambda: bool(threads))
    gate.set()  # which the loop could not, if it thought itself
    assert [piece.delta for piece in await answering] == ["Well."]
    assert threads[0].startswith("realtime_nb-thinking")


async def test_a_thread_ends_with_who_thinks_in_it() -> None:
    before = {*threading.enumerate()}
    llm = RuleLLM()
    assert [piece async for piece in llm.reply(Request(items=[]))]
    (begun,) = {*threading.enumerate()} - before
    assert begun.is_alive()
    del llm  # which nobody closed
    await become_true(lambda: not begun.is_alive())
