"""What a client of the beta sends, as GA says it."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.beta import realtime as beta_types
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from realtime_nb.protocol.dialect import client_to_beta, client_to_ga
from tests.protocol.dialect_shapes import PCM, ULAW, Event, only

# --- Against the published types ------------------------------------------------------------------

BETA_CLIENT: TypeAdapter[Any] = TypeAdapter(beta_types.RealtimeClientEvent)
GA_CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)

BETA_CLIENT_EVENTS: list[Event] = [
    {
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "voice": "alloy",
            "input_audio_format": "pcm16",
            "output_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad", "threshold": 0.4},
            "temperature": 0.7,
            "max_response_output_tokens": 4096,
            "tool_choice": "auto",
            "tools": [{"type": "function", "name": "f", "description": "", "parameters": {}}],
        },
    },
    {
        "type": "transcription_session.update",
        "session": {
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"model": "gpt-4o-transcribe", "language": "en"},
            "turn_detection": {"type": "server_vad"},
            "input_audio_noise_reduction": {"type": "near_field"},
        },
    },
    {
        "type": "response.create",
        "response": {
            "modalities": ["text"],
            "voice": "echo",
            "output_audio_format": "g711_alaw",
            "max_response_output_tokens": "inf",
            "temperature": 0.9,
        },
    },
    {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "Hello."}],
        },
    },
]


@pytest.mark.parametrize("event", BETA_CLIENT_EVENTS, ids=lambda event: str(event["type"]))
def test_client_events_are_of_the_published_types(event: Event) -> None:
    BETA_CLIENT.validate_python(event)
    ga = only(client_to_ga(event))
    assert ga["type"] == GA_CLIENT.validate_python(ga).type
    back = only(client_to_beta(ga))
    assert event["type"] == BETA_CLIENT.validate_python(back).type


# --- What a beta client sends ---------------------------------------------------------------------


def test_a_flat_session_becomes_nested() -> None:
    ga = only(client_to_ga(BETA_CLIENT_EVENTS[0]))
    assert ga == {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "max_output_tokens": 4096,
            "tool_choice": "auto",
            "tools": [{"type": "function", "name": "f", "description": "", "parameters": {}}],
            "audio": {
                "input": {
                    "format": PCM,
                    "transcription": {"model": "whisper-1"},
                    "turn_detection": {"type": "server_vad", "threshold": 0.4},
                },
                "output": {"format": ULAW, "voice": "alloy"},
            },
        },
    }


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_transcription_session_update(wrapped: bool) -> None:
    fields: Event = {
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": None,
        "input_audio_noise_reduction": {"type": "near_field"},
        "include": ["item.input_audio_transcription.logprobs"],
        "modalities": ["text", "audio"],
    }
    head: Event = {"type": "transcription_session.update", "event_id": "c-1"}
    event: Event = (
        {**head, "session": {**fields, "client_secret": {}}} if wrapped else {**head, **fields}
    )
    assert only(client_to_ga(event)) == {
        "type": "session.update",
        "event_id": "c-1",
        "session": {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": ULAW,
                    "transcription": {"model": "whisper-1"},
                    "turn_detection": None,
                    "noise_reduction": {"type": "near_field"},
                }
            },
            "include": ["item.input_audio_transcription.logprobs"],
        },
    }
