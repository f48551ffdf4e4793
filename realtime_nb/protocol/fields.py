"""The fields of what a client sends (sessions, responses, items), with their types and limits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from realtime_nb.errors import ConfigurationError, at_call
from realtime_nb.protocol.option_names import NamedOptions
from realtime_nb.protocol.turn_detection import SERVER_VAD
from realtime_nb.protocol.wire import JsonObject

__all__ = [
    "ItemFields",
    "ItemPart",
    "ItemReference",
    "ResponseAudio",
    "ResponseAudioOutput",
    "ResponseConfig",
    "SemanticVAD",
    "ServerVAD",
    "TurnDetection",
    "check_item",
    "check_reference",
    "check_response",
    "check_session",
]

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]


class ConfigStruct(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    forbid_unknown_fields=True,
):
    """Base of all parts of a session: unset fields vanish, unknown ones are refused."""


class _TurnDetection(
    ConfigStruct, frozen=True, kw_only=True, tag_field="type", metaclass=NamedOptions
):
    create_response: bool | UnsetType = UNSET
    interrupt_response: bool | UnsetType = UNSET

    @at_call
    def __post_init__(self) -> None:
        """Checks the limits also for values made in Python, not just for decoded ones."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            limits = SERVER_VAD.get(name)
            if limits is None or value is UNSET or value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ConfigurationError(f"{name} must be a number, not {value!r}.")
            if not limits.low <= value <= limits.high:
                raise ConfigurationError(
                    f"{name} must be between {limits.low} and {limits.high}, not {value}."
                )


class ServerVAD(_TurnDetection, frozen=True, kw_only=True, tag="server_vad"):
    """Turn detection by speech probability and silence.

    Attributes:
        threshold: speech probability from 0 to 1 that opens a turn.
        prefix_padding_ms: audio kept from before the detected start.
        silence_duration_ms: silence that ends the turn. Left out, it is the 500 of OpenAI's
            documentation (``CLIENT_SILENCE_MS``), which ``rt.connect``, ``rt.Agent`` and
            ``session.update`` ask for. What OpenAI's server applies to who asks for none, and the
            local one too, is 200: a pause within a sentence is often longer.
        idle_timeout_ms: 5,000 to 30,000; the agent speaks up after that much silence. None: never.
        create_response: answer when a turn ends.
        interrupt_response: stop the running answer when a turn starts.
    """

    threshold: Annotated[float, SERVER_VAD["threshold"].meta] | UnsetType = UNSET
    prefix_padding_ms: Annotated[int, SERVER_VAD["prefix_padding_ms"].meta] | UnsetType = UNSET
    silence_duration_ms: Annotated[int, SERVER_VAD["silence_duration_ms"].meta] | UnsetType = UNSET
    idle_timeout_ms: Annotated[int, SERVER_VAD["idle_timeout_ms"].meta] | None | UnsetType = UNSET


class SemanticVAD(_TurnDetection, frozen=True, kw_only=True, tag="semantic_vad"):
    """Turn detection that also judges whether the sentence sounds finished.

    Attributes:
        eagerness: ``low``, ``medium`` (= ``auto``) or ``high``: waits 8, 4 or 2 s at most.
    """

    eagerness: Literal["low", "medium", "high", "auto"] | UnsetType = UNSET


TurnDetection = ServerVAD | SemanticVAD


class PcmFormat(ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="audio/pcm"):
    """PCM16, little endian, mono, 24 kHz."""

    rate: Annotated[int, Meta(ge=24_000, le=24_000)]


class UlawFormat(ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="audio/pcmu"):
    """G.711 µ-law, 8 kHz."""


class AlawFormat(ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="audio/pcma"):
    """G.711 A-law, 8 kHz."""


AudioFormat = PcmFormat | UlawFormat | AlawFormat


class NoiseReduction(ConfigStruct, frozen=True, kw_only=True):
    """Noise reduction in front of turn detection and model."""

    type: Literal["near_field", "far_field"]
    strength: Annotated[float, Meta(ge=0.0)] | UnsetType = UNSET


class Transcription(ConfigStruct, frozen=True, kw_only=True):
    """Transcription of what the user says, beside the model's own hearing."""

    model: str | UnsetType = UNSET
    language: str | None | UnsetType = UNSET
    prompt: str | None | UnsetType = UNSET
    languages: list[str] | None | UnsetType = UNSET
    keywords: list[str] | None | UnsetType = UNSET
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None | UnsetType = UNSET


class AudioInput(ConfigStruct, frozen=True, kw_only=True):
    """``session.audio.input``."""

    format: AudioFormat | UnsetType = UNSET
    noise_reduction: NoiseReduction | None | UnsetType = UNSET
    transcription: Transcription | None | UnsetType = UNSET
    turn_detection: TurnDetection | None | UnsetType = UNSET


class CustomVoice(ConfigStruct, frozen=True, kw_only=True):
    """A voice that is named by its id."""

    id: str


class AudioOutput(ConfigStruct, frozen=True, kw_only=True):
    """``session.audio.output``."""

    format: AudioFormat | UnsetType = UNSET
    voice: str | CustomVoice | UnsetType = UNSET
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] | UnsetType = UNSET


class AudioFields(ConfigStruct, frozen=True, kw_only=True):
    """``session.audio``."""

    input: AudioInput | UnsetType = UNSET
    output: AudioOutput | UnsetType = UNSET


class ResponseAudioOutput(ConfigStruct, frozen=True, kw_only=True):
    """``response.audio.output``: there is no speed here."""

    format: AudioFormat | UnsetType = UNSET
    voice: str | CustomVoice | UnsetType = UNSET


class ResponseAudio(ConfigStruct, frozen=True, kw_only=True):
    """``response.audio``."""

    output: ResponseAudioOutput | UnsetType = UNSET


class FunctionTool(ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A function that the client runs."""

    name: Annotated[str, Meta(min_length=1)]
    description: str | None | UnsetType = UNSET
    parameters: JsonObject | None | UnsetType = UNSET


class ToolFilter(ConfigStruct, frozen=True, kw_only=True):
    """Some of a server's tools."""

    tool_names: list[str] | UnsetType = UNSET
    read_only: bool | UnsetType = UNSET


class ApprovalFilter(ConfigStruct, frozen=True, kw_only=True):
    """Which tools need an approval."""

    always: ToolFilter | UnsetType = UNSET
    never: ToolFilter | UnsetType = UNSET


class McpTool(ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="mcp"):
    """A remote MCP server that the Realtime server itself would call."""

    server_label: str
    server_url: str | UnsetType = UNSET
    server_description: str | UnsetType = UNSET
    connector_id: str | UnsetType = UNSET
    tunnel_id: str | UnsetType = UNSET
    authorization: str | UnsetType = UNSET
    headers: dict[str, str] | None | UnsetType = UNSET
    allowed_tools: list[str] | ToolFilter | None | UnsetType = UNSET
    require_approval: Literal["always", "never"] | ApprovalFilter | None | UnsetType = UNSET
    defer_loading: bool | UnsetType = UNSET
    allowed_callers: list[Literal["direct", "programmatic"]] | None | UnsetType = UNSET


class FunctionChoice(ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """The model must call this function."""

    name: str


class McpChoice(ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="mcp"):
    """The model must call this server's tool, or one of its tools."""

    server_label: str
    name: str | None | UnsetType = UNSET


class Reasoning(ConfigStruct, frozen=True, kw_only=True):
    """How much a reasoning model thinks."""

    effort: Literal["minimal", "low", "medium", "high", "xhigh"] | UnsetType = UNSET


class TokenLimits(ConfigStruct, frozen=True, kw_only=True):
    """When the conversation counts as too long."""

    post_instructions: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class RetentionRatio(ConfigStruct, frozen=True, kw_only=True):
    """Drops the oldest messages until this share of the limit is left."""

    type: Literal["retention_ratio"]  # no tag: beside no other kind it could be left out
    retention_ratio: Fraction
    token_limits: TokenLimits | None | UnsetType = UNSET


class Tracing(ConfigStruct, frozen=True, kw_only=True):
    """Names for a trace on the vendor's dashboard."""

    workflow_name: str | None | UnsetType = UNSET
    group_id: str | None | UnsetType = UNSET
    metadata: JsonObject | None | UnsetType = UNSET


class Prompt(ConfigStruct, frozen=True, kw_only=True):
    """A prompt template kept at the vendor."""

    id: str
    version: str | None | UnsetType = UNSET
    variables: dict[str, str | JsonObject] | None | UnsetType = UNSET


Tools = list[FunctionTool | McpTool]
ToolChoice = Literal["auto", "none", "required"] | FunctionChoice | McpChoice
Include = list[Literal["item.input_audio_transcription.logprobs"]]
Modalities = Annotated[list[Literal["text", "audio"]], Meta(min_length=1)]
MaxTokens = Annotated[int, Meta(ge=1, le=32_768)] | Literal["inf"]


class RealtimeConfig(ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="realtime"):
    """The fields of a conversation session that ``session.update`` can set."""

    model: str | UnsetType = UNSET
    output_modalities: Modalities | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    audio: AudioFields | UnsetType = UNSET
    tools: Tools | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: Reasoning | None | UnsetType = UNSET
    max_output_tokens: MaxTokens | UnsetType = UNSET
    truncation: Literal["auto", "disabled"] | RetentionRatio | UnsetType = UNSET
    tracing: Literal["auto"] | Tracing | None | UnsetType = UNSET
    prompt: Prompt | None | UnsetType = UNSET
    include: Include | None | UnsetType = UNSET


class TranscriptionAudio(ConfigStruct, frozen=True, kw_only=True):
    """A transcription session has only an input."""

    input: AudioInput | UnsetType = UNSET


class TranscriptionConfig(
    ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="transcription"
):
    """The fields of a transcription-only session."""

    audio: TranscriptionAudio | UnsetType = UNSET
    include: Include | None | UnsetType = UNSET


Metadata = dict[
    Annotated[str, Meta(max_length=64)],
    Annotated[str, Meta(max_length=512)],
]


class ResponseConfig(ConfigStruct, frozen=True, kw_only=True):
    """The fields of ``response.create.response``."""

    conversation: Literal["auto", "none"] | UnsetType = UNSET
    input: list[JsonObject] | None | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    output_modalities: Modalities | UnsetType = UNSET
    audio: ResponseAudio | UnsetType = UNSET
    tools: Tools | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: Reasoning | None | UnsetType = UNSET
    max_output_tokens: MaxTokens | UnsetType = UNSET
    metadata: Annotated[Metadata, Meta(max_length=16)] | None | UnsetType = UNSET
    prompt: Prompt | None | UnsetType = UNSET


class _Part(ConfigStruct, frozen=True, kw_only=True, tag_field="type"):
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


ItemPart = InputText | InputAudio | InputImage | OutputText

_ItemStatus = Literal["in_progress", "completed", "incomplete"]


_ItemId = Annotated[str, Meta(min_length=1, max_length=64)]


class _Item(ConfigStruct, frozen=True, kw_only=True, tag_field="type"):
    id: _ItemId | UnsetType = UNSET
    object: Literal["realtime.item"] | UnsetType = UNSET
    status: _ItemStatus | UnsetType = UNSET


class MessageItem(_Item, frozen=True, kw_only=True, tag="message"):
    """Something that the user, the assistant or the system says."""

    role: Literal["user", "assistant", "system"]
    content: list[ItemPart]


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


class ItemReference(
    ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="item_reference"
):
    """In a response's own input: an item that the conversation has."""

    id: str


class McpToolFields(ConfigStruct, frozen=True, kw_only=True):
    """One of the tools of an MCP server."""

    name: str
    input_schema: JsonObject
    description: str | None | UnsetType = UNSET
    annotations: JsonObject | None | UnsetType = UNSET


class McpListToolsItem(_Item, frozen=True, kw_only=True, tag="mcp_list_tools"):
    """The tools that an MCP server was found to have: history that a client restores."""

    server_label: str
    tools: list[McpToolFields]


class McpProtocolError(
    ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="protocol_error"
):
    """An MCP server answered a call with an error of its protocol."""

    code: int
    message: str


class McpHttpError(ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="http_error"):
    """An MCP server answered a call with an HTTP status."""

    code: int
    message: str


class McpExecutionError(
    ConfigStruct, frozen=True, kw_only=True, tag_field="type", tag="tool_execution_error"
):
    """A tool of an MCP server failed."""

    message: str


class _NamedMcpItem(_Item, frozen=True, kw_only=True):
    id: _ItemId


class McpCallItem(_NamedMcpItem, frozen=True, kw_only=True, tag="mcp_call"):
    """A call that the server made itself: history that a client restores."""

    server_label: str
    name: str
    arguments: str
    approval_request_id: str | None | UnsetType = UNSET
    output: str | None | UnsetType = UNSET
    error: McpProtocolError | McpHttpError | McpExecutionError | None | UnsetType = UNSET


class McpApprovalRequestItem(_NamedMcpItem, frozen=True, kw_only=True, tag="mcp_approval_request"):
    """A call that waits for a yes: history that a client restores."""

    server_label: str
    name: str
    arguments: str


class McpApprovalResponseItem(
    _NamedMcpItem, frozen=True, kw_only=True, tag="mcp_approval_response"
):
    """The client's yes or no to a call."""

    approval_request_id: str
    approve: bool
    reason: str | None | UnsetType = UNSET


ItemFields = (
    MessageItem
    | FunctionCallItem
    | FunctionCallOutputItem
    | McpListToolsItem
    | McpCallItem
    | McpApprovalRequestItem
    | McpApprovalResponseItem
)


def check_session(session: JsonObject) -> RealtimeConfig | TranscriptionConfig:
    """Returns the session patch as a struct.

    Raises:
        msgspec.ValidationError: with the path of what is wrong, relative to the session.
    """
    checked: RealtimeConfig | TranscriptionConfig = msgspec.convert(
        session, RealtimeConfig | TranscriptionConfig
    )
    return checked


def check_response(response: JsonObject) -> ResponseConfig:
    """Returns ``response.create.response`` as a struct; raises like :func:`check_session`."""
    return msgspec.convert(response, ResponseConfig)


def check_reference(entry: JsonObject) -> ItemReference:
    """Returns a reference to an item; raises like :func:`check_session`."""
    return msgspec.convert(entry, ItemReference)


def check_item(item: JsonObject) -> ItemFields:
    """Returns an item that a client wants to add; raises like :func:`check_session`."""
    checked: ItemFields = msgspec.convert(item, ItemFields)
    return checked
