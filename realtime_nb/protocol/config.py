"""What ``session.update`` and ``response.create`` can say, checked on both ends of the wire.

A client builds a session with :func:`session_config` from friendly keywords; a server checks one
with :func:`check_session` and merges it with :func:`merge_session`. Fields that are not set don't
travel, an explicit ``None`` does (``turn_detection=None`` turns voice activity detection off), so
defaults stay with the server. Limits are those of the GA interface.
"""

from __future__ import annotations

from realtime_nb.protocol.item_config import check_item
from realtime_nb.protocol.options import (
    SESSION_OPTIONS,
    VOICES,
    refuse_unknown,
    session_config,
)
from realtime_nb.protocol.session_fields import (
    ResponseConfig,
    SemanticVAD,
    ServerVAD,
    TurnDetection,
    check_response,
    check_session,
)
from realtime_nb.protocol.turn_detection import SERVER_VAD
from realtime_nb.protocol.wire import JsonObject

__all__ = [
    "SESSION_OPTIONS",
    "VOICES",
    "ResponseConfig",
    "SemanticVAD",
    "ServerVAD",
    "TurnDetection",
    "check_item",
    "check_response",
    "check_session",
    "merge_session",
    "refuse_unknown",
    "session_config",
]

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


def merge_session(session: JsonObject, patch: JsonObject) -> JsonObject:
    """Returns the session after a (checked) patch.

    Only the fields present change. ``audio``, ``audio.input`` and ``audio.output`` are merged;
    everything inside them is replaced as a whole. A turn detection object is filled up with the
    defaults of its type, as the hosted server echoes it.
    """
    merged = {**session, **{key: value for key, value in patch.items() if key != "audio"}}
    audio = {side: dict(values) for side, values in session.get("audio", {}).items()}
    for side, values in patch.get("audio", {}).items():
        audio[side] = {**audio.get(side, {}), **values}
    if audio:
        merged["audio"] = audio
    detection = audio.get("input", {}).get("turn_detection")
    if detection is not None:
        defaults = _VAD_DEFAULTS[detection["type"]]
        if merged.get("type") == "transcription":
            # Nothing responds there, and nothing can be interrupted.
            defaults = {key: defaults[key] for key in defaults if key not in _RESPONSE_KEYS}
        audio["input"]["turn_detection"] = {"type": detection["type"], **defaults, **detection}
    transcription = audio.get("input", {}).get("transcription")
    if transcription is not None:
        audio["input"]["transcription"] = {"language": None, "prompt": None, **transcription}
    return merged
