"""What a table of events says of each, and keeps of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from realtime_nb.protocol.events import JsonObject, payload_bytes

__all__ = ["KeptEvent", "summary_of", "without_audio"]

_TEXT_CHARACTERS = 160
_LONG_TEXT = 100_000
_DEEPEST = 20
_BYTES_PER_SAMPLE = 2


class KeptEvent(NamedTuple):
    """An event, without its audio.

    Attributes:
        seq: Its number, from 0.
        t_s: When it crossed the wire, in seconds since the session began; NaN where unknown.
        sent: Whether the client sent it.
        event: What is kept of it.
        audio_bytes: How much audio it carried.
        benign: Whether it is the error of a lost race, which changed nothing.
    """

    seq: int
    t_s: float
    sent: bool
    event: JsonObject
    audio_bytes: int
    benign: bool = False


def without_audio(event: Mapping[str, Any]) -> tuple[JsonObject, int]:
    """Returns a copy of the event in which audio and very long texts are named by their size, and
    how many bytes of audio there were."""
    kind = event.get("type")
    if isinstance(kind, str) and kind.endswith(".delta") and "audio.delta" not in kind:
        return dict(event), 0
    sizes: list[int] = []
    is_audio_delta = isinstance(kind, str) and kind.endswith("audio.delta")
    kept = {
        str(key): _kept(
            value, sizes, is_audio=key == "audio" or (key == "delta" and is_audio_delta)
        )
        for key, value in event.items()
    }
    return kept, sum(sizes)


def _kept(value: Any, sizes: list[int], *, is_audio: bool = False, depth: int = 0) -> Any:
    if isinstance(value, str):
        if is_audio:
            sizes.append(payload_bytes(value))
            return f"({sizes[-1]:,} bytes of audio)"
        if len(value) > _LONG_TEXT:
            return f"{value[:_TEXT_CHARACTERS]}… ({len(value):,} characters)"
    elif isinstance(value, dict):
        if is_audio and isinstance(value.get("samples"), int):  # a recording's reference
            stated = value.get("bytes")
            samples = value["samples"] * _BYTES_PER_SAMPLE
            sizes.append(stated if isinstance(stated, int) else samples)
            return value
        if depth > _DEEPEST:
            return "(nested too deeply)"
        return {
            str(key): _kept(inner, sizes, is_audio=key == "audio", depth=depth + 1)
            for key, inner in value.items()
        }
    elif isinstance(value, list):
        if depth > _DEEPEST:
            return "(nested too deeply)"
        return [_kept(inner, sizes, depth=depth + 1) for inner in value]
    return value


def summary_of(kept: KeptEvent) -> list[object]:
    """Returns what the page is told of an event: the fields of ``Summary`` in event_list.js, in
    order.

    ``[seq, t_ms, sent, type, event_id, item_id, response_id, call_id, caused_by, bytes, text,
    benign]``
    """
    event = kept.event
    item, response, error = (_object(event, key) for key in ("item", "response", "error"))
    return [
        kept.seq,
        None if math.isnan(kept.t_s) else round(kept.t_s * 1000, 1),
        int(kept.sent),
        _text(event.get("type")) or "(no type)",
        _text(event.get("event_id")),
        _text(event.get("item_id")) or _text(item.get("id")),
        _text(event.get("response_id")) or _text(response.get("id")),
        _text(event.get("call_id")) or _text(item.get("call_id")),
        _text(error.get("event_id")),
        kept.audio_bytes or len(_text(event.get("delta")).encode()),
        "" if kept.audio_bytes else _said(event, item, response, error)[:_TEXT_CHARACTERS],
        int(kept.benign),
    ]


def _said(event: JsonObject, item: JsonObject, response: JsonObject, error: JsonObject) -> str:
    """Returns the most telling words of an event."""
    if error:
        code = _text(error.get("code")) or _text(error.get("type"))
        return ": ".join(part for part in (code, _text(error.get("message"))) if part)
    for key in ("transcript", "text", "arguments", "delta"):
        if isinstance(event.get(key), str):
            return str(event[key])
    for key in ("audio_start_ms", "audio_end_ms"):
        if key in event:
            return f"{key.replace('_ms', '').replace('_', ' ')} {event[key]} ms"
    if item:
        return _said_of_item(item)
    if response:
        return _said_of_response(response)
    session = _object(event, "session")
    return ", ".join(f"{key}: {_brief(value)}" for key, value in session.items())


def _said_of_item(item: JsonObject) -> str:
    words = [_text(item.get("role")) or _text(item.get("type"))]
    if item.get("name"):
        words.append(f"{_text(item.get('name'))}({_text(item.get('arguments'))})")
    words.append(_text(item.get("output")))
    content = item.get("content")
    parts = (
        [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    )
    words += [_text(part.get("text")) or _text(part.get("transcript")) for part in parts]
    return " ".join(word for word in words if word)


def _said_of_response(response: JsonObject) -> str:
    details, usage = _object(response, "status_details"), _object(response, "usage")
    failure = _object(details, "error")
    words = [
        _text(response.get("status")),
        _text(details.get("reason")),
        _text(failure.get("message")),
        _text(response.get("instructions")),
    ]
    if usage:
        words.append(
            f"{usage.get('input_tokens', 0)} tokens in, {usage.get('output_tokens', 0)} out"
        )
    return ", ".join(word for word in words if word)


def _brief(value: object) -> str:
    if isinstance(value, dict):
        return "{…}"
    if isinstance(value, list):
        return f"[{len(value)}]"
    return str(value)


def _object(value: JsonObject, key: str) -> JsonObject:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
