"""Runs a tool again, away from any session: nothing is sent anywhere."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from realtime_nb.errors.secret_shapes import without_shapes
from realtime_nb.tools import Tool, ToolOutcome

__all__ = ["Rerun", "as_json", "start_run"]

_LONGEST_SHOWN = 2_000


@dataclass(frozen=True, slots=True)
class Rerun:
    """What a tool came to when it was called again.

    Attributes:
        call_id: Of the recorded call.
        name: The tool's.
        arguments: What it was called with, as JSON.
        output: What the model would get: the result, or ``{"error": "…"}``, without the keys that
            its session was opened with.
        outcome: "ok", "error", "timeout", or "invalid": it was not run.
        exception: What was raised.
        run_ms: How long it took.
    """

    call_id: str
    name: str
    arguments: str
    output: str
    outcome: ToolOutcome
    exception: BaseException | None
    run_ms: float
    _cleaned: Callable[[str], str] = field(default=without_shapes, compare=False)

    def __repr__(self) -> str:
        output = self.shown_output
        if len(output) > _LONGEST_SHOWN:
            output = f"{output[:_LONGEST_SHOWN]}…"
        took = f"{self.outcome}, {self.run_ms:.0f} ms"
        return f"<Rerun {self.name}({self._cleaned(self.arguments)}) → {took}: {output}>"

    @property
    def shown_output(self) -> str:
        """The output as the page shows it: without what looks like a key."""
        return self._cleaned(self.output)

    @property
    def traceback(self) -> str:
        """Where the exception was raised, without what looks like a key; empty without one."""
        if self.exception is None or self.outcome in ("invalid", "timeout"):
            return ""
        return self._cleaned("".join(traceback.format_exception(self.exception)))


def as_json(arguments: str | Mapping[str, Any]) -> str:
    """Arguments as the model would write them."""
    return arguments if isinstance(arguments, str) else json.dumps(dict(arguments), default=str)


def start_run(
    tool: Tool,
    call_id: str,
    arguments: str,
    main_loop: asyncio.AbstractEventLoop | None = None,
    own_keys: Callable[[str], str] = str,
) -> Future[Rerun]:
    """Starts a tool on a loop and thread of its own; returns what it will come to.

    Args:
        tool: What to run.
        call_id: For the result.
        arguments: JSON.
        main_loop: As for :meth:`~realtime_nb.tools.Tool.call`.
        own_keys: Takes the keys of the call's session out of a text.
    """

    def cleaned(text: str) -> str:
        return without_shapes(own_keys(text))

    async def run() -> Rerun:
        began_s = time.perf_counter()
        result = await tool.call(arguments, main_loop=main_loop)
        run_ms = (time.perf_counter() - began_s) * 1000
        facts = (own_keys(result.output), result.outcome, result.exception, run_ms)
        return Rerun(call_id, tool.name, arguments, *facts, cleaned)

    finished: Future[Rerun] = Future()

    def work() -> None:
        try:
            finished.set_result(asyncio.run(run()))
        except BaseException as error:  # who waits for the result must not wait for ever
            finished.set_exception(error)

    threading.Thread(target=work, name="realtime_nb-rerun", daemon=True).start()
    return finished
