"""Client and server events of the Realtime protocol (GA names) as frozen structs.

On the wire and in recordings an event is a plain dict; in code it is one of these classes, picked
by its ``type``. :func:`parse_server` never raises: what is unknown or malformed becomes an
:class:`UnknownEvent` and flows on. :func:`parse_client` is exact, because a server has to tell its
client what was wrong: it raises ``msgspec.ValidationError`` with the path of the bad field.

Objects inside events (session, item, response, part) stay dicts: servers differ in them, and
:mod:`realtime_nb.protocol.conversation` reads from them only what it needs.
"""

from __future__ import annotations

from typing import Any

import msgspec

from realtime_nb.protocol.rare_events import (
    DtmfReceived,
    McpCallArgumentsDelta,
    McpCallArgumentsDone,
    McpCallCompleted,
    McpCallFailed,
    McpCallInProgress,
    McpEvent,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
    TranscriptionSegment,
)
from realtime_nb.protocol.stages import Stages
from realtime_nb.protocol.wire import (
    AudioRef,
    Event,
    JsonObject,
    Payload,
    ServerEvent,
    UnknownEvent,
    payload_bytes,
)

__all__ = [
    "CLIENT_EVENTS",
    "SERVER_EVENTS",
    "AudioBufferAppend",
    "AudioBufferClear",
    "AudioBufferCleared",
    "AudioBufferCommit",
    "AudioBufferCommitted",
    "AudioBufferTimeoutTriggered",
    "AudioRef",
    "ClientEvent",
    "ContentPartAdded",
    "ContentPartDone",
    "ConversationCreated",
    "DtmfReceived",
    "ErrorEvent",
    "Event",
    "FunctionCallArgumentsDelta",
    "FunctionCallArgumentsDone",
    "ItemAdded",
    "ItemCreate",
    "ItemDelete",
    "ItemDeleted",
    "ItemDone",
    "ItemRetrieve",
    "ItemRetrieved",
    "ItemTruncate",
    "ItemTruncated",
    "JsonObject",
    "McpCallArgumentsDelta",
    "McpCallArgumentsDone",
    "McpCallCompleted",
    "McpCallFailed",
    "McpCallInProgress",
    "McpEvent",
    "McpListToolsCompleted",
    "McpListToolsFailed",
    "McpListToolsInProgress",
    "OutputAudioBufferCleared",
    "OutputAudioBufferEvent",
    "OutputAudioBufferStarted",
    "OutputAudioBufferStopped",
    "OutputAudioDelta",
    "OutputAudioDone",
    "OutputAudioTranscriptDelta",
    "OutputAudioTranscriptDone",
    "OutputItemAdded",
    "OutputItemDone",
    "OutputTextDelta",
    "OutputTextDone",
    "Payload",
    "RateLimitsUpdated",
    "ResponseCancel",
    "ResponseCreate",
    "ResponseCreated",
    "ResponseDone",
    "ServerEvent",
    "SessionCreated",
    "SessionUpdate",
    "SessionUpdated",
    "SpeechStarted",
    "SpeechStopped",
    "Stages",
    "TranscriptionCompleted",
    "TranscriptionDelta",
    "TranscriptionFailed",
    "TranscriptionSegment",
    "UnknownEvent",
    "dump",
    "parse_client",
    "parse_server",
    "payload_bytes",
]

# --- what a client sends ---


class ClientEvent(Event, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event that a client sends."""


class SessionUpdate(ClientEvent, frozen=True, kw_only=True, tag="session.update"):
    """Changes the given fields of the session; all or none of them."""

    session: JsonObject


class AudioBufferAppend(ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.append"):
    """Adds base64 audio in the session's input format; never acknowledged."""

    audio: Payload


class AudioBufferCommit(ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.commit"):
    """Makes one user item of the buffer; creates no response."""


class AudioBufferClear(ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.clear"):
    """Drops audio that is not committed."""


class ItemCreate(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.create"):
    """Adds an item: at the end, first (``previous_item_id="root"``) or after the item named."""

    item: JsonObject
    previous_item_id: str | None = None


class ItemRetrieve(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.retrieve"):
    """Asks for the server's copy of an item, audio included."""

    item_id: str


class ItemTruncate(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.truncate"):
    """Cuts an assistant item's audio at what was heard."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ItemDelete(ClientEvent, frozen=True, kw_only=True, tag="conversation.item.delete"):
    """Removes an item."""

    item_id: str


class ResponseCreate(ClientEvent, frozen=True, kw_only=True, tag="response.create"):
    """Starts inference, with settings for this response only."""

    response: JsonObject | None = None


class ResponseCancel(ClientEvent, frozen=True, kw_only=True, tag="response.cancel"):
    """Stops a response; without an id, the one of the default conversation."""

    response_id: str | None = None


# --- what a server sends ---


class SessionCreated(ServerEvent, frozen=True, kw_only=True, tag="session.created"):
    """First frame of a connection, with the effective session."""

    session: JsonObject


class SessionUpdated(ServerEvent, frozen=True, kw_only=True, tag="session.updated"):
    """Answer to ``session.update``, with the whole effective session."""

    session: JsonObject


class ConversationCreated(ServerEvent, frozen=True, kw_only=True, tag="conversation.created"):
    """Sent by beta servers and some others."""

    conversation: JsonObject


class ItemAdded(ServerEvent, frozen=True, kw_only=True, tag="conversation.item.added"):
    """An item entered the conversation, after ``previous_item_id`` (null: it is the first)."""

    item: JsonObject
    previous_item_id: str | None = None


class ItemDone(ServerEvent, frozen=True, kw_only=True, tag="conversation.item.done"):
    """An item is final."""

    item: JsonObject
    previous_item_id: str | None = None


class ItemRetrieved(ServerEvent, frozen=True, kw_only=True, tag="conversation.item.retrieved"):
    """Answer to retrieve: the server's copy of the item, audio included."""

    item: JsonObject


class ItemTruncated(ServerEvent, frozen=True, kw_only=True, tag="conversation.item.truncated"):
    """An assistant item was cut at ``audio_end_ms``; its transcript is gone from the server."""

    item_id: str
    content_index: int = 0
    audio_end_ms: int = 0


class ItemDeleted(ServerEvent, frozen=True, kw_only=True, tag="conversation.item.deleted"):
    """An item was removed."""

    item_id: str


class TranscriptionDelta(
    ServerEvent,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.delta",
):
    """A piece of a user item's transcript."""

    item_id: str
    content_index: int = 0
    delta: str = ""


class TranscriptionCompleted(
    ServerEvent,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.completed",
):
    """A user item's whole transcript, at any time after its commit; billed apart."""

    item_id: str
    content_index: int = 0
    transcript: str = ""
    usage: JsonObject | None = None


class TranscriptionFailed(
    ServerEvent,
    frozen=True,
    kw_only=True,
    tag="conversation.item.input_audio_transcription.failed",
):
    """A user item could not be transcribed."""

    item_id: str
    content_index: int = 0
    error: JsonObject | None = None


class SpeechStarted(
    ServerEvent, frozen=True, kw_only=True, tag="input_audio_buffer.speech_started"
):
    """Turn detection heard speech; ``audio_start_ms`` includes the prefix padding."""

    audio_start_ms: int
    item_id: str = ""


class SpeechStopped(
    ServerEvent, frozen=True, kw_only=True, tag="input_audio_buffer.speech_stopped"
):
    """Turn detection heard the end; ``audio_end_ms`` includes the silence window."""

    audio_end_ms: int
    item_id: str = ""


class AudioBufferCommitted(
    ServerEvent, frozen=True, kw_only=True, tag="input_audio_buffer.committed"
):
    """The buffer became the user item ``item_id``."""

    item_id: str
    previous_item_id: str | None = None


class AudioBufferCleared(ServerEvent, frozen=True, kw_only=True, tag="input_audio_buffer.cleared"):
    """Answer to clear."""


class AudioBufferTimeoutTriggered(
    ServerEvent, frozen=True, kw_only=True, tag="input_audio_buffer.timeout_triggered"
):
    """Nobody spoke for ``idle_timeout_ms`` after the last response was played."""

    audio_start_ms: int
    audio_end_ms: int
    item_id: str = ""


class ResponseCreated(ServerEvent, frozen=True, kw_only=True, tag="response.created"):
    """Generation begins."""

    response: JsonObject


class ResponseDone(ServerEvent, frozen=True, kw_only=True, tag="response.done"):
    """The one end of every response, whatever its status."""

    response: JsonObject


class OutputItemAdded(ServerEvent, frozen=True, kw_only=True, tag="response.output_item.added"):
    """A new output item, in progress."""

    item: JsonObject
    response_id: str = ""
    output_index: int = 0


class OutputItemDone(ServerEvent, frozen=True, kw_only=True, tag="response.output_item.done"):
    """An output item is final; ``item.status`` tells whether it is whole."""

    item: JsonObject
    response_id: str = ""
    output_index: int = 0


class _PartEvent(ServerEvent, frozen=True, kw_only=True):
    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0


class ContentPartAdded(_PartEvent, frozen=True, kw_only=True, tag="response.content_part.added"):
    """A new content part; its ``part.type`` is ``audio`` or ``text``."""

    part: JsonObject


class ContentPartDone(_PartEvent, frozen=True, kw_only=True, tag="response.content_part.done"):
    """A content part is final."""

    part: JsonObject


class OutputTextDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_text.delta"):
    """A piece of a text answer."""

    delta: str


class OutputTextDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_text.done"):
    """The whole text of a part."""

    text: str = ""


class OutputAudioTranscriptDelta(
    _PartEvent, frozen=True, kw_only=True, tag="response.output_audio_transcript.delta"
):
    """A piece of what a spoken answer says."""

    delta: str


class OutputAudioTranscriptDone(
    _PartEvent, frozen=True, kw_only=True, tag="response.output_audio_transcript.done"
):
    """The whole transcript of a spoken part."""

    transcript: str = ""


class OutputAudioDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio.delta"):
    """Base64 audio in the session's output format."""

    delta: Payload


class OutputAudioDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio.done"):
    """All audio of a part was sent; it says nothing of what was played."""


class OutputAudioBufferEvent(ServerEvent, frozen=True, kw_only=True):
    """What the server's media side plays, over WebRTC and SIP, where no audio is in events."""

    response_id: str = ""


class OutputAudioBufferStarted(
    OutputAudioBufferEvent, frozen=True, kw_only=True, tag="output_audio_buffer.started"
):
    """A response begins to be heard."""


class OutputAudioBufferStopped(
    OutputAudioBufferEvent, frozen=True, kw_only=True, tag="output_audio_buffer.stopped"
):
    """It was heard to its end."""


class OutputAudioBufferCleared(
    OutputAudioBufferEvent, frozen=True, kw_only=True, tag="output_audio_buffer.cleared"
):
    """The rest of it was dropped."""


class FunctionCallArgumentsDelta(
    ServerEvent, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"
):
    """A piece of a call's JSON arguments."""

    delta: str
    call_id: str = ""
    item_id: str = ""
    response_id: str = ""
    output_index: int = 0


class FunctionCallArgumentsDone(
    ServerEvent, frozen=True, kw_only=True, tag="response.function_call_arguments.done"
):
    """A call's whole arguments. Run tools from ``response.output_item.done`` instead."""

    arguments: str
    call_id: str = ""
    item_id: str = ""
    name: str = ""
    response_id: str = ""
    output_index: int = 0


class RateLimitsUpdated(ServerEvent, frozen=True, kw_only=True, tag="rate_limits.updated"):
    """What is left of the account's limits."""

    rate_limits: list[JsonObject]


class ErrorEvent(ServerEvent, frozen=True, kw_only=True, tag="error"):
    """A client event was refused; fatal only when a CLOSE follows.

    ``benign``: it lost a race and nothing was changed, as the session sees it, which knows what was
    asked for; servers don't tell.
    """

    error: JsonObject
    benign: bool = False

    @property
    def message(self) -> str:
        """The server's words."""
        return str(self.error.get("message", ""))

    @property
    def code(self) -> str | None:
        """The error code as text, or None."""
        code = self.error.get("code")
        return None if code is None else str(code)

    @property
    def caused_by(self) -> str | None:
        """``event_id`` of the client event that was refused, where the server tells."""
        cause = self.error.get("event_id")
        return None if cause is None else str(cause)


# --- reading ---


def _by_wire_name(base: type[Event]) -> dict[str, type[Any]]:
    found: dict[str, type[Any]] = {}
    pending = list(base.__subclasses__())
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        if not cls.__subclasses__():  # else it is what several share
            found[str(cls.__struct_config__.tag)] = cls
    return dict(sorted(found.items()))


CLIENT_EVENTS: dict[str, type[ClientEvent]] = _by_wire_name(ClientEvent)
SERVER_EVENTS: dict[str, type[ServerEvent]] = _by_wire_name(ServerEvent)


def parse_server(raw: JsonObject) -> ServerEvent | UnknownEvent:
    """Returns a server's event as a struct; never raises."""
    name = raw.get("type")
    cls = SERVER_EVENTS.get(name) if isinstance(name, str) else None
    if cls is None:
        return UnknownEvent(type=str(name), raw=raw)
    if cls in (SessionCreated, SessionUpdated) and raw.get("session") is None:
        raw = {**raw, "session": {}}  # some servers don't tell what the session is
    try:
        return msgspec.convert(raw, cls)
    except (msgspec.ValidationError, RecursionError) as error:
        return UnknownEvent(type=str(name), raw=raw, problem=str(error))


def parse_client(raw: JsonObject) -> ClientEvent | UnknownEvent:
    """Returns a client's event as a struct; a type that is not modelled comes back as UnknownEvent.

    Raises:
        msgspec.ValidationError: a field is missing, unknown or of the wrong type; its message
            ends in the field's path.
    """
    name = raw.get("type")
    cls = CLIENT_EVENTS.get(name) if isinstance(name, str) else None
    if cls is None:
        return UnknownEvent(type=str(name), raw=raw)
    return msgspec.convert(raw, cls)


def dump(event: Event | UnknownEvent) -> JsonObject:
    """Returns the event as the dict that travels."""
    if isinstance(event, UnknownEvent):
        return event.raw
    raw: JsonObject = msgspec.to_builtins(event)
    return raw
