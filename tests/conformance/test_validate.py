"""The validator is strict where other clients are: variants that servers have sent and clients
refused, and variants that must pass."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pydantic
import pytest

from tests.conformance.ledger import Ledger
from tests.conformance.validate import check, validate
from tests.tallies import REFUSED, VALIDATED, lines

IDS = {"event_id": "e", "response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
PCM = {"type": "audio/pcm", "rate": 24_000}
ASSISTANT = {"id": "i", "type": "message", "role": "assistant"}
TRANSCRIPT = {
    "type": "conversation.item.input_audio_transcription.completed",
    "event_id": "e",
    "item_id": "i",
    "content_index": 0,
    "transcript": "a",
}


def without(event: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != key}


def session(**fields: Any) -> dict[str, Any]:
    return {"type": "session.created", "event_id": "e", "session": fields}


def item_added(**fields: Any) -> dict[str, Any]:
    item = {**ASSISTANT, **fields}
    return {"type": "conversation.item.added", "event_id": "e", "item": item}


def part_added(kind: str) -> dict[str, Any]:
    return {"type": "response.content_part.added", **IDS, "part": {"type": kind, "transcript": ""}}


def done(**fields: Any) -> dict[str, Any]:
    return {"type": "response.done", "event_id": "e", "response": {"id": "r", **fields}}


def error(**fields: Any) -> dict[str, Any]:
    return {"type": "error", "event_id": "e", "error": {"type": "t", **fields}}


DELTA = {"type": "response.output_audio.delta", **IDS, "delta": ""}
STARTED = {"type": "input_audio_buffer.speech_started", "event_id": "e", "item_id": "i"}
ARGUMENTS = {
    "type": "response.function_call_arguments.done",
    **without(IDS, "content_index"),
    "call_id": "c",
    "arguments": "",
    "name": "f",
}


@pytest.mark.parametrize(
    "event",
    [
        session(type="realtime", object="realtime.session", id="s"),
        session(type="realtime", modalities=["text"]),
        item_added(content=[{"type": "output_audio", "transcript": ""}]),
        {**item_added(content=[]), "previous_item_id": None},
        part_added("audio"),
        done(status="completed", usage=None, status_details=None, metadata=None),
        done(output_modalities=["text", "audio"]),
        {**DELTA, "obfuscation": "x"},
        {**TRANSCRIPT, "usage": {"type": "duration", "seconds": 2}},
        {
            **TRANSCRIPT,
            "usage": {"type": "tokens", "total_tokens": 2, "input_tokens": 1, "output_tokens": 1},
        },
        error(message="m"),
        {**STARTED, "audio_start_ms": 5},
        ARGUMENTS,
    ],
)
def test_passes(event: dict[str, Any]) -> None:
    check(event)


@pytest.mark.parametrize(
    "event",
    [
        session(object="realtime.session"),
        session(type="realtime", audio={"input": {"format": {**PCM, "rate": 16_000}}}),
        item_added(content=[{"type": "audio", "transcript": ""}]),
        part_added("output_audio"),
        done(status_details="cancelled"),
        without(DELTA, "content_index"),
        without(DELTA, "event_id"),
        {**DELTA, "type": "response.audio.delta"},
        {**DELTA, "type": "vendor.delta"},
        TRANSCRIPT,
        error(code="c"),
        error(message="m", code=5),
        {**STARTED, "audio_start_ms": 5.5},
        {**STARTED, "audio_start_ms": "5"},
        without(ARGUMENTS, "name"),
    ],
)
def test_refused(event: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        check(event)


def test_the_ledger_notices_what_is_left_open_or_comes_twice() -> None:
    created = {
        "type": "response.created",
        "event_id": "1",
        "response": {"id": "r", "status": "in_progress", "output": [], "conversation_id": "c"},
    }
    ledger = Ledger()
    ledger.check(created)
    with pytest.raises(AssertionError):
        ledger.check_settled()
    with pytest.raises(AssertionError):
        ledger.check(created)  # the same event id
    with pytest.raises(AssertionError):
        ledger.check({**created, "event_id": "2"})  # the same response
    with pytest.raises(AssertionError):
        ledger.check({**item_added(content=[]), "event_id": "3", "previous_item_id": "unknown"})
    with pytest.raises(KeyError):
        ledger.check({**DELTA, "event_id": "4", "response_id": "other"})


def test_the_run_says_how_many_were_validated_and_how_many_failed() -> None:
    before, failed = Counter(VALIDATED), Counter(REFUSED)
    try:
        VALIDATED.clear()
        REFUSED.clear()
        for event in (part_added("audio"), part_added("audio"), error(message="m")):
            validate(event)
        with pytest.raises(pydantic.ValidationError):
            validate(without(DELTA, "event_id"))
        (line,) = [line for line in lines() if "server frames" in line]
    finally:
        for tally, held in ((VALIDATED, before), (REFUSED, failed)):
            tally.clear()
            tally.update(held)
    assert line.startswith("3 server frames validated strictly against the types of openai ")
    assert line.endswith("(2 event types), 1 failures")
