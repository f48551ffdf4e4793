"""What events tell of a function call: by its item, and by its arguments as they are written."""

from __future__ import annotations

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.records import FunctionCall, Item

__all__ = ["take_arguments", "take_call_item", "told_call"]


def told_call(calls: dict[str, FunctionCall], call_id: str, item_id: str = "") -> FunctionCall:
    """Returns the call of that id, which may be mentioned before its item is added."""
    if (call := calls.get(call_id)) is None:
        call = calls[call_id] = FunctionCall(call_id)
    call.item_id = call.item_id or item_id
    return call


def take_call_item(
    calls: dict[str, FunctionCall],
    item: Item,
    event: ev.OutputItemAdded | ev.OutputItemDone,
    t_s: float | None,
) -> None:
    """Takes in what an item of a response tells of a call, if it is one."""
    if item.type != "function_call" or item.call_id is None:
        return
    call = told_call(calls, item.call_id, item.id)
    call.name = item.name or call.name
    call.response_id = event.response_id
    if call.started_s is None:
        call.started_s = t_s
    if isinstance(event, ev.OutputItemDone):
        call.arguments = item.arguments or call.arguments
        call.status = item.status or "completed"
        if call.done_s is None:
            call.done_s = t_s


def take_arguments(
    calls: dict[str, FunctionCall],
    event: ev.FunctionCallArgumentsDelta | ev.FunctionCallArgumentsDone,
    t_s: float | None,
) -> None:
    """Takes in a piece of a call's arguments, or all of them."""
    call = told_call(calls, event.call_id, event.item_id)
    if isinstance(event, ev.FunctionCallArgumentsDelta):
        call.arguments += event.delta
        call.response_id = call.response_id or event.response_id
        return
    call.arguments = event.arguments
    call.name = event.name or call.name
    call.response_id = event.response_id or call.response_id
    call.done_s = t_s
