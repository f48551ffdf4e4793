"""Function calls in a made recording, and why its metrics are not known."""

from __future__ import annotations

import math

from realtime_nb.analysis.metrics.figures import Figure
from realtime_nb.analysis.metrics.metrics import metrics
from tests.made_recording import MadeRecording

__all__ = ["called", "reasons", "response", "returned", "why"]


def called(rec: MadeRecording, t_s: float, call_id: str = "call_1") -> None:
    item = {"id": f"item_{call_id}", "type": "function_call", "name": "book", "call_id": call_id}
    rec.got(t_s, "response.output_item.done", item=item, response_id="resp_2")


def returned(rec: MadeRecording, t_s: float, output: str, call_id: str = "call_1") -> None:
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    rec.sent(t_s, "conversation.item.create", item=item)


def response(rec: MadeRecording, t_s: float, status: str, response_id: str = "resp_2") -> None:
    name = "response.created" if status == "in_progress" else "response.done"
    rec.got(t_s, name, response={"id": response_id, "status": status, "conversation_id": "conv"})


def reasons(rec: MadeRecording) -> dict[str, str]:
    table = metrics(rec)
    unknown = table[table.value.isna()]
    assert unknown.reason.notna().all()
    assert table.reason[table.value.notna()].isna().all()
    return {str(name): str(reason) for name, reason in unknown.reason.items()}


def why(figure: Figure) -> str | None:
    assert math.isnan(figure.value) == (figure.reason is not None)
    return figure.reason
