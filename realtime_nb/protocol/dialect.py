"""The beta dialect and the GA dialect of the Realtime protocol, turned into each other.

The beta (2024-10 to 2026-05, still spoken by tutorials and other vendors' servers) has a flat
session and other names for some events. Everything else in this package speaks GA; this module
stands at the edge::

                     a server of ours                     a client of ours
    beta client ──► client_to_ga ──► core    core ──► client_to_beta ──► beta server
    beta client ◄── server_to_beta ◄── core  core ◄── server_to_ga ◄──── beta server

The four functions take one event and return the events it becomes: usually one, sometimes none
or two. They never change their argument, though what they return may share parts with it. Events
and fields that they don't know pass untouched, and so does malformed input: they never raise, and
leave the complaint to whoever validates. An event already in the target dialect comes back equal.

They keep no state, so what needs a memory is left to the caller: a beta server never says
``conversation.item.done`` for an item that it announced as ``in_progress``
(``response.output_item.done`` is final there), and a server that wants to greet a beta client
with ``conversation.created`` sends it itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from realtime_nb.protocol.dialect_fields import (
    BETA_ONLY,
    FLAT_SESSION_KEYS,
    RESPONSE_AUDIO,
    SESSION_AUDIO,
    beta_error,
    beta_item,
    beta_realtime_session,
    beta_response,
    beta_response_request,
    beta_session,
    flattened,
    ga_item,
    ga_response,
    ga_response_request,
    ga_session,
    ga_transcription_session,
    with_items,
)
from realtime_nb.protocol.wire import JsonObject

__all__ = [
    "BETA_CLIENT",
    "BETA_CLIENT_EVENTS",
    "BETA_OFF",
    "BETA_REMEDY",
    "BETA_SERVER_EVENTS",
    "audio_field",
    "client_to_beta",
    "client_to_ga",
    "detect",
    "ga_name",
    "is_beta_field",
    "is_beta_handshake",
    "left_out",
    "lifted",
    "looks_like_session",
    "server_shows_beta",
    "server_to_beta",
    "server_to_ga",
    "session_to_ga",
    "to_ga",
    "with_wrapped_tools",
]

Side: TypeAlias = Literal["input", "output"]

BETA_OFF = "beta_api_shape_disabled"
"""The error's code with which OpenAI refuses the beta."""

BETA_REMEDY = (
    "leave out the header OpenAI-Beta (and the sub-protocol openai-beta.realtime-v1), and send "
    "and expect what rt.ga(…) makes of your events and settings"
)

BETA_CLIENT = (
    "A client speaks the beta interface. OpenAI has switched that off on 2026-05-12 and refuses "
    f"such clients ({BETA_OFF}, close code 4000). What to do: {BETA_REMEDY}. "
    "To be refused here, too: realtime-nb serve --strict-ga, or rt.serve(strict_ga=True)."
)

_BETA_HEADER = "openai-beta"
_BETA_HEADER_VALUE = "realtime=v1"
_BETA_SUBPROTOCOL = "openai-beta.realtime-v1"

_LEFT_OUT = {
    "temperature": "GA has no temperature",
    "client_secret": "in GA keys for browsers come from POST /v1/realtime/client_secrets",
}
_SESSION_TYPES = ("realtime", "transcription")
_SESSION_KEYS = FLAT_SESSION_KEYS | {
    *("audio", "output_modalities", "max_output_tokens", "instructions", "tools", "tool_choice"),
}

_TO_GA_NAMES = {
    f"response.{beta}.{step}": f"response.output_{beta}.{step}"
    for beta in ("audio", "audio_transcript", "text")
    for step in ("delta", "done")
}
_TO_BETA_NAMES = {ga: beta for beta, ga in _TO_GA_NAMES.items()}

_GA_NAMES = {
    **_TO_GA_NAMES,
    "conversation.item.created": "conversation.item.added",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
    "transcription_session.update": "session.update",
}
BETA_CLIENT_EVENTS = {"transcription_session.update"}
BETA_SERVER_EVENTS = _GA_NAMES.keys() - BETA_CLIENT_EVENTS
"""Names that GA doesn't have."""

_AUDIO_FIELDS: dict[str, tuple[str, Side]] = {
    "input_audio_buffer.append": ("audio", "input"),
    "response.output_audio.delta": ("delta", "output"),
}

# Events that carry an item and, where both dialects have them, the same name.
_ITEM_EVENTS = {
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.retrieved",
    "response.output_item.added",
    "response.output_item.done",
}


# --- Events ---------------------------------------------------------------------------------------


def _with(
    event: JsonObject, key: str, convert: Callable[[JsonObject], JsonObject], **changes: object
) -> list[JsonObject]:
    """Returns the event with the object at ``key`` converted and other fields changed."""
    value = event.get(key)
    if isinstance(value, dict):
        changes[key] = convert(value)
    return [{**event, **changes}] if changes else [event]


def to_ga(event: JsonObject) -> list[JsonObject]:
    """Turns an event of either side and either dialect into GA form."""
    return [ga for sent in client_to_ga(event) for ga in server_to_ga(sent)]


def looks_like_session(fields: JsonObject) -> bool:
    """Tells whether an object is a session's settings, or a part of them, in either dialect."""
    said = (fields.get("type") in _SESSION_TYPES, str(fields.get("object")).startswith("realtime."))
    return any(said) or ("type" not in fields and bool(fields.keys() & _SESSION_KEYS))


def session_to_ga(session: JsonObject) -> JsonObject:
    """Turns a session's settings, without an event around them, into GA form."""
    if session.get("object") == "realtime.transcription_session":
        return ga_transcription_session(session)
    return ga_session(session)


def left_out(event: JsonObject) -> list[tuple[str, str]]:
    """Returns the paths in an event of a client, or in a session, that GA has no place for, and
    why."""
    around = [(key, event[key]) for key in ("session", "response") if key in event]
    return [
        (f"{path}.{key}" if path else key, why)
        for path, fields in (around if "type" in event and around else [("", event)])
        if isinstance(fields, dict)
        for key, why in _LEFT_OUT.items()
        if key in fields
    ]


def is_beta_field(path: str) -> bool:
    """Tells whether a field that a GA server refused, or missed, is where the beta differs."""
    holder, _, field = path.partition(".")
    if holder == "response":
        return field in BETA_ONLY | RESPONSE_AUDIO.keys()
    return holder == "session" and (field == "type" or field in FLAT_SESSION_KEYS)


def client_to_ga(event: JsonObject) -> list[JsonObject]:
    """Turns what a beta client sent into GA form. Only for connections known to be beta.

    A flat session gets ``type: "realtime"``; where a field is given in both forms, GA wins;
    ``temperature`` is dropped.
    """
    match event.get("type"):
        case "session.update":
            return _with(event, "session", ga_session)
        case "transcription_session.update":
            return _with(
                _with_session(event), "session", ga_transcription_session, type="session.update"
            )
        case "response.create":
            return _with(event, "response", ga_response_request)
        case "conversation.item.create":
            return _with(event, "item", ga_item)
        case _:
            return [event]


def _with_session(event: JsonObject) -> JsonObject:
    """Gathers a ``transcription_session.update``'s fields, which clients also sent unwrapped."""
    if "session" in event:
        return event
    inner = FLAT_SESSION_KEYS | {"include"}
    session = {key: value for key, value in event.items() if key in inner}
    outer = {key: value for key, value in event.items() if key not in inner}
    return {**outer, "session": session}


def client_to_beta(event: JsonObject) -> list[JsonObject]:
    """Turns a GA client event into the one that a beta server understands."""
    match event.get("type"):
        case "session.update":
            session = event.get("session")
            if isinstance(session, dict) and session.get("type") == "transcription":
                return _with(event, "session", beta_session, type="transcription_session.update")
            return _with(event, "session", beta_session)
        case "response.create":
            return _with(event, "response", beta_response_request)
        case "conversation.item.create":
            return _with(event, "item", beta_item)
        case _:
            return [event]


def lifted(event: JsonObject, flat: Sequence[str]) -> JsonObject:
    """Returns a client's event for a server that takes GA, but some settings where the beta had
    them."""
    if event.get("type") != "session.update":
        return event
    paths = {key: SESSION_AUDIO[key] for key in flat}
    return _with(event, "session", lambda session: flattened(session, paths))[0]


def with_wrapped_tools(event: JsonObject) -> JsonObject:
    """Returns a client's event with its functions as ``{"type": "function", "function": {…}}``."""
    key = {"session.update": "session", "response.create": "response"}.get(str(event.get("type")))
    if key is None or not isinstance(event.get(key), dict):
        return event
    return _with(event, key, lambda fields: with_items(fields, "tools", _wrapped_function))[0]


def _wrapped_function(tool: JsonObject) -> JsonObject:
    if tool.get("type") != "function" or "function" in tool:
        return tool
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}


def server_to_beta(event: JsonObject) -> list[JsonObject]:
    """Turns a GA server event into what a beta client expects.

    ``conversation.item.done`` becomes nothing: beta had no such event.
    """
    match event.get("type"):
        case str(name) if name in _TO_BETA_NAMES:
            return [{**event, "type": _TO_BETA_NAMES[name]}]
        case "conversation.item.added":
            return _with(event, "item", beta_item, type="conversation.item.created")
        case "conversation.item.done":
            return []
        case str(name) if name in _ITEM_EVENTS:
            return _with(event, "item", beta_item)
        case "response.created" | "response.done":
            return _with(event, "response", beta_response)
        case "session.created" | "session.updated" as name:
            session = event.get("session")
            if isinstance(session, dict) and session.get("type") == "transcription":
                return _with(event, "session", beta_session, type=f"transcription_{name}")
            return _with(event, "session", beta_realtime_session)
        case "error":
            return _with(event, "error", beta_error)
        case _:
            return [event]


def server_to_ga(event: JsonObject) -> list[JsonObject]:
    """Turns an event of a beta server, or of one that mixes the dialects, into GA form.

    ``conversation.item.created`` becomes ``conversation.item.added`` and, when the item is
    already completed, ``conversation.item.done`` too, both with the event id of the one frame.
    """
    match event.get("type"):
        case str(name) if name in _TO_GA_NAMES:
            return [{**event, "type": _TO_GA_NAMES[name]}]
        case "conversation.item.created":
            added = _with(event, "item", ga_item, type="conversation.item.added")
            item = event.get("item")
            if not isinstance(item, dict) or item.get("status") != "completed":
                return added
            return [*added, {**added[0], "type": "conversation.item.done"}]
        case str(name) if name in _ITEM_EVENTS:
            return _with(event, "item", ga_item)
        case "response.created" | "response.done":
            return _with(event, "response", ga_response)
        case "session.created" | "session.updated":
            return _with(event, "session", ga_session)
        case "transcription_session.created" | "transcription_session.updated" as name:
            ga_name = name.removeprefix("transcription_")
            return _with(event, "session", ga_transcription_session, type=ga_name)
        case _:
            return [event]


# --- Names ----------------------------------------------------------------------------------------


def ga_name(event_type: str) -> str:
    """Returns what GA calls an event of either dialect."""
    return _GA_NAMES.get(event_type, event_type)


def audio_field(event_type: object) -> tuple[str, Side] | None:
    """Returns the field in which an event of either dialect carries audio, and whose that is."""
    return _AUDIO_FIELDS.get(ga_name(event_type)) if isinstance(event_type, str) else None


# --- Which dialect --------------------------------------------------------------------------------


def detect(event: JsonObject) -> Literal["beta", "ga"] | None:
    """Returns the dialect that a client event shows, or None where both would say it so.

    An update that mixes both forms counts as GA: no beta client knew ``session.type`` or
    ``session.audio``, and the vendors that took flat keys along into GA use GA's event names.
    """
    if event.get("type") == "transcription_session.update":
        return "beta"
    session = event.get("session")
    if event.get("type") != "session.update" or not isinstance(session, dict):
        return None
    if "type" in session or "audio" in session:
        return "ga"
    return "beta" if session.keys() & FLAT_SESSION_KEYS else None


def server_shows_beta(event: JsonObject) -> bool:
    """Tells whether a server's event is one that only a beta server sends."""
    session = event.get("session")
    flat = isinstance(session, dict) and "modalities" in session
    return event.get("type") in BETA_SERVER_EVENTS or flat


def is_beta_handshake(headers: Mapping[str, str], subprotocols: Sequence[str]) -> bool:
    """Tells whether a WebSocket handshake asks for the beta, by header or by sub-protocol.

    Args:
        headers: The request's headers; their names may be in any case.
        subprotocols: The sub-protocols that the client offers.
    """
    asked = [headers[name] for name in headers if name.lower() == _BETA_HEADER]
    values = {value.strip() for header in asked for value in header.split(",")}
    return _BETA_HEADER_VALUE in values or _BETA_SUBPROTOCOL in subprotocols
