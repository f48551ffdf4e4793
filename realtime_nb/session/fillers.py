"""What becomes of a function call: it is run, and a filler said if that takes long, or refused."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from realtime_nb.protocol.conversation import FunctionCall
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.calls import CallRunner, unknown_function
from realtime_nb.session.greeting import greeting_response
from realtime_nb.tools import Definition, Filler, Tool

__all__ = ["Calling", "run_or_refuse"]


class Calling(Protocol):
    """What is needed of a session whose functions are called."""

    calls: CallRunner

    @property
    def tools(self) -> Mapping[str, Tool | Definition]: ...  # noqa: D102

    def may_fill(self, call: FunctionCall) -> bool: ...  # noqa: D102

    def fill(self, call: FunctionCall, response: JsonObject) -> None: ...  # noqa: D102

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> bool: ...  # noqa: D102

    def start_work(self, work: Coroutine[Any, Any, None]) -> object: ...  # noqa: D102


def run_or_refuse(session: Calling, call: FunctionCall) -> None:
    """Runs the function that a model calls, or tells it that there is none."""
    tool = session.tools.get(call.name)
    if not isinstance(tool, Tool):
        session.calls.refuse(call, unknown_function(call.name, session.tools))
    elif session.calls.run(tool, call) and tool.filler is not None:
        session.start_work(_fill(session, call, tool.filler))


async def _fill(session: Calling, call: FunctionCall, filler: Filler) -> None:
    """Has a filler said once the call has taken so long and nobody speaks, if it still runs."""

    def over() -> bool:
        return session.calls.state(call.call_id) != "running"

    await asyncio.sleep(filler.after_s)
    await session.until(lambda: over() or session.may_fill(call), math.inf)
    if not over() and session.may_fill(call):
        session.fill(call, greeting_response(filler.words))
