from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol.records import Response
from realtime_nb.protocol.told_responses import take_end, take_told


@pytest.mark.parametrize(
    ("raw", "done", "status"),
    [
        ({"status": "in_progress"}, False, "in_progress"),
        ({"status": "cancelled"}, True, "cancelled"),
        ({}, True, "completed"),
        ({"status": None}, True, "completed"),
        ({"status": "in_progress"}, True, "incomplete"),
    ],
)
def test_a_response_that_is_done_is_not_active(
    raw: dict[str, Any], done: bool, status: str
) -> None:
    response = Response("r")
    take_told(response, raw, done=done)
    assert response.status == status
    assert response.active is not done


def test_what_is_left_out_stays_as_it_was() -> None:
    response = Response("r")
    audio = {"output": {"format": {"type": "audio/pcmu"}}}
    whole = {"metadata": {"a": "b"}, "output_modalities": ["audio"], "audio": audio}
    take_told(response, {**whole, "conversation_id": None}, done=False)
    take_told(response, {"status": "completed"}, done=True)
    assert response.metadata == {"a": "b"}
    assert response.output_modalities == ["audio"]
    assert response.audio_format == {"type": "audio/pcmu"}
    assert response.in_conversation is False


@pytest.mark.parametrize(
    ("details", "reason", "error"),
    [
        ({"reason": "turn_detected"}, "turn_detected", None),
        ({"error": {"code": "x"}}, None, {"code": "x"}),
        ("max_output_tokens", "max_output_tokens", None),
        (None, None, None),
    ],
)
def test_why_it_ended(details: object, reason: str | None, error: object) -> None:
    response = Response("r")
    take_end(response, {"status_details": details}, mixed=False)
    assert (response.reason, response.error, response.done) == (reason, error, True)


def test_tokens_of_who_knows_which_response_are_none() -> None:
    usage = {"input_tokens": 3}
    clear, mixed = Response("r"), Response("r")
    take_end(clear, {"usage": usage}, mixed=False)
    take_end(mixed, {"usage": usage}, mixed=True)
    assert (clear.usage, mixed.usage) == (usage, None)
    take_end(clear, {"usage": usage}, mixed=False)
    assert not clear.repeated
    take_end(clear, {"usage": {"input_tokens": 4}}, mixed=False)
    assert clear.repeated
