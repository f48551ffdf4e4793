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

from realtime_nb.protocol.audio_formats import WIRE_FORMATS
from realtime_nb.protocol.wire import JsonObject

__all__ = [
    "BETA_CLIENT",
    "BETA_CLIENT_EVENTS",
    "BETA_OFF",
    "BETA_REMEDY",
    "BETA_SERVER_EVENTS",
    "BETA_TEMPERATURE",
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

BETA_TEMPERATURE = 0.8
"""What a beta client reads as ``temperature``: the beta's default. GA has no such setting."""

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

_FORMATS: dict[str, JsonObject] = {known.name: known.fields for known in WIRE_FORMATS}

# Flat beta key → where GA keeps it: session.audio.<side>.<leaf>.
_SESSION_AUDIO = {
    "input_audio_format": ("input", "format"),
    "input_audio_transcription": ("input", "transcription"),
    "input_audio_noise_reduction": ("input", "noise_reduction"),
    "turn_detection": ("input", "turn_detection"),
    "output_audio_format": ("output", "format"),
    "voice": ("output", "voice"),
    "speed": ("output", "speed"),
}
_RESPONSE_AUDIO = {key: _SESSION_AUDIO[key] for key in ("output_audio_format", "voice")}

_BETA_ONLY = {"modalities", "max_response_output_tokens", "temperature"}
_FLAT_SESSION_KEYS = _BETA_ONLY | _SESSION_AUDIO.keys()

_LEFT_OUT = {
    "temperature": "GA has no temperature",
    "client_secret": "in GA keys for browsers come from POST /v1/realtime/client_secrets",
}
_SESSION_TYPES = ("realtime", "transcription")
_SESSION_KEYS = _FLAT_SESSION_KEYS | {
    *("audio", "output_modalities", "max_output_tokens", "instructions", "tools", "tool_choice"),
}

_TO_GA_PARTS = {"audio": "output_audio", "text": "output_text"}
_TO_BETA_PARTS = {ga: beta for beta, ga in _TO_GA_PARTS.items()}

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


# --- One value ------------------------------------------------------------------------------------


def _ga_modalities(value: object) -> object:
    """Returns both of beta's orders for "with sound" are GA's ``["audio"]``: a transcript is
    included."""
    if value in (["audio", "text"], ["text", "audio"]):
        return ["audio"]
    return value


def _same(value: object) -> object:
    return value


def _beta_modalities(value: object) -> object:
    return ["audio", "text"] if value == ["audio"] else value


def _ga_format(value: object) -> object:
    known = _FORMATS.get(value) if isinstance(value, str) else None
    return value if known is None else dict(known)


def _beta_format(value: object) -> object:
    for name, ga_format in _FORMATS.items():
        # Some GA servers leave the only possible rate out.
        if value == ga_format or value == {"type": ga_format["type"]}:
            return name
    return value


def _unwrapped_function(value: object) -> object:
    """Turns ``{"type": "function", "function": {…}}``, in tools and tool_choice, into one
    object."""
    inner = value.get("function") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(inner, dict) or "function" in inner:
        return value
    outer = {key: held for key, held in value.items() if key != "function"}
    return {**inner, **outer}


# --- Sessions, responses, items -------------------------------------------------------------------


def _nested(flat: JsonObject, paths: Mapping[str, tuple[str, str]]) -> JsonObject:
    """Returns the GA form of a session's or response's fields; GA keys win over beta ones."""
    fields = dict(flat)
    fields.pop("temperature", None)
    for beta, ga, convert in (
        ("modalities", "output_modalities", _ga_modalities),
        ("max_response_output_tokens", "max_output_tokens", _same),
    ):
        if beta in fields:
            fields.setdefault(ga, convert(fields.pop(beta)))
    if isinstance(tools := fields.get("tools"), list):
        fields["tools"] = [_unwrapped_function(tool) for tool in tools]
    if "tool_choice" in fields:
        fields["tool_choice"] = _unwrapped_function(fields["tool_choice"])

    audio = fields.get("audio", {})
    if not isinstance(audio, dict):
        return fields
    audio = dict(audio)
    for beta, (side, leaf) in paths.items():
        place = audio.get(side, {})
        if beta in fields and isinstance(place, dict):
            value = fields.pop(beta)
            audio[side] = {leaf: _ga_format(value) if leaf == "format" else value, **place}
    if audio:
        fields["audio"] = audio
    return fields


def _flattened(nested: JsonObject, paths: Mapping[str, tuple[str, str]]) -> JsonObject:
    """Returns the beta form of a session's or response's fields; what beta lacks stays nested."""
    fields = dict(nested)
    audio = fields.get("audio")
    if not isinstance(audio, dict):
        return fields
    audio = {side: dict(held) if isinstance(held, dict) else held for side, held in audio.items()}
    for beta, (side, leaf) in paths.items():
        place = audio.get(side)
        if isinstance(place, dict) and leaf in place:
            value = place.pop(leaf)
            fields[beta] = _beta_format(value) if leaf == "format" else value
    fields["audio"] = {side: held for side, held in audio.items() if held != {}}
    if not fields["audio"]:
        del fields["audio"]
    return fields


def _ga_session(session: JsonObject) -> JsonObject:
    fields = _nested(session, _SESSION_AUDIO)
    fields.pop("client_secret", None)
    # A session that is GA but for its missing type is left to the validator.
    if "audio" not in session or session.keys() & _FLAT_SESSION_KEYS:
        is_transcription = session.get("object") == "realtime.transcription_session"
        fields.setdefault("type", "transcription" if is_transcription else "realtime")
    return fields


def _ga_transcription_session(session: JsonObject) -> JsonObject:
    fields = _ga_session({"type": "transcription", **session})
    fields.pop("output_modalities", None)
    return fields


def _with_beta_modalities(fields: JsonObject) -> JsonObject:
    if "output_modalities" not in fields:
        return fields
    rest = {key: value for key, value in fields.items() if key != "output_modalities"}
    return {**rest, "modalities": _beta_modalities(fields["output_modalities"])}


def _beta_session(session: JsonObject) -> JsonObject:
    fields = _with_beta_modalities(_flattened(session, _SESSION_AUDIO))
    if "max_output_tokens" in fields:
        fields["max_response_output_tokens"] = fields.pop("max_output_tokens")
    if fields.get("type") in ("realtime", "transcription"):
        del fields["type"]
    return fields


def _beta_realtime_session(session: JsonObject) -> JsonObject:
    return {"temperature": BETA_TEMPERATURE, **_beta_session(session)}


def _ga_response(response: JsonObject) -> JsonObject:
    fields = _with_items(_nested(response, _RESPONSE_AUDIO), "output", _ga_item)
    details = fields.get("status_details")
    if isinstance(details, str):  # xAI gives the reason alone
        status = fields.get("status")
        known = {"type": status} if isinstance(status, str) else {}
        fields["status_details"] = {**known, "reason": details}
    return fields


def _beta_response(response: JsonObject) -> JsonObject:
    flat = _with_beta_modalities(_flattened(response, _RESPONSE_AUDIO))
    fields = {"temperature": BETA_TEMPERATURE, **flat}
    return _with_items(fields, "output", _beta_item)


def _ga_response_request(request: JsonObject) -> JsonObject:
    return _with_items(_nested(request, _RESPONSE_AUDIO), "input", _ga_item)


def _beta_response_request(request: JsonObject) -> JsonObject:
    flat = _with_beta_modalities(_flattened(request, _RESPONSE_AUDIO))
    fields = _with_items(flat, "input", _beta_item)
    if "max_output_tokens" in fields:
        fields["max_response_output_tokens"] = fields.pop("max_output_tokens")
    return fields


def _ga_item(item: JsonObject) -> JsonObject:
    return _retyped(item, _TO_GA_PARTS)


def _beta_item(item: JsonObject) -> JsonObject:
    return _retyped(item, _TO_BETA_PARTS)


def _retyped(item: JsonObject, part_types: Mapping[str, str]) -> JsonObject:
    """Renames the types of an assistant message's content parts."""
    content = item.get("content")
    if item.get("role") != "assistant" or not isinstance(content, list):
        return item
    return {**item, "content": [_retyped_part(part, part_types) for part in content]}


def _retyped_part(part: object, part_types: Mapping[str, str]) -> object:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        return part
    return {**part, "type": part_types.get(part["type"], part["type"])}


def _with_items(
    fields: JsonObject, key: str, convert: Callable[[JsonObject], JsonObject]
) -> JsonObject:
    """Converts every item of the list at ``key``, if there is such a list."""
    items = fields.get(key)
    if not isinstance(items, list):
        return fields
    return {**fields, key: [convert(item) if isinstance(item, dict) else item for item in items]}


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
        return _ga_transcription_session(session)
    return _ga_session(session)


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
        return field in _BETA_ONLY | _RESPONSE_AUDIO.keys()
    return holder == "session" and (field == "type" or field in _FLAT_SESSION_KEYS)


def client_to_ga(event: JsonObject) -> list[JsonObject]:
    """Turns what a beta client sent into GA form. Only for connections known to be beta.

    A flat session gets ``type: "realtime"``; where a field is given in both forms, GA wins;
    ``temperature`` is dropped.
    """
    match event.get("type"):
        case "session.update":
            return _with(event, "session", _ga_session)
        case "transcription_session.update":
            return _with(
                _with_session(event), "session", _ga_transcription_session, type="session.update"
            )
        case "response.create":
            return _with(event, "response", _ga_response_request)
        case "conversation.item.create":
            return _with(event, "item", _ga_item)
        case _:
            return [event]


def _with_session(event: JsonObject) -> JsonObject:
    """Gathers a ``transcription_session.update``'s fields, which clients also sent unwrapped."""
    if "session" in event:
        return event
    inner = _FLAT_SESSION_KEYS | {"include"}
    session = {key: value for key, value in event.items() if key in inner}
    outer = {key: value for key, value in event.items() if key not in inner}
    return {**outer, "session": session}


def client_to_beta(event: JsonObject) -> list[JsonObject]:
    """Turns a GA client event into the one that a beta server understands."""
    match event.get("type"):
        case "session.update":
            session = event.get("session")
            if isinstance(session, dict) and session.get("type") == "transcription":
                return _with(event, "session", _beta_session, type="transcription_session.update")
            return _with(event, "session", _beta_session)
        case "response.create":
            return _with(event, "response", _beta_response_request)
        case "conversation.item.create":
            return _with(event, "item", _beta_item)
        case _:
            return [event]


def lifted(event: JsonObject, flat: Sequence[str]) -> JsonObject:
    """Returns a client's event for a server that takes GA, but some settings where the beta had
    them."""
    if event.get("type") != "session.update":
        return event
    paths = {key: _SESSION_AUDIO[key] for key in flat}
    return _with(event, "session", lambda session: _flattened(session, paths))[0]


def with_wrapped_tools(event: JsonObject) -> JsonObject:
    """Returns a client's event with its functions as ``{"type": "function", "function": {…}}``."""
    key = {"session.update": "session", "response.create": "response"}.get(str(event.get("type")))
    if key is None or not isinstance(event.get(key), dict):
        return event
    return _with(event, key, lambda fields: _with_items(fields, "tools", _wrapped_function))[0]


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
            return _with(event, "item", _beta_item, type="conversation.item.created")
        case "conversation.item.done":
            return []
        case str(name) if name in _ITEM_EVENTS:
            return _with(event, "item", _beta_item)
        case "response.created" | "response.done":
            return _with(event, "response", _beta_response)
        case "session.created" | "session.updated" as name:
            session = event.get("session")
            if isinstance(session, dict) and session.get("type") == "transcription":
                return _with(event, "session", _beta_session, type=f"transcription_{name}")
            return _with(event, "session", _beta_realtime_session)
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
            added = _with(event, "item", _ga_item, type="conversation.item.added")
            item = event.get("item")
            if not isinstance(item, dict) or item.get("status") != "completed":
                return added
            return [*added, {**added[0], "type": "conversation.item.done"}]
        case str(name) if name in _ITEM_EVENTS:
            return _with(event, "item", _ga_item)
        case "response.created" | "response.done":
            return _with(event, "response", _ga_response)
        case "session.created" | "session.updated":
            return _with(event, "session", _ga_session)
        case "transcription_session.created" | "transcription_session.updated" as name:
            ga_name = name.removeprefix("transcription_")
            return _with(event, "session", _ga_transcription_session, type=ga_name)
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
    return "beta" if session.keys() & _FLAT_SESSION_KEYS else None


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
