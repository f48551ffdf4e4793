"""The events that a server sends."""

from __future__ import annotations

from realtime_nb.protocol.wire import Event, JsonObject, Payload

__all__ = [
    "AudioBufferCleared",
    "AudioBufferCommitted",
    "AudioBufferTimeoutTriggered",
    "ContentPartAdded",
    "ContentPartDone",
    "ConversationCreated",
    "ErrorEvent",
    "FunctionCallArgumentsDelta",
    "FunctionCallArgumentsDone",
    "ItemAdded",
    "ItemDeleted",
    "ItemDone",
    "ItemRetrieved",
    "ItemTruncated",
    "OutputAudioDelta",
    "OutputAudioDone",
    "OutputAudioTranscriptDelta",
    "OutputAudioTranscriptDone",
    "OutputItemAdded",
    "OutputItemDone",
    "OutputTextDelta",
    "OutputTextDone",
    "RateLimitsUpdated",
    "ResponseCreated",
    "ResponseDone",
    "ServerEvent",
    "SessionCreated",
    "SessionUpdated",
    "SpeechStarted",
    "SpeechStopped",
    "TranscriptionCompleted",
    "TranscriptionDelta",
    "TranscriptionFailed",
]


class ServerEvent(Event, frozen=True, kw_only=True):
    """An event that a server sends."""


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
    """A client event was refused; fatal only when a CLOSE follows."""

    error: JsonObject

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
