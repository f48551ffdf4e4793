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

from realtime_nb.protocol.client_events import (
    AudioBufferAppend,
    AudioBufferClear,
    AudioBufferCommit,
    ClientEvent,
    ItemCreate,
    ItemDelete,
    ItemRetrieve,
    ItemTruncate,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
)
from realtime_nb.protocol.server_events import (
    AudioBufferCleared,
    AudioBufferCommitted,
    AudioBufferTimeoutTriggered,
    ContentPartAdded,
    ContentPartDone,
    ConversationCreated,
    ErrorEvent,
    FunctionCallArgumentsDelta,
    FunctionCallArgumentsDone,
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ItemRetrieved,
    ItemTruncated,
    OutputAudioDelta,
    OutputAudioDone,
    OutputAudioTranscriptDelta,
    OutputAudioTranscriptDone,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    OutputTextDone,
    RateLimitsUpdated,
    ResponseCreated,
    ResponseDone,
    ServerEvent,
    SessionCreated,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    TranscriptionCompleted,
    TranscriptionDelta,
    TranscriptionFailed,
)
from realtime_nb.protocol.wire import (
    AudioRef,
    Event,
    JsonObject,
    Payload,
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
    "TranscriptionCompleted",
    "TranscriptionDelta",
    "TranscriptionFailed",
    "UnknownEvent",
    "dump",
    "parse_client",
    "parse_server",
    "payload_bytes",
]


def _by_wire_name(base: type[Event]) -> dict[str, type[Any]]:
    found: dict[str, type[Any]] = {}
    pending = list(base.__subclasses__())
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        if not cls.__name__.startswith("_"):
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
