"""The orders of events that the hosted server was seen to send, and how to set up for them."""

from __future__ import annotations

from typing import Any

__all__ = [
    "NO_VAD",
    "SPOKEN",
    "SPOKEN_DONE",
    "TRANSCRIBED",
    "TRANSCRIPT",
    "TURN",
    "WRITTEN",
    "WRITTEN_DONE",
    "first",
    "vad",
]

TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]
SPOKEN = [
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
]
SPOKEN_DONE = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
WRITTEN = [
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
]
WRITTEN_DONE = [
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
TRANSCRIPT = "conversation.item.input_audio_transcription"
NO_VAD: dict[str, Any] = {"turn_detection": None}
TRANSCRIBED: dict[str, Any] = {"transcription": {"model": "whisper-1"}}


def vad(**settings: Any) -> dict[str, Any]:
    return {"turn_detection": {"type": "server_vad", **settings}}


def first(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(event for event in events if event["type"] == kind)
