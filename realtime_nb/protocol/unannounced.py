"""What a server never announced: messages and calls of which nothing but deltas came.

Older Hugging Face servers send neither ``conversation.item.added`` nor ``response.output_item.…``;
others tell of the items in ``response.done`` alone. When the response ends, what it came to is in
the conversation all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

from realtime_nb.protocol.records import FunctionCall, Item, Response
from realtime_nb.protocol.wire import JsonObject

__all__ = ["calls_of", "messages_of", "take_unannounced"]

_LATEST = 16
"""Among so many calls and messages are those of a response that is done."""


class _Folded(Protocol):
    items: dict[str, Item]
    deleted: dict[str, Item]
    order: list[str]
    calls: dict[str, FunctionCall]
    spoken: list[Item]
    history: dict[Any, None]


def calls_of(conversation: _Folded, response_id: str) -> Iterator[FunctionCall]:
    """Yields the calls of a response that has just ended, in the order in which they came."""
    latest = list(islice(reversed(conversation.calls.values()), _LATEST))
    return (call for call in reversed(latest) if call.response_id == response_id)


def messages_of(conversation: _Folded, response_id: str) -> list[Item]:
    """Returns the messages of a response that has just ended, in the order in which they came."""
    latest = conversation.spoken[-_LATEST:]
    return [item for item in latest if item.response_id == response_id]


def take_unannounced(conversation: _Folded, response: Response, output: object) -> None:
    """Puts what belongs to a response that is done, and is in no place yet, at the end.

    Args:
        conversation: that it is of.
        response: with its final status.
        output: of ``response.done``, as it came.
    """
    status = "completed" if response.status == "completed" else "incomplete"
    for raw in output if isinstance(output, list) else []:
        if isinstance(raw, dict) and isinstance(raw.get("id"), str):
            _place(conversation, response, {"status": status, **raw})
    for item in messages_of(conversation, response.id):
        message = {"type": "message", "role": "assistant", "status": status}
        _place(conversation, response, {"id": item.id, **message})
    for call in calls_of(conversation, response.id):
        if call.status != "in_progress":
            continue
        call.status = status
        if call.item_id:
            told = {"name": call.name, "arguments": call.arguments, "call_id": call.call_id}
            raw = {"id": call.item_id, "type": "function_call", "status": status, **told}
            _place(conversation, response, raw)


def _place(conversation: _Folded, response: Response, raw: JsonObject) -> None:
    item_id = raw["id"]
    item = conversation.items.get(item_id)
    if item_id in conversation.deleted or (item is not None and item.placed):
        return
    if item is None:
        item = conversation.items[item_id] = Item(item_id)
    item.update(raw)
    item.response_id = response.id
    item.serving = response.serving
    if item_id not in response.item_ids:
        response.item_ids.append(item_id)
    if response.in_conversation:
        item.placed = True
        conversation.order.append(item_id)
        conversation.history["added", item_id] = None
