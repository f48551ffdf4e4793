"""The table of a session's function calls, see :func:`realtime_nb.analysis.tables.calls`."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.table_cells import between_ms, or_nan
from realtime_nb.analysis.turn_moments import earliest
from realtime_nb.analysis.user_turns import UserTurn, find_user_turns
from realtime_nb.protocol.conversation import Conversation, FunctionCall, Response

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["calls", "decoded", "failure"]

_TIMED_OUT = re.compile(r"\S+ took over \S+ s\.")
"""What a tool that took too long tells the model."""
_CANCELLED = re.compile(
    r"\S+ was cancelled before it was done\. It may have had an effect: check before you call it "
    r"again\."
)
"""What one that was cancelled does."""


def calls(conversation: Conversation) -> pd.DataFrame:
    """Returns one row per function call."""
    found = find_user_turns(conversation)
    context = _CallContext(conversation, found)
    rows = [_call_row(call, context) for call in conversation.calls.values()]
    return frame("calls", rows)


class _CallContext:
    """What the rows of calls have in common."""

    def __init__(self, conversation: Conversation, found: Sequence[UserTurn]) -> None:
        self.responses = conversation.responses
        self.numbers = {call.call_id: turn.number for turn in found for call in turn.calls}
        taken_s = [or_nan(heard.started_s) for heard in conversation.speech]
        taken_s += (turn.began_s for turn in found)
        self.floor_taken_s = sorted(one for one in taken_s if not math.isnan(one))
        turn_of = {response.id: turn.number for turn in found for response in turn.responses}
        self._answers: dict[int | None, list[Response]] = {}
        for response in conversation.responses.values():
            if response.in_conversation and response.created_s is not None:
                if response.is_filler:  # it may begin when the output is on its way already
                    continue
                self._answers.setdefault(turn_of.get(response.id), []).append(response)
        self._last_output_s: dict[float, float] = {}
        for call in conversation.calls.values():
            resumed_s = self.resumed_s(call)
            if call.output_s is not None and not math.isnan(resumed_s):
                others_s = self._last_output_s.get(resumed_s, call.output_s)
                self._last_output_s[resumed_s] = max(call.output_s, others_s)

    def resumed_s(self, call: FunctionCall) -> float:
        """Returns when the first audio came of what the agent said to the output, in the same
        turn."""
        if call.output_s is None:
            return math.nan
        answers = self._answers.get(self.numbers.get(call.call_id), ())
        return earliest(
            or_nan(answer.first_audio_s)
            for answer in answers
            if or_nan(answer.created_s) >= call.output_s and answer.first_audio_s is not None
        )

    def last_output_s(self, call: FunctionCall) -> float:
        """Returns when the last output was sent of the calls that the same audio followed."""
        return self._last_output_s.get(self.resumed_s(call), math.nan)

    def outcome(
        self, call: FunctionCall
    ) -> Literal["ok", "error", "timeout", "cancelled", "late", "orphan"]:
        if call.output is None:
            return "orphan"
        failed = failure(call)
        if failed is not None:
            return failed
        begun = bisect_right(self.floor_taken_s, or_nan(call.done_s))
        ended = bisect_left(self.floor_taken_s, or_nan(call.output_s))
        return "late" if begun < ended else "ok"


def failure(call: FunctionCall) -> Literal["error", "timeout", "cancelled"] | None:
    """Returns how it failed, as was reported or else by its output; None if it did not."""
    if call.run_outcome is None:
        complaint = _complaint(call.output or "")
        if complaint is None:
            return None
        if _CANCELLED.fullmatch(complaint):
            return "cancelled"
        return "timeout" if _TIMED_OUT.fullmatch(complaint) else "error"
    match call.run_outcome:
        case "ok":
            return None
        case "timeout" | "cancelled" as ended:
            return ended
        case _:
            return "error"


def _complaint(output: str) -> str | None:
    """Returns what went wrong, of an output that says nothing else."""
    content = decoded(output) if output.startswith('{"error"') else None
    if not isinstance(content, dict) or set(content) != {"error"}:
        return None
    return str(content["error"])


def decoded(text: str) -> Any:
    """Returns what JSON says, the text itself where it is none: arguments and outputs are free."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _call_row(call: FunctionCall, context: _CallContext) -> dict[str, object]:
    response = context.responses.get(call.response_id)
    run_ms, run_note = _run_ms(call)
    return {
        "turn": or_nan(context.numbers.get(call.call_id)),
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments,
        "output": call.output,
        "status": call.status,
        "outcome": context.outcome(call),
        "response_id": call.response_id,
        "item_id": call.item_id,
        "started_s": or_nan(call.started_s),
        "done_s": or_nan(call.done_s),
        "output_s": or_nan(call.output_s),
        "run_started_s": or_nan(call.run_started_s),
        "run_ended_s": or_nan(call.run_ended_s),
        "run_outcome": call.run_outcome,
        "decide_ms": between_ms(response.created_s if response else None, call.done_s),
        "queue_ms": between_ms(call.done_s, call.run_started_s),
        "queue_note": _queue_note(call),
        "run_ms": run_ms,
        "run_note": run_note,
        "send_ms": between_ms(call.run_ended_s, call.output_s),
        "others_ms": between_ms(call.output_s, context.last_output_s(call)),
        "resume_note": _resume_note(call, context),
        "resume_ms": between_ms(context.last_output_s(call), context.resumed_s(call)),
    }


def _resume_note(call: FunctionCall, context: _CallContext) -> str | None:
    if call.output is None:
        return "no output was sent"
    if call.output_s is None:
        return "when its output was sent is unknown"
    answered = not math.isnan(context.resumed_s(call))
    return None if answered else "no spoken answer followed it before another turn"


def _queue_note(call: FunctionCall) -> str | None:
    if call.run_outcome == "invalid":
        return "it was not run: its arguments don't fit"
    if call.run_started_s is None:
        return "when the function began to run is not recorded"
    return None if call.done_s is not None else "when its arguments were whole is unknown"


def _run_ms(call: FunctionCall) -> tuple[float, str | None]:
    """Returns how long it ran, and from when to when that is, or why it is not known."""
    if call.run_outcome == "invalid":
        return math.nan, "it was not run: its arguments don't fit"
    reported_ms = between_ms(call.run_started_s, call.run_ended_s)
    if not math.isnan(reported_ms):
        return reported_ms, "from the beginning of its run to the end"
    run_ms = between_ms(call.done_s, call.output_s)
    if not math.isnan(run_ms):
        return run_ms, "from whole arguments to the output"
    if call.output is None:
        return run_ms, "no output was sent"
    return run_ms, "when its arguments were whole, or its output was sent, is unknown"
