"""The audio that the protocol carries: its formats in one table, and what a payload holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.wire import JsonObject, Payload, payload_bytes

__all__ = [
    "BYTES_PER_MS",
    "PCM",
    "SAMPLES_PER_MS",
    "SAMPLE_RATE",
    "WIRE_FORMATS",
    "WireFormat",
    "format_of",
    "payload_ms",
    "session_format",
    "whole_samples",
    "wire_format",
]

SAMPLE_RATE = 24_000
"""Samples per second of ``audio/pcm``, and of all audio that is not on the wire."""
SAMPLES_PER_MS = SAMPLE_RATE // 1000
BYTES_PER_MS = 2 * SAMPLES_PER_MS


@dataclass(frozen=True, slots=True)
class WireFormat:
    """One way to send audio.

    Attributes:
        name: the short one that ``connect()`` takes, and the beta's.
        type: the name in a session's ``format`` object.
        sample_rate, bytes_per_sample: of a payload.
    """

    name: str
    type: str
    sample_rate: int
    bytes_per_sample: int

    @property
    def bytes_per_ms(self) -> int:
        """Bytes in a millisecond of a payload."""
        return self.sample_rate * self.bytes_per_sample // 1000

    @property
    def fields(self) -> JsonObject:
        """The ``format`` object of a session; only PCM could have another rate."""
        return {"type": self.type, "rate": self.sample_rate} if self is PCM else {"type": self.type}


PCM = WireFormat("pcm16", "audio/pcm", SAMPLE_RATE, 2)
WIRE_FORMATS = (
    PCM,
    WireFormat("g711_ulaw", "audio/pcmu", 8_000, 1),
    WireFormat("g711_alaw", "audio/pcma", 8_000, 1),
)
_BY_TYPE = {known.type: known for known in WIRE_FORMATS}


def wire_format(format_type: str) -> WireFormat:
    """Returns the format with a name such as ``"audio/pcmu"``.

    Raises:
        ConfigurationError: The protocol has no such format.
    """
    known = _BY_TYPE.get(format_type)
    if known is None:
        raise ConfigurationError(
            f"Unknown audio format {format_type!r}; use one of {', '.join(_BY_TYPE)}."
        )
    return known


def session_format(session: object, side: Literal["input", "output"]) -> object:
    """Returns the ``format`` object of one side of a session; None where it has none."""
    held = session
    for key in ("audio", side, "format"):
        held = held.get(key) if isinstance(held, dict) else None
    return held


def format_of(fields: object) -> WireFormat:
    """Returns what a session's ``format`` object means; PCM where it means nothing known."""
    return _BY_TYPE.get(str(fields.get("type")), PCM) if isinstance(fields, dict) else PCM


def payload_ms(payload: Payload, fields: object) -> float:
    """Returns how much audio a payload holds, in the format that a session tells."""
    known = format_of(fields)
    size = payload_bytes(payload, known.bytes_per_sample, known.sample_rate)
    return size / known.bytes_per_ms


def whole_samples(audio: bytes, fields: object) -> bytes:
    """Returns the audio without half a sample at its end."""
    return audio[: len(audio) - len(audio) % format_of(fields).bytes_per_sample]
