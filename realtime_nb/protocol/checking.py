"""Is this an event, and one that can be obeyed? The first look at what a client sent."""

from __future__ import annotations

import msgspec

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.items import decode_audio
from realtime_nb.protocol.problems import (
    Problem,
    Refused,
    problem_from,
    type_words,
    unsupported,
)

__all__ = ["checked_event", "decoded_append"]

MAX_APPEND_BYTES = 15 * 1024 * 1024
MAX_DEPTH = 64
"""Levels of objects and lists in an event: whatever is taken in must also be sendable again."""

_NAMES = (
    "session.update",
    *(f"input_audio_buffer.{verb}" for verb in ("append", "commit", "clear")),
    *(f"conversation.item.{verb}" for verb in ("create", "truncate", "delete", "retrieve")),
    *("response.create", "response.cancel"),
)
"""In the order in which the hosted server tells them, without those of its translations."""


def checked_event(raw: JsonObject) -> ev.ClientEvent:
    """Returns a client's event as a struct.

    Raises:
        Refused: it is none, or one with missing, unknown or wrong fields.
    """
    name = raw.get("type")
    if name is None:
        raise Refused(Problem("invalid_event", "The 'type' field is missing."))
    if not isinstance(name, str):
        raise Refused(_no_string("type", name))
    if name not in ev.CLIENT_EVENTS:
        raise Refused(Problem("invalid_value", unsupported(name[:100], _NAMES), "type"))
    event_id = raw.get("event_id")
    if isinstance(event_id, str) and len(event_id) > 512:
        message = (
            "Invalid 'event_id': string too long. Expected a string with maximum length 512, "
            f"but got a string with length {len(event_id)} instead."
        )
        raise Refused(Problem("string_above_max_length", message, "event_id"))
    if _is_too_deep(raw):
        message = f"Invalid event: it is nested more than {MAX_DEPTH} levels deep."
        raise Refused(Problem("invalid_event", message))
    if name == "input_audio_buffer.append" and not isinstance(raw.get("audio", ""), str):
        # Only recordings have references to audio in its place.
        raise Refused(_no_string("audio", raw["audio"]))
    try:
        event = ev.parse_client(raw)
    except msgspec.ValidationError as error:
        raise Refused(problem_from(error, raw, "")) from None
    assert isinstance(event, ev.ClientEvent)
    return event


def _no_string(param: str, value: object) -> Problem:
    message = f"Invalid type for '{param}': expected a string, but got {type_words(value)} instead."
    return Problem("invalid_type", message, param)


def decoded_append(event: ev.AudioBufferAppend) -> bytes:
    """Returns the audio of an append; ``Refused`` where it is too long or no base64."""
    payload = event.audio
    assert isinstance(payload, str)
    if len(payload) > MAX_APPEND_BYTES:
        message = "Invalid 'audio': one event can carry 15 MiB of audio at most."
        raise Refused(Problem("string_above_max_length", message, "audio"))
    return decode_audio(payload, "audio")


def _is_too_deep(raw: JsonObject) -> bool:
    level: list[object] = [raw]
    for _ in range(MAX_DEPTH):
        level = [
            value
            for holder in level
            for value in (holder.values() if isinstance(holder, dict) else holder)  # type: ignore[attr-defined]
            if isinstance(value, dict | list)
        ]
        if not level:
            return False
    return True
