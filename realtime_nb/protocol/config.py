"""What ``session.update`` and ``response.create`` can say, checked on both ends of the wire.

A client builds a session with :func:`session_config` from friendly keywords; a server checks one
with :func:`check_session` and merges it with :func:`merge_session`. Fields that are not set don't
travel, an explicit ``None`` does (``turn_detection=None`` turns voice activity detection off), so
defaults stay with the server. Limits are those of the GA interface.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.events import JsonObject

__all__ = [
    "AUDIO_FORMATS",
    "SESSION_OPTIONS",
    "VOICES",
    "ResponseConfig",
    "SemanticVAD",
    "ServerVAD",
    "TurnDetection",
    "bytes_per_ms",
    "check_item",
    "check_response",
    "check_session",
    "merge_session",
    "session_config",
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

AUDIO_FORMATS: dict[str, JsonObject] = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
"""The formats a session can carry, by the short names that ``connect()`` takes."""

_BYTES_PER_MS = {"audio/pcm": 48, "audio/pcmu": 8, "audio/pcma": 8}

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Milliseconds = Annotated[int, Meta(ge=0)]


class _Config(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of all parts of a session: unset fields vanish, unknown ones are refused."""


class _TurnDetection(_Config, frozen=True, kw_only=True, tag_field="type"):
    create_response: bool | UnsetType = UNSET
    interrupt_response: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Checks the limits also for values made in Python, not just for decoded ones."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            low, high = _LIMITS.get(name, (None, None))
            if low is None or high is None or value is UNSET or value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ConfigurationError(f"{name} must be a number, not {value!r}.")
            if not low <= value <= high:
                raise ConfigurationError(f"{name} must be between {low} and {high}, not {value}.")


_LIMITS: dict[str, tuple[float, float]] = {
    "threshold": (0.0, 1.0),
    "prefix_padding_ms": (0, 60_000),
    "silence_duration_ms": (0, 60_000),
    "idle_timeout_ms": (5_000, 30_000),
}


class ServerVAD(_TurnDetection, frozen=True, kw_only=True, tag="server_vad"):
    """Turn detection by speech probability and silence.

    Attributes:
        threshold: speech probability from 0 to 1 that opens a turn.
        prefix_padding_ms: audio kept from before the detected start.
        silence_duration_ms: silence that ends the turn. OpenAI documents 500; what its server
            applies, and the local one too, is 200.
        idle_timeout_ms: 5,000 to 30,000; the agent speaks up after that much silence. None: never.
        create_response: answer when a turn ends.
        interrupt_response: stop the running answer when a turn starts.
    """

    threshold: Fraction | UnsetType = UNSET
    prefix_padding_ms: Annotated[int, Meta(ge=0, le=60_000)] | UnsetType = UNSET
    silence_duration_ms: Annotated[int, Meta(ge=0, le=60_000)] | UnsetType = UNSET
    idle_timeout_ms: Annotated[int, Meta(ge=5_000, le=30_000)] | None | UnsetType = UNSET


class SemanticVAD(_TurnDetection, frozen=True, kw_only=True, tag="semantic_vad"):
    """Turn detection that also judges whether the sentence sounds finished.

    Attributes:
        eagerness: ``low``, ``medium`` (= ``auto``) or ``high``: waits 8, 4 or 2 s at most.
    """

    eagerness: Literal["low", "medium", "high", "auto"] | UnsetType = UNSET


TurnDetection = ServerVAD | SemanticVAD


class PcmFormat(_Config, frozen=True, kw_only=True, tag_field="type", tag="audio/pcm"):
    """PCM16, little endian, mono, 24 kHz."""

    rate: Annotated[int, Meta(ge=24_000, le=24_000)]


class UlawFormat(_Config, frozen=True, kw_only=True, tag_field="type", tag="audio/pcmu"):
    """G.711 µ-law, 8 kHz."""


class AlawFormat(_Config, frozen=True, kw_only=True, tag_field="type", tag="audio/pcma"):
    """G.711 A-law, 8 kHz."""


AudioFormat = PcmFormat | UlawFormat | AlawFormat


class NoiseReduction(_Config, frozen=True, kw_only=True):
    """Noise reduction in front of turn detection and model."""

    type: Literal["near_field", "far_field"]
    strength: float | UnsetType = UNSET


class Transcription(_Config, frozen=True, kw_only=True):
    """Transcription of what the user says, beside the model's own hearing."""

    model: str | UnsetType = UNSET
    language: str | None | UnsetType = UNSET
    prompt: str | None | UnsetType = UNSET
    languages: list[str] | None | UnsetType = UNSET
    keywords: list[str] | None | UnsetType = UNSET
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None | UnsetType = UNSET


class AudioInput(_Config, frozen=True, kw_only=True):
    """``session.audio.input``."""

    format: AudioFormat | UnsetType = UNSET
    noise_reduction: NoiseReduction | None | UnsetType = UNSET
    transcription: Transcription | None | UnsetType = UNSET
    turn_detection: TurnDetection | None | UnsetType = UNSET


class AudioOutput(_Config, frozen=True, kw_only=True):
    """``session.audio.output``."""

    format: AudioFormat | UnsetType = UNSET
    voice: str | JsonObject | UnsetType = UNSET
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] | UnsetType = UNSET


class Audio(_Config, frozen=True, kw_only=True):
    """``session.audio``."""

    input: AudioInput | UnsetType = UNSET
    output: AudioOutput | UnsetType = UNSET


class ResponseAudioOutput(_Config, frozen=True, kw_only=True):
    """``response.audio.output``: there is no speed here."""

    format: AudioFormat | UnsetType = UNSET
    voice: str | JsonObject | UnsetType = UNSET


class ResponseAudio(_Config, frozen=True, kw_only=True):
    """``response.audio``."""

    output: ResponseAudioOutput | UnsetType = UNSET


class FunctionTool(_Config, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A function that the client runs."""

    name: Annotated[str, Meta(min_length=1)]
    description: str | None | UnsetType = UNSET
    parameters: JsonObject | None | UnsetType = UNSET


class McpTool(Struct, frozen=True, kw_only=True, tag_field="type", tag="mcp"):
    """A remote MCP server that the Realtime server itself would call; kept as given."""

    server_label: str


class NamedChoice(Struct, frozen=True, kw_only=True):
    """A forced choice of one tool."""

    type: Literal["function", "mcp"]
    name: str | None = None
    server_label: str | None = None


Tools = list[FunctionTool | McpTool]
ToolChoice = Literal["auto", "none", "required"] | NamedChoice
Modalities = Annotated[list[Literal["text", "audio"]], Meta(min_length=1)]
MaxTokens = Annotated[int, Meta(ge=1, le=32_768)] | Literal["inf"]


class RealtimeConfig(_Config, frozen=True, kw_only=True, tag_field="type", tag="realtime"):
    """The fields of a conversation session that ``session.update`` can set."""

    model: str | UnsetType = UNSET
    output_modalities: Modalities | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    audio: Audio | UnsetType = UNSET
    tools: Tools | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: JsonObject | None | UnsetType = UNSET
    max_output_tokens: MaxTokens | UnsetType = UNSET
    truncation: Literal["auto", "disabled"] | JsonObject | UnsetType = UNSET
    tracing: Literal["auto"] | JsonObject | None | UnsetType = UNSET
    prompt: JsonObject | None | UnsetType = UNSET
    include: list[str] | None | UnsetType = UNSET


class TranscriptionAudio(_Config, frozen=True, kw_only=True):
    """A transcription session has only an input."""

    input: AudioInput | UnsetType = UNSET


class TranscriptionConfig(
    _Config, frozen=True, kw_only=True, tag_field="type", tag="transcription"
):
    """The fields of a transcription-only session."""

    audio: TranscriptionAudio | UnsetType = UNSET
    include: list[str] | None | UnsetType = UNSET


Metadata = dict[
    Annotated[str, Meta(max_length=64)],
    Annotated[str, Meta(max_length=512)],
]


class ResponseConfig(_Config, frozen=True, kw_only=True):
    """The fields of ``response.create.response``."""

    conversation: Literal["auto", "none"] | UnsetType = UNSET
    input: list[JsonObject] | None | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    output_modalities: Modalities | UnsetType = UNSET
    audio: ResponseAudio | UnsetType = UNSET
    tools: Tools | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: JsonObject | None | UnsetType = UNSET
    max_output_tokens: MaxTokens | UnsetType = UNSET
    metadata: Annotated[Metadata, Meta(max_length=16)] | None | UnsetType = UNSET
    prompt: JsonObject | None | UnsetType = UNSET


# --- items --------------------------------------------------------------------------------------


class _Part(_Config, frozen=True, kw_only=True, tag_field="type"):
    pass


class InputText(_Part, frozen=True, kw_only=True, tag="input_text"):
    """Typed text of a user or system message."""

    text: str


class InputAudio(_Part, frozen=True, kw_only=True, tag="input_audio"):
    """Recorded speech of a user message, base64 in the session's input format."""

    audio: str
    transcript: str | None | UnsetType = UNSET


class InputImage(_Part, frozen=True, kw_only=True, tag="input_image"):
    """A picture as a data URI."""

    image_url: str
    detail: Literal["auto", "low", "high"] | UnsetType = UNSET


class OutputText(_Part, frozen=True, kw_only=True, tag="output_text"):
    """Text of an assistant message: history that a client restores."""

    text: str


_ItemStatus = Literal["in_progress", "completed", "incomplete"]


class _Item(_Config, frozen=True, kw_only=True, tag_field="type"):
    id: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType = UNSET
    object: Literal["realtime.item"] | UnsetType = UNSET
    status: _ItemStatus | UnsetType = UNSET


class MessageItem(_Item, frozen=True, kw_only=True, tag="message"):
    """Something that the user, the assistant or the system says."""

    role: Literal["user", "assistant", "system"]
    content: list[InputText | InputAudio | InputImage | OutputText]


_CallId = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]+$", max_length=64)]


class FunctionCallItem(_Item, frozen=True, kw_only=True, tag="function_call"):
    """A call that the model made: history that a client restores."""

    name: str
    arguments: str
    call_id: _CallId | UnsetType = UNSET


class FunctionCallOutputItem(_Item, frozen=True, kw_only=True, tag="function_call_output"):
    """What a tool returned."""

    call_id: _CallId
    output: str


Item = MessageItem | FunctionCallItem | FunctionCallOutputItem


# --- checks -------------------------------------------------------------------------------------


def check_session(session: JsonObject) -> RealtimeConfig | TranscriptionConfig:
    """The session patch as a struct.

    Raises:
        msgspec.ValidationError: with the path of what is wrong, relative to the session.
    """
    checked: RealtimeConfig | TranscriptionConfig = msgspec.convert(
        session, RealtimeConfig | TranscriptionConfig
    )
    return checked


def check_response(response: JsonObject) -> ResponseConfig:
    """``response.create.response`` as a struct; raises like :func:`check_session`."""
    return msgspec.convert(response, ResponseConfig)


def check_item(item: JsonObject) -> Item:
    """An item that a client wants to add; raises like :func:`check_session`."""
    checked: Item = msgspec.convert(item, Item)
    return checked


_VAD_DEFAULTS: dict[str, JsonObject] = {
    "server_vad": {
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}


def merge_session(session: JsonObject, patch: JsonObject) -> JsonObject:
    """The session after a (checked) patch.

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
        audio["input"]["turn_detection"] = {"type": detection["type"], **defaults, **detection}
    transcription = audio.get("input", {}).get("transcription")
    if transcription is not None:
        audio["input"]["transcription"] = {"language": None, "prompt": None, **transcription}
    return merged


def bytes_per_ms(audio_format: Mapping[str, Any] | None) -> int:
    """Bytes in a millisecond of audio of a session's ``format`` object (None: PCM, 24 kHz)."""
    return _BYTES_PER_MS.get(str((audio_format or {}).get("type")), 48)


# --- what connect() and update() take -----------------------------------------------------------

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
    """A ``session.update`` patch from keywords (those of ``SESSION_OPTIONS``).

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


def refuse_unknown(options: Mapping[str, object], known: Sequence[str]) -> None:
    """Raises a ConfigurationError that names the first unknown option and the nearest known one."""
    for name in options:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(sorted(known))}."
        raise ConfigurationError(f"Unknown option {name!r}.{hint}")


def _take(options: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: options.pop(name) for name in names if name in options}


def _audio_format(name: str, value: object) -> JsonObject:
    if isinstance(value, dict):
        return value
    if isinstance(value, str) and value in AUDIO_FORMATS:
        return dict(AUDIO_FORMATS[value])
    raise ConfigurationError(f"{name} must be one of {', '.join(AUDIO_FORMATS)}, not {value!r}.")
