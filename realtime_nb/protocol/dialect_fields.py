"""Sessions, responses and items in the beta dialect and in the GA dialect, turned into each other.

The parts of events, for :mod:`realtime_nb.protocol.dialect`: pure, liberal, and idempotent as that
is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from realtime_nb.protocol.audio_formats import WIRE_FORMATS
from realtime_nb.protocol.wire import JsonObject

__all__ = [
    "BETA_ONLY",
    "BETA_TEMPERATURE",
    "FLAT_SESSION_KEYS",
    "RESPONSE_AUDIO",
    "SESSION_AUDIO",
    "beta_error",
    "beta_item",
    "beta_realtime_session",
    "beta_response",
    "beta_response_request",
    "beta_session",
    "flattened",
    "ga_item",
    "ga_response",
    "ga_response_request",
    "ga_session",
    "ga_transcription_session",
    "with_items",
]

BETA_TEMPERATURE = 0.8
"""What a beta client reads as ``temperature``: the beta's default. GA has no such setting."""

_FORMATS: dict[str, JsonObject] = {known.name: known.fields for known in WIRE_FORMATS}

# Flat beta key → where GA keeps it: session.audio.<side>.<leaf>.
SESSION_AUDIO = {
    "input_audio_format": ("input", "format"),
    "input_audio_transcription": ("input", "transcription"),
    "input_audio_noise_reduction": ("input", "noise_reduction"),
    "turn_detection": ("input", "turn_detection"),
    "output_audio_format": ("output", "format"),
    "voice": ("output", "voice"),
    "speed": ("output", "speed"),
}
RESPONSE_AUDIO = {key: SESSION_AUDIO[key] for key in ("output_audio_format", "voice")}

BETA_ONLY = {"modalities", "max_response_output_tokens", "temperature"}
FLAT_SESSION_KEYS = BETA_ONLY | SESSION_AUDIO.keys()

_TO_GA_PARTS = {"audio": "output_audio", "text": "output_text"}
_TO_BETA_PARTS = {ga: beta for beta, ga in _TO_GA_PARTS.items()}


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


def flattened(nested: JsonObject, paths: Mapping[str, tuple[str, str]]) -> JsonObject:
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


def ga_session(session: JsonObject) -> JsonObject:
    """Returns a session's settings as GA has them."""
    fields = _nested(session, SESSION_AUDIO)
    fields.pop("client_secret", None)
    # A session that is GA but for its missing type is left to the validator.
    if "audio" not in session or session.keys() & FLAT_SESSION_KEYS:
        is_transcription = session.get("object") == "realtime.transcription_session"
        fields.setdefault("type", "transcription" if is_transcription else "realtime")
    return fields


def ga_transcription_session(session: JsonObject) -> JsonObject:
    """Returns the settings of a beta transcription session as GA has them."""
    fields = ga_session({"type": "transcription", **session})
    fields.pop("output_modalities", None)
    return fields


def _with_beta_modalities(fields: JsonObject) -> JsonObject:
    if "output_modalities" not in fields:
        return fields
    rest = {key: value for key, value in fields.items() if key != "output_modalities"}
    return {**rest, "modalities": _beta_modalities(fields["output_modalities"])}


def beta_session(session: JsonObject) -> JsonObject:
    """Returns settings as a beta client sends them."""
    fields = _with_beta_modalities(flattened(session, SESSION_AUDIO))
    if "max_output_tokens" in fields:
        fields["max_response_output_tokens"] = fields.pop("max_output_tokens")
    if fields.get("type") in ("realtime", "transcription"):
        del fields["type"]
    return fields


def beta_realtime_session(session: JsonObject) -> JsonObject:
    """Returns a session as a beta server tells it."""
    return {"temperature": BETA_TEMPERATURE, **beta_session(session)}


def ga_response(response: JsonObject) -> JsonObject:
    """Returns a response as a GA server tells it."""
    fields = with_items(_nested(response, RESPONSE_AUDIO), "output", ga_item)
    details = fields.get("status_details")
    if isinstance(details, str):  # xAI gives the reason alone
        status = fields.get("status")
        known = {"type": status} if isinstance(status, str) else {}
        fields["status_details"] = {**known, "reason": details}
    return fields


def beta_response(response: JsonObject) -> JsonObject:
    """Returns a response as a beta server tells it."""
    flat = _with_beta_modalities(flattened(response, RESPONSE_AUDIO))
    fields = {"temperature": BETA_TEMPERATURE, **flat}
    return with_items(fields, "output", beta_item)


def ga_response_request(request: JsonObject) -> JsonObject:
    """Returns what a GA client asks of a response."""
    return with_items(_nested(request, RESPONSE_AUDIO), "input", ga_item)


def beta_response_request(request: JsonObject) -> JsonObject:
    """Returns what a beta client asks of a response."""
    flat = _with_beta_modalities(flattened(request, RESPONSE_AUDIO))
    fields = with_items(flat, "input", beta_item)
    if "max_output_tokens" in fields:
        fields["max_response_output_tokens"] = fields.pop("max_output_tokens")
    return fields


_BETA_PATHS = {
    **{
        f"session.audio.{side}.{leaf}": f"session.{key}"
        for key, (side, leaf) in SESSION_AUDIO.items()
    },
    **{
        f"response.audio.{side}.{leaf}": f"response.{key}"
        for key, (side, leaf) in RESPONSE_AUDIO.items()
    },
    **{f"{holder}.output_modalities": f"{holder}.modalities" for holder in ("session", "response")},
    "session.max_output_tokens": "session.max_response_output_tokens",
}
_GA_COMBINATIONS, _BETA_COMBINATIONS = "['text'] and ['audio']", "['text'] and ['audio', 'text']"


def beta_error(error: JsonObject) -> JsonObject:
    """Returns what is wrong with an event in the names of the fields that a beta client sent."""
    param, message = error.get("param"), error.get("message")
    if not isinstance(param, str) or not isinstance(message, str):
        return error
    for path, beta in _BETA_PATHS.items():
        if param != path and not param.startswith((f"{path}.", f"{path}[")):
            continue
        if beta.endswith("_format"):  # a name here, where GA has an object
            names = ", ".join(f"'{name}'" for name in _FORMATS)
            told = f"Invalid value for '{beta}'. Supported values are: {names}."
            return {**error, "code": "invalid_value", "param": beta, "message": told}
        told = message.replace(path, beta).replace(_GA_COMBINATIONS, _BETA_COMBINATIONS)
        return {**error, "param": beta + param[len(path) :], "message": told}
    return error


def ga_item(item: JsonObject) -> JsonObject:
    """Returns an item as GA has it."""
    return _retyped(item, _TO_GA_PARTS)


def beta_item(item: JsonObject) -> JsonObject:
    """Returns an item as the beta has it."""
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


def with_items(
    fields: JsonObject, key: str, convert: Callable[[JsonObject], JsonObject]
) -> JsonObject:
    """Converts every item of the list at ``key``, if there is such a list."""
    items = fields.get(key)
    if not isinstance(items, list):
        return fields
    return {**fields, key: [convert(item) if isinstance(item, dict) else item for item in items]}
