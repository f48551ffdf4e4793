"""What really crossed a connection, counted where nobody can be wrong about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from realtime_nb.protocol.audio_formats import PCM, WIRE_FORMATS, WireFormat, session_format
from realtime_nb.protocol.dialect import Side, audio_field
from realtime_nb.protocol.events import JsonObject
from realtime_nb.testing.faults import Direction

__all__ = ["Passed"]


@dataclass(slots=True)
class Passed:
    """What reached the other side of one connection, and what did not.

    Attributes:
        sent, received: events by type, as often as they arrived.
        lost: those of the client's that never did, by type.
        sent_bytes, received_bytes: of frames and their contents, without the handshake; in memory,
            of the events as JSON.
        sent_audio_ms: the user's audio that reached the server.
        lost_audio_ms: the user's audio that the client sent and the server never got.
        received_audio_ms: the agent's audio that reached the client.
    """

    sent: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    sent_bytes: int = 0
    received_bytes: int = 0
    sent_audio_ms: float = 0.0
    lost_audio_ms: float = 0.0
    received_audio_ms: float = 0.0
    _formats: dict[Side, WireFormat] = field(default_factory=lambda: {"input": PCM, "output": PCM})

    def take(self, direction: Direction, event: JsonObject | None, size: int) -> None:
        """Counts what arrived; ``event`` is None where it is none."""
        if direction == "sent":
            self.sent_bytes += size
        else:
            self.received_bytes += size
        if event is None:
            return
        (self.sent if direction == "sent" else self.received)[str(event.get("type"))] += 1
        if direction == "sent":
            self.sent_audio_ms += self._audio_ms(event, "input")
        else:
            self.received_audio_ms += self._audio_ms(event, "output")
            self._follow(event.get("session"))

    def lose(self, direction: Direction, event: JsonObject | None) -> None:
        """Counts what the client sent and nobody got."""
        if direction == "sent" and event is not None:
            self.lost[str(event.get("type"))] += 1
            self.lost_audio_ms += self._audio_ms(event, "input")

    def _audio_ms(self, event: JsonObject, side: Side) -> float:
        found = audio_field(event.get("type"))
        if found is None or found[1] != side:
            return 0.0
        text = event.get(found[0])
        if not isinstance(text, str):
            return 0.0
        payload_bytes = len(text) * 3 // 4 - text[-2:].count("=")
        return payload_bytes / self._formats[side].bytes_per_ms

    def _follow(self, session: object) -> None:
        """Takes the formats that the server says from here on, in either dialect."""
        if not isinstance(session, dict):
            return
        for side in self._formats:
            named = session_format(session, side) or session.get(f"{side}_audio_format")
            name = named.get("type") if isinstance(named, dict) else named
            for known in WIRE_FORMATS:
                if name in (known.type, known.name):
                    self._formats[side] = known
