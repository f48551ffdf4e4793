"""The work that a server's core asks for: hear, answer, stop."""

from __future__ import annotations

from dataclasses import dataclass

from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.response import ResponseSettings

__all__ = ["CancelResponse", "Job", "Respond", "Transcribe"]


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Turn a user item's audio into text; answer with ``receive_transcript``."""

    item_id: str
    attempt: int
    audio: bytes
    audio_format: JsonObject


@dataclass(frozen=True, slots=True)
class Respond:
    """Run the model over ``items`` and speak or write what it says."""

    response_id: str
    items: list[JsonObject]
    settings: ResponseSettings
    speed: float


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """Stop working on a response; what it still produces is ignored."""

    response_id: str


Job = Transcribe | Respond | CancelResponse
