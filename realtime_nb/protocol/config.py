"""What ``session.update`` can say, from friendly keywords and merged into a session.

A client builds a session with :func:`session_config` from keywords; a server checks one with
:func:`realtime_nb.protocol.fields.check_session` and merges it with :func:`merge_session`. Fields
that are not set don't travel, an explicit ``None`` does (``turn_detection=None`` turns voice
activity detection off), so defaults stay with the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
from msgspec import UNSET

from realtime_nb.errors import ConfigurationError
from realtime_nb.errors.option_names import refuse_unknown
from realtime_nb.protocol.audio_formats import WIRE_FORMATS
from realtime_nb.protocol.fields import ServerVAD, check_session
from realtime_nb.protocol.turn_detection import CLIENT_SILENCE_MS, SERVER_VAD
from realtime_nb.protocol.wire import JsonObject, object_of

__all__ = [
    "SESSION_OPTIONS",
    "VOICES",
    "merge_patches",
    "merge_session",
    "patient",
    "patient_options",
    "session_config",
    "waits_for_silence",
]

VOICES = (
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
)

T = TypeVar("T")

SESSION_OPTIONS = (
    "instructions",
    "voice",
    "speed",
    "output_modalities",
    "turn_detection",
    "transcription",
    "noise_reduction",
    "input_format",
    "output_format",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "max_output_tokens",
    "truncation",
    "tracing",
    "prompt",
    "include",
)
"""The session settings that ``connect()`` and ``Session.update()`` take as keywords."""


def session_config(
    tools: Sequence[JsonObject] | None = None,
    session_type: str = "realtime",
    **options: Any,
) -> JsonObject:
    """Returns a ``session.update`` patch from keywords (those of ``SESSION_OPTIONS``).

    Args:
        tools: tool definitions, None to leave them as they are.
        session_type: ``realtime`` or ``transcription``.
        options: ``turn_detection`` takes a ServerVAD, a SemanticVAD, a dict or None (off);
            ``transcription`` a model name, a dict or None; the formats ``pcm16``, ``g711_ulaw``
            or ``g711_alaw``; ``output_modalities`` also a single word.

    Raises:
        ConfigurationError: an unknown option, or a value that the protocol does not allow.
    """
    refuse_unknown(options, SESSION_OPTIONS)
    audio_input = _take(options, ("turn_detection", "transcription", "noise_reduction"))
    audio_output = _take(options, ("voice", "speed"))
    for side, name in ((audio_input, "input_format"), (audio_output, "output_format")):
        if name in options:
            side["format"] = _audio_format(name, options.pop(name))
    if isinstance(audio_input.get("transcription"), str):
        audio_input["transcription"] = {"model": audio_input["transcription"]}
    if isinstance(options.get("output_modalities"), str):
        options["output_modalities"] = [options["output_modalities"]]
    patch: JsonObject = {"type": session_type, **options}
    audio = {
        side: values
        for side, values in (("input", audio_input), ("output", audio_output))
        if values
    }
    if audio:
        patch["audio"] = audio
    if tools is not None:
        patch["tools"] = list(tools)
    raw: JsonObject = msgspec.to_builtins(patch)
    try:
        check_session(raw)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"The session can't be configured like that: {error}") from None
    return raw


def patient(detection: T) -> T:
    """Returns a turn detection that tells how long a silence ends a turn.

    A ``server_vad`` that leaves it out asks for CLIENT_SILENCE_MS; whatever else there is stays.
    """
    if isinstance(detection, ServerVAD) and detection.silence_duration_ms is UNSET:
        return msgspec.structs.replace(detection, silence_duration_ms=CLIENT_SILENCE_MS)
    if isinstance(detection, dict) and detection.get("type") == "server_vad":
        return cast("T", {"silence_duration_ms": CLIENT_SILENCE_MS, **detection})
    return detection


def patient_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings whose turn detection, where it is among them, is :func:`patient`."""
    settings = dict(options)
    if "turn_detection" in settings:
        settings["turn_detection"] = patient(settings["turn_detection"])
    return settings


def waits_for_silence(session: JsonObject) -> bool:
    """Returns whether a silence would end turns in a session that nobody has configured yet.

    So it is in a conversation whose server says so, or says nothing of turn detection.
    """
    if session.get("type") == "transcription":
        return False
    audio = object_of(session, "audio") or {}
    detection = (object_of(audio, "input") or {}).get("turn_detection", {})
    return isinstance(detection, dict) and detection.get("type", "server_vad") == "server_vad"


def _take(options: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: options.pop(name) for name in names if name in options}


def _audio_format(name: str, value: object) -> JsonObject:
    if isinstance(value, dict):
        return value
    known = {audio_format.name: audio_format for audio_format in WIRE_FORMATS}
    if isinstance(value, str) and value in known:
        return known[value].fields
    raise ConfigurationError(f"{name} must be one of {', '.join(known)}, not {value!r}.")


_VAD_DEFAULTS: dict[str, JsonObject] = {
    "server_vad": {
        **{name: limits.usual for name, limits in SERVER_VAD.items()},
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}

_RESPONSE_KEYS = ("idle_timeout_ms", "create_response", "interrupt_response")


def merge_patches(first: JsonObject, then: JsonObject) -> JsonObject:
    """Returns the one ``session.update`` that does what two do one after the other."""
    merged = {**first, **{key: value for key, value in then.items() if key != "audio"}}
    audio = {side: dict(values) for side, values in (object_of(first, "audio") or {}).items()}
    for side, values in (object_of(then, "audio") or {}).items():
        audio[side] = {**audio.get(side, {}), **(values or {})}
    if audio:
        merged["audio"] = audio
    return merged


def merge_session(session: JsonObject, patch: JsonObject) -> JsonObject:
    """Returns the session after a (checked) patch.

    Only the fields present change. ``audio``, ``audio.input`` and ``audio.output`` are merged;
    everything inside them is replaced as a whole. A turn detection object is filled up with the
    defaults of its type, as the hosted server echoes it. The strength of noise reduction is 1 at
    first, and stays as it is where it is left out.
    """
    merged = merge_patches(session, patch)
    audio = merged.get("audio", {})
    detection = audio.get("input", {}).get("turn_detection")
    if detection is not None:
        defaults = _VAD_DEFAULTS[detection["type"]]
        if merged.get("type") == "transcription":
            # Nothing responds there, and nothing can be interrupted.
            defaults = {key: defaults[key] for key in defaults if key not in _RESPONSE_KEYS}
        audio["input"]["turn_detection"] = {"type": detection["type"], **defaults, **detection}
    reduction = audio.get("input", {}).get("noise_reduction")
    if reduction is not None:
        before = ((session.get("audio") or {}).get("input") or {}).get("noise_reduction") or {}
        strength = before.get("strength", 1.0)
        audio["input"]["noise_reduction"] = {"strength": strength, **reduction}
    transcription = audio.get("input", {}).get("transcription")
    if transcription is not None:
        audio["input"]["transcription"] = {"language": None, "prompt": None, **transcription}
    return merged
