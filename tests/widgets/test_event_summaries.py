from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from realtime_nb.protocol.events import JsonObject
from realtime_nb.widgets.event_summaries import KeptEvent, summary_of, without_audio

AUDIO = base64.b64encode(bytes(range(256)) * 4).decode()


def said(event: JsonObject) -> Any:
    return summary_of(KeptEvent(0, 0.0, False, event, 0))[-2]  # the last tells of lost races


@pytest.mark.parametrize(
    "event",
    [
        {"type": "input_audio_buffer.append", "audio": AUDIO},
        {"type": "response.output_audio.delta", "delta": AUDIO},
        {"type": "response.audio.delta", "delta": AUDIO},
        {
            "type": "conversation.item.create",
            "item": {"content": [{"type": "input_audio", "audio": AUDIO}]},
        },
    ],
)
def test_audio_is_counted_and_not_kept(event: JsonObject) -> None:
    before = json.dumps(event)
    kept, audio_bytes = without_audio(event)
    assert audio_bytes == 1024
    assert AUDIO not in json.dumps(kept)
    assert "1,024 bytes of audio" in json.dumps(kept)
    assert json.dumps(event) == before


def test_a_recordings_reference_is_kept_and_counted() -> None:
    reference = {"file": "input.wav", "start": 0, "samples": 480}
    event = {"type": "input_audio_buffer.append", "audio": reference}
    assert without_audio(event) == (event, 960)
    reference["bytes"] = 160
    assert without_audio(event) == (event, 160)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "session.update", "session": {"audio": {"output": {"voice": "ash"}}}},
        {"type": 17, "audio": 17, "item": [[None, 1.5]]},
        {},
    ],
)
def test_all_else_is_kept_as_it_is(event: JsonObject) -> None:
    assert without_audio(event) == (event, 0)


def test_pictures_and_nests_are_bounded() -> None:
    picture = {"type": "x", "item": {"content": [{"image_url": "data:" + "A" * 1_000_000}]}}
    nest: JsonObject = {"type": "x"}
    inner = nest
    for _ in range(10_000):
        inner["item"] = {}
        inner = inner["item"]
    assert len(json.dumps(without_audio(picture)[0])) < 1_000
    assert len(json.dumps(without_audio(nest)[0])) < 1_000


def test_the_fields_of_a_summary() -> None:
    event = {
        "type": "response.output_item.done",
        "event_id": "event_1",
        "response_id": "resp_1",
        "item": {"id": "item_1", "type": "function_call", "call_id": "call_1", "name": "book"},
    }
    assert summary_of(KeptEvent(7, 1.23456, True, event, 0)) == [
        *(7, 1234.6, 1, "response.output_item.done", "event_1", "item_1", "resp_1", "call_1"),
        *("", 0, "function_call book()", 0),
    ]
    error = {"code": "invalid_value", "message": "No.", "event_id": "mine_1"}
    summary = summary_of(KeptEvent(8, 0.0, False, {"type": "error", "error": error}, 0))
    assert summary[8:] == ["mine_1", 0, "invalid_value: No.", 0]
    audio, audio_bytes = without_audio({"type": "response.output_audio.delta", "delta": AUDIO})
    assert summary_of(KeptEvent(9, 0.0, False, audio, audio_bytes))[9:] == [1024, "", 0]
    delta = {"type": "response.output_text.delta", "delta": "é"}
    assert summary_of(KeptEvent(9, 0.0, False, delta, 0))[9:] == [2, "é", 0]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"type": "x", "transcript": "Hello."}, "Hello."),
        ({"type": "x", "audio_start_ms": 700, "item_id": "i"}, "audio start 700 ms"),
        ({"type": "x", "session": {"voice": "ash", "tools": [1, 2]}}, "voice: ash, tools: [2]"),
        ({"type": "x", "item": {"role": "user", "content": [{"text": "Hi"}]}}, "user Hi"),
        (
            {"type": "x", "response": {"status": "failed", "usage": {"input_tokens": 3}}},
            "failed, 3 tokens in, 0 out",
        ),
        ({"type": "x", "delta": "a" * 1_000}, "a" * 160),
        ({"type": "x", "item": 3, "response": [], "error": "?", "session": None}, ""),
        ({}, ""),
    ],
)
def test_what_an_event_says(event: JsonObject, words: str) -> None:
    assert said(event) == words
