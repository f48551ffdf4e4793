"""Responses apart from the conversation, whose result is awaited."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from realtime_nb.errors import ServerError
from realtime_nb.protocol.events import ErrorEvent, JsonObject, ResponseDone

__all__ = ["Reply", "reply_apart"]

_MARK = "realtime_nb_apart"
_MOST_METADATA = 16


class _Asks(Protocol):
    def send(self, event: JsonObject) -> str: ...
    async def wait_for(self, wanted: Callable[[Any], bool], timeout_s: float) -> Any: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What a response apart from the conversation came to.

    Attributes:
        text: its words, written or spoken.
        calls: (name, arguments as JSON) of the functions that it calls; none of them is run.
        status: ``completed``, ``cancelled``, ``incomplete`` or ``failed``.
        response: all that ``response.done`` says of it, usage included.
    """

    text: str
    calls: tuple[tuple[str, str], ...]
    status: str
    response: JsonObject


async def reply_apart(
    driver: _Asks, response: JsonObject, timeout_s: float, asked: Callable[[], None]
) -> Reply:
    """Asks for a response apart, and returns what it came to.

    It is known by a mark in its metadata, which the server repeats: others may run meanwhile. Where
    a server repeats no metadata it is the next response that is none of the conversation's.

    Args:
        driver: sends, and waits for events.
        response: the fields of its ``response.create``.
        timeout_s: how long it may take.
        asked: called once it is sent.

    Raises:
        ServerError: the server refused it, or it is not done in time.
    """
    mark = secrets.token_hex(8)
    metadata = dict(response.get("metadata") or {})
    if len(metadata) < _MOST_METADATA:
        metadata[_MARK] = mark
    sent = {**response, "metadata": metadata}
    event_id = f"event_{mark}"

    def ends(event: Any) -> bool:
        if isinstance(event, ErrorEvent):
            return event.caused_by == event_id
        return isinstance(event, ResponseDone) and _is_it(event.response, metadata)

    waiting = asyncio.ensure_future(driver.wait_for(ends, timeout_s))
    try:
        await asyncio.sleep(0)  # it waits now
        driver.send({"type": "response.create", "event_id": event_id, "response": sent})
        asked()
        event = await waiting
    except TimeoutError:
        raise ServerError(
            f"The response is not done after {timeout_s:g} s; give it more with timeout_s."
        ) from None
    finally:
        waiting.cancel()
    if isinstance(event, ErrorEvent):
        param = event.error.get("param")
        words = f"The server refused the response: {event.message}"
        raise ServerError(words, event.code, param, event_id)
    return _reply(event.response)


def _is_it(response: JsonObject, metadata: JsonObject) -> bool:
    told = response.get("metadata")
    if told:
        return bool(told == metadata)
    return "conversation_id" in response and response["conversation_id"] is None


def _reply(response: JsonObject) -> Reply:
    items = [item for item in response.get("output") or [] if isinstance(item, dict)]
    parts = [part for item in items for part in item.get("content") or []]
    words = (part.get("text") or part.get("transcript") or "" for part in parts)
    calls = [item for item in items if item.get("type") == "function_call"]
    return Reply(
        "".join(words),
        tuple((str(call.get("name")), str(call.get("arguments"))) for call in calls),
        str(response.get("status")),
        response,
    )
