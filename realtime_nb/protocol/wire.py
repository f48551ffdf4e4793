"""What all events share: the base class, the stand-in for unknown ones, audio, the crossing."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

__all__ = [
    "AudioRef",
    "Event",
    "JsonObject",
    "Payload",
    "ServerEvent",
    "UnknownEvent",
    "WireEvent",
    "decoded",
    "encodable",
    "object_of",
    "payload_bytes",
    "text_of",
]

JsonObject = dict[str, Any]


Count = Annotated[int, Meta(ge=0, le=1 << 40)]
"""What may be counted of audio; a file with more of it there is not."""


class AudioRef(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a recording keeps an audio payload: ``samples`` of ``file`` (24 kHz) from ``start``.

    ``bytes`` is the payload's size on the wire where it was not two bytes per sample.
    """

    file: str
    start: Count
    samples: Count
    bytes: Count | None = None


Payload = str | AudioRef


class Event(Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """What every event has. ``event_id`` is the sender's own name for the event."""

    event_id: str | None = None

    @property
    def type(self) -> str:
        """The event's name on the wire, such as ``response.done``."""
        return str(self.__struct_config__.tag)


class ServerEvent(Event, frozen=True, kw_only=True):
    """An event that a server sends."""


class UnknownEvent(Struct, frozen=True):
    """An event that is not modelled, or not of the expected shape.

    ``raw`` is the event as it came; ``problem`` says what did not fit (None: a type that this
    package does not know).
    """

    type: str
    raw: JsonObject
    problem: str | None = None

    @property
    def event_id(self) -> str | None:
        """The sender's id of the event, where it has one."""
        value = self.raw.get("event_id")
        return value if isinstance(value, str) else None


class WireEvent(Struct, frozen=True, gc=False):
    """An event as it crossed the wire: what recorders and observers are given.

    Attributes:
        direction: whether it was sent to the server or received from it.
        raw: the event in the server's dialect; nobody changes it.
        t_s: when, in seconds since the session began.
        pcm: its audio as PCM16 at 24 kHz.
        captured_s: when the device took the last sample of audio that was sent, on the clock of
            ``t_s``, where that is known.
    """

    direction: Literal["sent", "received"]
    raw: JsonObject
    t_s: float
    pcm: bytes | None = None
    captured_s: float | None = None


def encodable(value: Any) -> Any:
    """Returns JSON in which every text can be written anywhere: half a letter becomes U+FFFD.

    JSON may escape a surrogate that has lost its other half, as where text was cut into deltas; no
    table, file or page can hold it. Halves that stand side by side become their letter.
    """
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return value
    if isinstance(value, dict):
        return {encodable(key): encodable(held) for key, held in value.items()}
    return [encodable(held) for held in value] if isinstance(value, list) else value


def decoded(text: bytes | str) -> Any:
    """Returns the JSON of a message.

    Raises:
        msgspec.DecodeError: It is none, or has a number that no 64 bits hold: no clock, count or
            table can be made of it.
        RecursionError, UnicodeError: It is nested too deep, or no text.
    """
    value = msgspec.json.decode(text)
    if _counts_too_far(value):
        raise msgspec.DecodeError("Number out of range")  # as msgspec says of larger ones still
    return value


def _counts_too_far(value: object) -> bool:
    pending = [value]
    while pending:
        match pending.pop():
            case dict() as held:
                pending.extend(held.values())
            case list() as held:
                pending.extend(held)
            case int() as number if number.bit_length() > 64:
                return True
    return False


def payload_bytes(payload: Payload, bytes_per_sample: int = 2, sample_rate: int = 24_000) -> int:
    """Returns how many bytes of audio a payload stands for, without decoding it.

    Args:
        payload: base64 text, or a recording's reference in 24 kHz samples.
        bytes_per_sample: 2 for PCM16, 1 for G.711.
        sample_rate: of the wire format; only used to translate a reference.
    """
    if isinstance(payload, AudioRef):
        if payload.bytes is not None:
            return payload.bytes
        return payload.samples * sample_rate // 24_000 * bytes_per_sample
    padding = payload.endswith("=") + payload.endswith("==")
    return max(0, len(payload) * 3 // 4 - padding)


def text_of(raw: JsonObject, name: str, default: str | None) -> str | None:
    """Returns a field that should be text or null; whatever else a server sends there is left
    out."""
    value = raw.get(name, default)
    return value if value is None or isinstance(value, str) else default


def object_of(raw: JsonObject, name: str) -> JsonObject | None:
    """Returns a field that should be an object; None where it is none."""
    value = raw.get(name)
    return value if isinstance(value, dict) else None
