"""Refusals that a race brings about, known by the request that they name."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol.events import ErrorEvent
from realtime_nb.protocol.races import Races, is_race
from tests.protocol.client_side import Client

SHORTER = "Audio content of 900ms is already shorter than 1200ms"
RACES = [
    ("response.cancel", "response_cancel_not_active", ""),
    ("response.create", "conversation_already_has_active_response", ""),
    ("response.create", None, "Conversation already has an active response in progress: r."),
    ("input_audio_buffer.commit", "input_audio_buffer_commit_empty", "buffer too small"),
    ("conversation.item.truncate", "invalid_value", SHORTER),
    ("conversation.item.truncate", None, "Only model output audio messages can be truncated"),
    ("conversation.item.truncate", "item_truncate_invalid_item_id", "not found"),
]
FIELDS: dict[str, dict[str, Any]] = {
    "conversation.item.truncate": {"item_id": "i", "content_index": 0, "audio_end_ms": 1200},
}


@pytest.mark.parametrize(("asked", "code", "message"), RACES)
def test_a_lost_race_is_known_by_the_request_that_it_names(
    asked: str, code: str | None, message: str
) -> None:
    client = Client()
    client.configured()
    event_id = client.send({"type": asked, **FIELDS.get(asked, {})})
    other_id = client.send({"type": "conversation.item.delete", "item_id": "i"})
    client.sends()
    marks = []
    for cause in (event_id, other_id, None):
        error = {"code": code, "message": message, "event_id": cause}
        (event,) = client.hears("error", error=error)
        assert isinstance(event, ErrorEvent)
        marks.append(event.benign)
    # Of a request of another kind it is no race; without a name the words tell.
    assert marks == [True, False, True]
    conversation = client.conversation
    assert [error.benign for error in conversation.errors] == marks
    assert conversation.refused == [conversation.errors[1]]


@pytest.mark.parametrize(
    ("code", "message"), [("invalid_value", "Invalid value: 'x'."), (None, ""), ("", "")]
)
def test_what_is_none(code: str | None, message: str) -> None:
    assert not is_race(code, message)
    assert not is_race(code, message, "response.create")


def test_a_server_can_not_call_its_error_benign() -> None:
    client = Client()
    client.configured()
    (event,) = client.hears("error", error={"code": "invalid_value", "message": ""}, benign=True)
    assert not event.benign


@pytest.mark.parametrize(("asked", "code", "message"), RACES)
def test_events_as_they_are_on_the_wire_tell_the_same(
    asked: str, code: str | None, message: str
) -> None:
    races = Races()
    assert not races.crossed(True, {"type": asked, "event_id": "mine"})
    assert not races.crossed(True, {"type": "conversation.item.delete", "event_id": "other"})
    error = {"code": code, "message": message}
    causes = ("mine", "other", None, "unknown", 3)
    assert [
        races.crossed(False, {"type": "error", "error": {**error, "event_id": cause}})
        for cause in causes
    ] == [True, False, True, True, True]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": "error"},
        {"type": "error", "error": "response_cancel_not_active"},
        {"type": "error", "error": {"code": 3, "message": None}},
        {"type": "error", "error": {"code": ["response_cancel_not_active"]}},
        {"type": "response.done", "error": {"code": "response_cancel_not_active"}},
        {"type": None, "event_id": 4},
    ],
)
def test_what_is_no_such_error_is_no_lost_race(event: dict[str, Any]) -> None:
    assert not Races().crossed(False, event)
    assert not Races().crossed(True, event)
