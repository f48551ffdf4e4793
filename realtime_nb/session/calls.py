"""Who runs the functions that a model calls: each call once, each answered once.

It knows sessions by nothing but a clock, so that it outlives connections: a function that runs
while a connection is replaced runs to its end, and whoever has a connection then takes its answer
with :meth:`CallRunner.take`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from realtime_nb.protocol.conversation import FunctionCall, ToolReport
from realtime_nb.protocol.records import RunOutcome
from realtime_nb.session.work import Work
from realtime_nb.tools import Tool, ToolCall, failure

__all__ = ["Answer", "CallRunner", "CallState", "unknown_function"]

logger = logging.getLogger(__name__)

CallState = Literal["running", "answered", "taken", "dropped"]
Step = Literal["end", "take", "drop"]

STEPS: dict[tuple[CallState, Step], CallState] = {
    ("running", "end"): "answered",  # it returned, failed, took too long or was cancelled
    ("running", "drop"): "dropped",
    ("answered", "take"): "taken",
    ("answered", "drop"): "dropped",
}
"""What becomes of a call; whatever is not here changes nothing. ``taken`` and ``dropped`` are for
ever: a call that was known once is never run again."""

_CLOSE_S = 3.0
"""How long functions that are dropped may take to clean up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model is to be told of a call."""

    call: FunctionCall
    output: str


class CallRunner:
    """The function calls of one session, over all its connections.

    Everything happens on the loop that it was made on.

    Args:
        clock: seconds of session time, for the reports.
        main_loop: where tools of ``main_thread=True`` run; None: on the session's loop.
        report: takes that a function began to run, told progress, or ended.
        answered: is told that :meth:`take` has something to give.
        failed: takes what went wrong in those two.

    Attributes:
        session: what functions are given that ask for their session.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        main_loop: asyncio.AbstractEventLoop | None,
        *,
        report: Callable[[ToolReport], None],
        answered: Callable[[], None],
        failed: Callable[[Exception], None],
        cleaned: Callable[[str], str] = str,
    ) -> None:
        self.session: object = None
        self._cleaned = cleaned
        self._clock = clock
        self._main_loop = main_loop
        self._report = report
        self._answered = answered
        self._failed = failed
        self._states: dict[str, CallState] = {}
        self._running: dict[str, tuple[FunctionCall, ToolCall]] = {}
        self._answers: dict[str, Answer] = {}
        self._work = Work(failed)

    def state(self, call_id: str) -> CallState | None:
        """Returns what has become of a call; None of one that was never run."""
        return self._states.get(call_id)

    @property
    def running(self) -> list[FunctionCall]:
        """The calls whose functions run, in the order in which they began."""
        return [call for call, _ in self._running.values()]

    def run(self, tool: Tool, call: FunctionCall) -> bool:
        """Runs a function; False, and nothing else, for a call that is known already."""
        if not self._begin(call):
            return False
        loop = asyncio.get_running_loop()

        def told(text: str) -> None:
            loop.call_soon_threadsafe(self._progressed, call.call_id, text)

        running = ToolCall(call.call_id, call.name, told, loop.time)
        self._running[call.call_id] = call, running
        self._work.start(self._run(tool, call, running))
        return True

    def refuse(self, call: FunctionCall, reason: str) -> bool:
        """Answers a call with an error instead of running it; False for one that is known."""
        if not self._begin(call):
            return False
        self._settle(call, failure("invalid", reason).output, "invalid")
        asyncio.get_running_loop().call_soon(self._answered)  # whoever asked is not done yet
        return True

    def cancel(self, call_id: str) -> bool:
        """Ends a function on request; the model is told so. False where it does not run."""
        known = self._running.get(call_id)
        return known is not None and known[1].stop("cancelled")

    def take(self) -> list[Answer]:
        """Returns the answers to send, oldest first; hands each out once."""
        answers, self._answers = list(self._answers.values()), {}
        for answer in answers:
            self._step(answer.call.call_id, "take")
        return answers

    def drop(self) -> None:
        """Ends all functions, because the session is over: nobody is told what they come to."""
        for call_id in list(self._answers):
            self._step(call_id, "drop")
        self._answers.clear()
        for call, running in list(self._running.values()):
            self._step(call.call_id, "drop")
            self._reported(ToolReport(call.call_id, "ended", self._clock(), "cancelled"))
            running.stop("closed")
        self._running.clear()

    async def close(self) -> None:
        """Drops what is left, and waits for functions to clean up, within a bound."""
        self.drop()
        await self._work.finished(_CLOSE_S)

    # --- one call ---

    def _begin(self, call: FunctionCall) -> bool:
        if call.call_id in self._states:
            return False
        self._states[call.call_id] = "running"
        return True

    def _step(self, call_id: str, step: Step) -> bool:
        """Takes a call to its next state; False where the table has none."""
        after = STEPS.get((self._states[call_id], step))
        if after is not None:
            self._states[call_id] = after
        return after is not None

    async def _run(self, tool: Tool, call: FunctionCall, running: ToolCall) -> None:
        def started() -> None:
            if self.state(call.call_id) == "running":
                self._reported(ToolReport(call.call_id, "started", self._clock()))

        result = await tool.call(call.arguments, started, self._main_loop, self.session, running)
        if self._settle(call, result.output, result.outcome):
            self._answered()

    def _settle(self, call: FunctionCall, output: str, outcome: RunOutcome) -> bool:
        """Keeps an answer; False where nobody waits for it any more."""
        if not self._step(call.call_id, "end"):
            return False
        self._running.pop(call.call_id, None)
        self._answers[call.call_id] = Answer(call, self._cleaned(output))
        self._reported(ToolReport(call.call_id, "ended", self._clock(), outcome))
        return True

    def _reported(self, report: ToolReport) -> None:
        try:
            self._report(report)
        except Exception as error:
            self._failed(error)

    def _progressed(self, call_id: str, text: str) -> None:
        if self.state(call_id) == "running":
            self._reported(
                ToolReport(call_id, "progress", self._clock(), progress=self._cleaned(text))
            )


def unknown_function(name: str, tools: Iterable[str]) -> str:
    """Returns what a model is told that calls a function which there isn't."""
    there = ", ".join(sorted(tools)) or "none"
    return f"There is no function {name!r}. Functions that can be called: {there}."
