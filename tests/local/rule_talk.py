"""Conversations with the rule-based agent."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Callable, Sequence
from typing import Any

from realtime_nb.local.llm import LLM, Call, Request, Text, Usage
from realtime_nb.local.rules import RuleLLM
from realtime_nb.tools import Tool, collect, definitions

__all__ = ["SUNDAY_EVENING", "Item", "Talk", "assistant", "called", "reply", "returned", "user"]

Item = dict[str, Any]
SUNDAY_EVENING = datetime.datetime(2026, 11, 22, 18, 5)


def user(text: str | None) -> Item:
    content = [{"type": "input_audio", "transcript": text}]
    return {"type": "message", "role": "user", "content": content}


def assistant(text: str) -> Item:
    content = [{"type": "output_audio", "transcript": text}]
    return {"type": "message", "role": "assistant", "content": content}


def called(name: str, arguments: str, call_id: str = "call_1") -> Item:
    return {"type": "function_call", "name": name, "arguments": arguments, "call_id": call_id}


def returned(output: str, call_id: str = "call_1") -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def reply(
    request: Request, clock: Callable[[], datetime.date] | None = None, llm: LLM | None = None
) -> str | Call:
    asked = llm or RuleLLM(clock or (lambda: SUNDAY_EVENING))

    async def read() -> list[Text | Call]:
        return [part async for part in asked.reply(request) if not isinstance(part, Usage)]

    parts = asyncio.run(read())
    if isinstance(parts[0], Call):
        assert len(parts) == 1
        return parts[0]
    assert all(isinstance(part, Text) and len(part.delta.split()) == 1 for part in parts)
    return "".join(part.delta for part in parts if isinstance(part, Text))


class Talk:
    """A conversation in which the functions that are called are really run."""

    def __init__(
        self,
        tools: Sequence[Any],
        tool_choice: str | dict[str, Any] = "auto",
        llm: LLM | None = None,
    ) -> None:
        self.llm = llm
        self.tools = collect(tools)
        self.tool_choice = tool_choice
        self.items: list[Item] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def say(self, text: str) -> str:
        self.items.append(user(text))
        for _ in range(3):
            answer = self._reply()
            if isinstance(answer, str):
                self.items.append(assistant(answer))
                return answer
            self._run(answer)
        raise AssertionError("The agent calls without end.")

    def _reply(self) -> str | Call:
        request = Request(
            items=self.items, tools=definitions(self.tools), tool_choice=self.tool_choice
        )
        return reply(request, llm=self.llm)

    def _run(self, call: Call) -> None:
        self.calls.append((call.name, json.loads(call.arguments)))
        tool = self.tools[call.name]
        assert isinstance(tool, Tool)
        call_id = f"call_{len(self.items)}"
        result = asyncio.run(tool.call(call.arguments))
        self.items.append(called(call.name, call.arguments, call_id))
        self.items.append(returned(result.output, call_id))
