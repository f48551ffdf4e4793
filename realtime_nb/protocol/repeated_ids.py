"""Ids that a server, or a second session, gives to something else.

Whoever counts from 1 in every session gives the same ids again. What had the id before keeps what
was said of it, under a name with a number behind; the id is from then on that of the later.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.records import FunctionCall, Item, Response, Speech
from realtime_nb.protocol.wire import JsonObject

__all__ = ["tell_apart"]

T = TypeVar("T")


class _Folded(Protocol):
    """A conversation, as far as it holds ids; see
    :class:`realtime_nb.protocol.conversation.Conversation`."""

    items: dict[str, Item]
    deleted: dict[str, Item]
    order: list[str]
    responses: dict[str, Response]
    running: list[str]
    calls: dict[str, FunctionCall]
    history: dict[Any, None]
    set_apart: list[tuple[str, str]]
    mixed_responses: set[str]
    session_steps: int

    @property
    def speech(self) -> list[Speech]:
        """What turn detection heard."""


def tell_apart(conversation: _Folded, event: ev.ServerEvent) -> None:
    """Sets apart what had an id that this event gives to something else."""
    match event:
        case ev.ResponseCreated():
            _response(conversation, str(event.response.get("id", "")))
        case ev.SpeechStarted():
            if _is_committed(conversation, event.item_id):
                _set_item_apart(conversation, event.item_id)
        case ev.AudioBufferCommitted():
            mark = ("committed", event.item_id)
            if mark in conversation.history and next(reversed(conversation.history)) != mark:
                _set_item_apart(conversation, event.item_id)
        case ev.OutputItemAdded() | ev.OutputItemDone():
            _output(conversation, event)
        case ev.ItemAdded():
            _typed(conversation, event.item)
        case _:
            pass


def _response(conversation: _Folded, response_id: str) -> None:
    former = conversation.responses.get(response_id)
    if former is None or not former.announced or not response_id:
        return
    if former.active and not former.item_ids:
        former.repeated = True  # or else only said twice
        return
    apart = _set_response_apart(conversation, response_id)
    if former.active:  # what comes now may be of either
        former.repeated = True
        conversation.mixed_responses.add(response_id)
    conversation.set_apart.append((response_id, apart))


def _is_committed(conversation: _Folded, item_id: str) -> bool:
    return ("committed", item_id) in conversation.history


def _output(conversation: _Folded, event: ev.OutputItemAdded | ev.OutputItemDone) -> None:
    item_id, call_id = event.item.get("id"), event.item.get("call_id")
    former = conversation.items.get(item_id) if isinstance(item_id, str) else None
    if former is not None and former.response_id not in (None, event.response_id):
        _set_item_apart(conversation, former.id)
    call = conversation.calls.get(call_id) if isinstance(call_id, str) else None
    if call is not None and call.response_id not in ("", event.response_id):
        _set_call_apart(conversation, call.call_id)


def _typed(conversation: _Folded, raw: JsonObject) -> None:
    """Sets a message apart whose id is a new one's; one that is restored in a new session is the
    same."""
    item_id = raw.get("id")
    if not isinstance(item_id, str) or raw.get("role") != "user":
        return
    former = conversation.items.get(item_id)
    if former is None or ("added", item_id) not in conversation.history:
        return
    parts = raw.get("content")
    texts = [p.get("text") for p in parts if isinstance(p, dict)] if isinstance(parts, list) else []
    text = " ".join(one for one in texts if isinstance(one, str)).strip()
    if text and (text != former.text or _is_new_session(conversation, item_id)):
        _set_item_apart(conversation, item_id)


def _is_new_session(conversation: _Folded, item_id: str) -> bool:
    """Tells whether a session was created, and has answered, since an item was added."""
    steps = list(conversation.history)
    return steps.index(("added", item_id)) < conversation.session_steps < len(steps)


# --- renaming -------------------------------------------------------------------------------------


def _renamed(held: dict[str, T], name: str, apart: str) -> dict[str, T]:
    return {apart if key == name else key: value for key, value in held.items()}


def _free(held: dict[str, T], name: str) -> str:
    """Returns the first name of that kind that nothing has."""
    number = 1
    while f"{name} ({number})" in held:
        number += 1
    return f"{name} ({number})"


def _rename_steps(conversation: _Folded, name: str, apart: str, *kinds: str) -> None:
    conversation.history = {
        (step, apart if step in kinds and one == name else one): None
        for step, one in conversation.history
    }


def _set_response_apart(conversation: _Folded, name: str) -> str:
    apart = _free(conversation.responses, name)
    conversation.responses = _renamed(conversation.responses, name, apart)
    conversation.responses[apart].id = apart
    conversation.running = [one for one in conversation.running if one != name]
    _rename_steps(conversation, name, apart, "response")
    for item in (*conversation.items.values(), *conversation.deleted.values()):
        if item.response_id == name:
            item.response_id = apart
    for call in conversation.calls.values():
        if call.response_id == name:
            call.response_id = apart
    return apart


def _set_item_apart(conversation: _Folded, name: str) -> None:
    items = conversation.items if name in conversation.items else conversation.deleted
    if name not in items:
        return
    apart = _free(items, name)
    renamed = _renamed(items, name, apart)
    items.clear()
    items |= renamed
    items[apart].id = apart
    conversation.order = [apart if one == name else one for one in conversation.order]
    _rename_steps(conversation, name, apart, "committed", "added")
    for heard in conversation.speech:
        if heard.item_id == name:
            heard.item_id = apart
    for response in conversation.responses.values():
        response.item_ids = [apart if one == name else one for one in response.item_ids]
    for call in conversation.calls.values():
        if call.item_id == name:
            call.item_id = apart
    conversation.set_apart.append((name, apart))


def _set_call_apart(conversation: _Folded, name: str) -> None:
    apart = _free(conversation.calls, name)
    conversation.calls = _renamed(conversation.calls, name, apart)
    conversation.calls[apart].call_id = apart
    _rename_steps(conversation, name, apart, "output")
    conversation.set_apart.append((name, apart))
