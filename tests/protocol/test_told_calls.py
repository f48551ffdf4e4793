"""What is known of a function call, by whichever events tell of it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation

ITEM = {"id": "item_1", "type": "function_call", "call_id": "call_1", "name": "book"}
WHOLE = {**ITEM, "arguments": '{"day": 1}', "status": "completed"}
IDS = {"response_id": "resp_1", "item_id": "item_1", "call_id": "call_1"}
TOLD: dict[str, list[dict[str, Any]]] = {
    "item": [
        {"type": "response.output_item.added", "response_id": "resp_1", "item": ITEM},
        {"type": "response.output_item.done", "response_id": "resp_1", "item": WHOLE},
    ],
    "done": [
        {
            **{"type": "response.function_call_arguments.done", "name": "book"},
            **{**IDS, "arguments": '{"day": 1}'},
        }
    ],
    "deltas": [
        {"type": "response.function_call_arguments.delta", **IDS, "delta": '{"day"'},
        {"type": "response.function_call_arguments.delta", **IDS, "delta": ": 1}"},
    ],
}


@pytest.mark.parametrize(
    "told",
    ["item", "done", "deltas", "deltas done", "deltas done item", "item done", "done item"],
)
def test_a_call_is_whole_by_any_events_that_tell_of_it(told: str) -> None:
    conversation = Conversation()
    for t_s, raw in enumerate(raw for part in told.split() for raw in TOLD[part]):
        conversation.apply(ev.parse_server(raw), float(t_s))
    call = conversation.calls["call_1"]
    assert (call.arguments, call.response_id, call.item_id) == ('{"day": 1}', "resp_1", "item_1")
    assert call.name == ("" if told == "deltas" else "book")
    assert ("item" in told) <= (call.status == "completed")
    assert (call.done_s is None) == (told == "deltas")
