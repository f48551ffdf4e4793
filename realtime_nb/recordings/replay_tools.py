"""Functions that answer as they did in a recording."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Iterable
from typing import Any, Literal

from realtime_nb.analysis.function_calls import failure
from realtime_nb.protocol.conversation import FunctionCall
from realtime_nb.tools import Definition, Tool, ToolCall, ToolResult

__all__ = ["RecordedAnswers", "RecordedTool"]

Lookup = Literal["same_arguments", "in_order"]


class RecordedAnswers:
    """The outputs that the calls of a recording got.

    Args:
        calls: those of the recording; those without an output are left out.
        lookup: ``same_arguments``: only a call of the same name and arguments is answered;
            ``in_order``: any other call gets the next output that was recorded for its name.

    Attributes:
        used: how many calls were answered.
        missing: what was asked and not recorded: ``name(arguments)``.
        substituted: what got an output that was recorded for other arguments.
    """

    def __init__(self, calls: Iterable[FunctionCall], lookup: Lookup) -> None:
        self._left = [call for call in calls if call.output is not None]
        self._answered: dict[tuple[str, str], FunctionCall] = {}
        self._lookup = lookup
        self.used = 0
        self.missing: list[str] = []
        self.substituted: list[str] = []

    def find(self, name: str, arguments: str) -> FunctionCall | None:
        """Returns the recorded call that answers this one; the same question gets the same
        answer."""
        same = (name, _canonical(arguments))
        found = next((c for c in self._left if (c.name, _canonical(c.arguments)) == same), None)
        found = found or self._answered.get(same)
        if found is None and self._lookup == "in_order":
            found = next((call for call in self._left if call.name == name), None)
            if found is not None:
                self.substituted.append(f"{name}({arguments})")
        if found is None:
            self.missing.append(f"{name}({arguments})")
            return None
        self.used += 1
        self._answered[same] = found
        self._left = [call for call in self._left if call is not found]
        return found


class RecordedTool(Tool):
    """A function that is not run: its outputs come from a recording, after as long as they took.

    Args:
        definition: what the model is told of it.
        answers: where its outputs are.
        pace: session seconds per wall second.
    """

    def __init__(self, definition: Definition, answers: RecordedAnswers, pace: float) -> None:
        super().__init__(_not_run, name=str(definition["name"]), timeout_s=None)
        self.description = str(definition.get("description") or "")
        self.parameters = definition.get("parameters") or {}
        self._definition = definition
        self._answers = answers
        self._pace = pace

    def definition(self) -> Definition:
        """Implements :class:`~realtime_nb.tools.Tool`."""
        return copy.deepcopy(self._definition)

    def parse(self, arguments_json: str) -> dict[str, Any]:
        """Returns the arguments, as they are."""
        arguments: dict[str, Any] = json.loads(arguments_json)
        return arguments

    async def run(
        self,
        arguments_json: str,
        started: Callable[[], None],
        main_loop: asyncio.AbstractEventLoop | None,
        session: object,
        call: ToolCall,
    ) -> ToolResult:
        """Returns the recorded output, or an error that says that there is none."""
        started()
        found = self._answers.find(self.name, arguments_json)
        if found is None or found.output is None:
            words = (
                f"This is a replay of a recorded conversation, in which {self.name} was not called "
                "with these arguments. No output is known."
            )
            return ToolResult(json.dumps({"error": words}), "error")
        if found.done_s is not None and found.output_s is not None:
            await asyncio.sleep(max(0.0, found.output_s - found.done_s) / self._pace)
        return ToolResult(found.output, failure(found) or "ok")


def _not_run() -> None:
    """Stands where a tool keeps its function."""


def _canonical(arguments: str) -> str:
    """Returns the same text for the same arguments, whatever their order and spacing."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except ValueError:
        return arguments
