"""The events that a client sends."""

from __future__ import annotations

from realtime_nb.protocol.wire import Event, JsonObject, Payload

__all__ = [
    "AudioBufferAppend",
    "AudioBufferClear",
    "AudioBufferCommit",
    "ClientEvent",
    "ItemCreate",
    "ItemDelete",
    "ItemRetrieve",
    "ItemTruncate",
    "ResponseCancel",
    "ResponseCreate",
    "SessionUpdate",
]


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
