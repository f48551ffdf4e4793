"""Sessions, items and a conversation as GA says them, for tests of the dialects."""

from __future__ import annotations

from typing import Any

__all__ = [
    "ALAW",
    "GA_SESSION",
    "GA_TRANSCRIPTION_SESSION",
    "PCM",
    "SPOKEN",
    "ULAW",
    "USER",
    "WRITTEN",
    "Event",
    "conversation",
    "item",
    "only",
    "response",
]

PCM = {"type": "audio/pcm", "rate": 24_000}
ULAW = {"type": "audio/pcmu"}
ALAW = {"type": "audio/pcma"}

Event = dict[str, Any]


def only(events: list[dict[str, object]]) -> Event:
    assert len(events) == 1
    return events[0]


GA_SESSION: Event = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "tools": [{"type": "function", "name": "f", "description": "", "parameters": {}}],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
    "expires_at": 1_756_324_832,
    "audio": {
        "input": {
            "format": PCM,
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 200,
                "idle_timeout_ms": None,
                "create_response": True,
                "interrupt_response": True,
            },
        },
        "output": {"format": PCM, "voice": "alloy", "speed": 1.0},
    },
    "include": None,
}

GA_TRANSCRIPTION_SESSION: Event = {
    "type": "transcription",
    "object": "realtime.transcription_session",
    "id": "sess_2",
    "expires_at": 1_756_324_832,
    "audio": {
        "input": {
            "format": ALAW,
            "transcription": {"model": "whisper-1", "language": "en", "prompt": ""},
            "noise_reduction": {"type": "near_field"},
            "turn_detection": None,
        }
    },
    "include": ["item.input_audio_transcription.logprobs"],
}


def item(status: str, **fields: object) -> Event:
    return {"id": "item_a", "type": "message", "role": "assistant", "status": status, **fields}


def ids(**fields: object) -> Event:
    place = {"response_id": "resp_1", "item_id": "item_a", "output_index": 0}
    return {**place, "content_index": 0, **fields}


def response(status: str, **fields: object) -> Event:
    return {
        "object": "realtime.response",
        "id": "resp_1",
        "status": status,
        "status_details": None,
        "output": [],
        "conversation_id": "conv_1",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "audio": {"output": {"format": PCM, "voice": "marin"}},
        "usage": None,
        "metadata": None,
        **fields,
    }


SPOKEN = item("completed", content=[{"type": "output_audio", "transcript": "Hello."}])
WRITTEN = item("incomplete", content=[{"type": "output_text", "text": "Hel"}])
USER: Event = {
    "id": "item_u",
    "type": "message",
    "role": "user",
    "status": "completed",
    "content": [{"type": "input_audio", "transcript": None}],
}
CALL: Event = {
    "id": "item_c",
    "type": "function_call",
    "status": "completed",
    "name": "f",
    "call_id": "call_1",
    "arguments": "{}",
}


def conversation() -> list[Event]:
    """A session's events as a GA server sends them: a spoken turn, a call, a written reply."""
    body: list[tuple[str, Event]] = [
        ("session.created", {"session": GA_SESSION}),
        ("session.updated", {"session": GA_SESSION}),
        ("input_audio_buffer.speech_started", {"audio_start_ms": 10, "item_id": "item_u"}),
        ("input_audio_buffer.speech_stopped", {"audio_end_ms": 900, "item_id": "item_u"}),
        ("input_audio_buffer.committed", {"previous_item_id": None, "item_id": "item_u"}),
        ("conversation.item.added", {"previous_item_id": None, "item": USER}),
        ("conversation.item.done", {"previous_item_id": None, "item": USER}),
        (
            "conversation.item.input_audio_transcription.completed",
            {
                "item_id": "item_u",
                "content_index": 0,
                "transcript": "Hi.",
                "usage": {"type": "duration", "seconds": 1.0},
            },
        ),
        ("response.created", {"response": response("in_progress")}),
        (
            "response.output_item.added",
            {
                "response_id": "resp_1",
                "output_index": 0,
                "item": item("in_progress", content=[]),
            },
        ),
        (
            "conversation.item.added",
            {"previous_item_id": "item_u", "item": item("in_progress", content=[])},
        ),
        ("response.content_part.added", ids(part={"type": "audio", "transcript": ""})),
        ("response.output_audio_transcript.delta", ids(delta="Hello.")),
        ("response.output_audio.delta", ids(delta="AAAA")),
        ("response.output_audio.done", ids()),
        ("response.output_audio_transcript.done", ids(transcript="Hello.")),
        ("response.content_part.done", ids(part={"type": "audio", "transcript": "Hello."})),
        ("conversation.item.done", {"previous_item_id": "item_u", "item": SPOKEN}),
        (
            "response.output_item.done",
            {"response_id": "resp_1", "output_index": 0, "item": SPOKEN},
        ),
        (
            "response.function_call_arguments.done",
            {
                "response_id": "resp_1",
                "item_id": "item_c",
                "output_index": 1,
                "call_id": "call_1",
                "name": "f",
                "arguments": "{}",
            },
        ),
        ("response.done", {"response": response("completed", output=[SPOKEN, CALL])}),
        ("rate_limits.updated", {"rate_limits": []}),
        ("response.output_text.delta", ids(delta="Hel")),
        ("response.output_text.done", ids(text="Hel")),
        (
            "response.done",
            {
                "response": response(
                    "cancelled",
                    output=[WRITTEN],
                    output_modalities=["text"],
                    status_details={"type": "cancelled", "reason": "turn_detected"},
                )
            },
        ),
        (
            "conversation.item.truncated",
            {"item_id": "item_a", "content_index": 0, "audio_end_ms": 100},
        ),
        ("error", {"error": {"type": "invalid_request_error", "message": "No."}}),
    ]
    return [
        {"type": name, "event_id": f"event_{n}", **fields} for n, (name, fields) in enumerate(body)
    ]
