"""A spoken turn of which a server told its stages, with round numbers."""

from __future__ import annotations

from typing import Any

from tests.made_recording import MadeRecording
from tests.spoken_recording import begun, spoken, voiced

__all__ = ["MOMENTS", "answered", "heard", "talked"]

MOMENTS: dict[str, Any] = {
    # On the server's own clock, which has nothing to do with the session's.
    "item_id": "item_1",
    "stt": "ears",
    "llm": "brain",
    "tts": "mouth",
    "committed_ms": 90_000.0,
    "heard_from_ms": 89_900.0,
    "heard_ms": 90_050.0,
    "asked_ms": 90_060.0,
    "first_token_ms": 90_200.0,
    "thinking_ms": 700.0,
    "sentence_ms": 90_260.0,
    "sent_ms": 90_340.0,
    "stt_audio_ms": 3_000.0,
    "input_tokens": 100,
    "cached_tokens": 40,
    "output_tokens": 30,
    "tts_characters": 80,
    "tts_audio_ms": 6_000.0,
}


def talked(*told: dict[str, Any]) -> MadeRecording:
    """One spoken turn: the voice ends at 3 s of the session, the answer is heard at 3.7 s."""
    rec = heard()
    answered(rec, "1", 3.3, *told)
    return rec


def heard() -> MadeRecording:
    rec = begun()
    spoken(rec, "item_1", 1_000, 2_000, stopped_s=3.25)
    voiced(rec, (1_000, 2_000))
    rec.got(3.25, "input_audio_buffer.committed", item_id="item_1")
    return rec


def answered(rec: MadeRecording, name: str, at_s: float, *told: dict[str, Any]) -> None:
    response = {"id": f"resp_{name}", "conversation_id": "conv"}
    rec.got(at_s, "response.created", response=response)
    item = {"id": f"said_{name}", "type": "message", "role": "assistant", "content": []}
    rec.got(at_s, "response.output_item.added", response_id=f"resp_{name}", item=item)
    audio = {"response_id": f"resp_{name}", "item_id": f"said_{name}", "delta": "AAAA" * 6400}
    rec.got(at_s + 0.3, "response.output_audio.delta", **audio)
    rec.played(f"said_{name}", 0.0, "started", at_s + 0.4)
    for stages_ in told:
        rec.got(at_s + 0.5, "realtime_nb.stages", response_id=f"resp_{name}", **stages_)
    rec.got(at_s + 0.6, "response.done", response={**response, "status": "completed"})
