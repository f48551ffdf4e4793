"""A server's session object: how it begins, how it may change, what a response takes of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from realtime_nb.protocol.audio_formats import PCM
from realtime_nb.protocol.config import merge_session
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.fields import check_response, check_session
from realtime_nb.protocol.nulls import response_without_nulls
from realtime_nb.protocol.problems import Problem, Refused, problem_from
from realtime_nb.protocol.response import ResponseSettings
from realtime_nb.protocol.tool_servers import check_tool_servers

__all__ = ["checked_response", "new_session", "response_settings", "updated_session"]

_DEFAULT_INSTRUCTIONS = "You are a helpful, friendly voice agent. Keep your answers short."


def new_session(
    session_type: Literal["realtime", "transcription"], model: str, session_id: str, expires_at: int
) -> JsonObject:
    """Returns the session that ``session.created`` shows, with the defaults seen on the wire."""
    audio_input = {
        "format": PCM.fields,
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": {"type": "server_vad"},
    }
    if session_type == "transcription":
        session: JsonObject = {
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": session_id,
            "expires_at": expires_at,
            "include": None,
            "audio": {"input": audio_input},
        }
    else:
        session = {
            "type": "realtime",
            "object": "realtime.session",
            "id": session_id,
            "model": model,
            "output_modalities": ["audio"],
            "instructions": _DEFAULT_INSTRUCTIONS,
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": None,
            "truncation": "auto",
            "prompt": None,
            "expires_at": expires_at,
            "include": None,
            "audio": {
                "input": audio_input,
                "output": {"format": PCM.fields, "voice": "alloy", "speed": 1.0},
            },
        }
    return merge_session(session, {})


def updated_session(
    session: JsonObject, patch: JsonObject, *, has_spoken: bool, responds: bool = False
) -> JsonObject:
    """Returns the session after a ``session.update``.

    Args:
        session: as it is.
        patch: what the client sent, unchecked.
        has_spoken: whether the model has produced audio, which locks the voice.
        responds: whether a response runs, which locks the speed.

    Raises:
        Refused: the patch is malformed, or changes what can't be changed.
    """
    asked = patch.get("type")
    if asked in ("realtime", "transcription") and asked != session["type"]:
        message = f"A session of type '{session['type']}' can't become '{asked}'."
        raise Refused(Problem("invalid_value", message, "session.type"))
    try:
        check_session(patch)
    except msgspec.ValidationError as error:
        raise Refused(problem_from(error, patch, "session")) from None
    if patch.get("model", session.get("model")) != session.get("model"):
        message = "The model of a session can't be changed."
        raise Refused(Problem("invalid_value", message, "session.model"))
    _check_modalities(patch.get("output_modalities"), "session.output_modalities")
    check_tool_servers(patch.get("tools", ()), "session.tools")
    _check_voice(session, patch, has_spoken=has_spoken)
    _check_locked(session, patch, responds=responds)
    return merge_session(session, patch)


def checked_response(session: JsonObject, response: JsonObject, *, has_spoken: bool) -> JsonObject:
    """Returns what a ``response.create`` asks for; arguments and error as above."""
    if session["type"] != "realtime":
        message = "A transcription session creates no responses."
        raise Refused(Problem("invalid_value", message, "type"))
    params = response_without_nulls(response)
    try:
        check_response(params)
    except msgspec.ValidationError as error:
        raise Refused(problem_from(error, params, "response")) from None
    _check_modalities(params.get("output_modalities"), "response.output_modalities")
    check_tool_servers(params.get("tools", ()), "response.tools")
    _check_voice(session, params, has_spoken=has_spoken)
    return params


def response_settings(
    session: JsonObject,
    params: JsonObject,
    conversation_id: str | None,
    input_items: list[JsonObject] | None,
) -> ResponseSettings:
    """Returns what a response runs with: the session's settings, overridden by its own (checked)
    ones."""
    asked: JsonObject = {**session, **params}
    chosen = {**session["audio"]["output"], **params.get("audio", {}).get("output", {})}
    return ResponseSettings(
        instructions=asked["instructions"],
        tools=[tool for tool in asked["tools"] if tool["type"] == "function"],
        tool_choice=asked["tool_choice"],
        output_modalities=asked["output_modalities"],
        output_format=chosen["format"],
        voice=chosen["voice"],
        max_output_tokens=asked["max_output_tokens"],
        metadata=params.get("metadata"),
        conversation_id=conversation_id,
        input_items=input_items,
    )


def _check_modalities(modalities: list[str] | None, param: str) -> None:
    if modalities is None or modalities in (["text"], ["audio"]):
        return
    message = (
        f"Invalid modalities: {modalities}. Supported combinations are: ['text'] and ['audio']."
    )
    raise Refused(Problem("invalid_value", message, param))


def _check_voice(session: JsonObject, patch: JsonObject, *, has_spoken: bool) -> None:
    voice = patch.get("audio", {}).get("output", {}).get("voice")
    if voice is None or not has_spoken or voice == session["audio"]["output"]["voice"]:
        return
    message = "Cannot update a conversation's voice if assistant audio is present."
    raise Refused(Problem("cannot_update_voice", message))


def _check_locked(session: JsonObject, patch: JsonObject, *, responds: bool) -> None:
    speed = patch.get("audio", {}).get("output", {}).get("speed")
    if responds and speed is not None and speed != session["audio"]["output"]["speed"]:
        message = "Cannot update the speed while a response is in progress."
        raise Refused(Problem("invalid_value", message, "session.audio.output.speed"))
    traced = session.get("tracing")
    if traced is not None and patch.get("tracing", traced) != traced:
        message = "Cannot update the tracing configuration once tracing is enabled."
        raise Refused(Problem("invalid_value", message, "session.tracing"))
