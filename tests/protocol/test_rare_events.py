"""Every event that the published types of a server know has a type here, too."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from openai.types.realtime.realtime_server_event import RealtimeServerEvent

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation

TURNED = {"conversation.item.created"}  # the dialect makes added and done of it
IDS = {"item_id": "item_1", "event_id": "event_1"}
RARE: list[dict[str, Any]] = [
    *(
        {**IDS, "type": name}
        for step in ("in_progress", "completed", "failed")
        for name in (f"mcp_list_tools.{step}", f"response.mcp_call.{step}")
    ),
    {**IDS, "type": "response.mcp_call_arguments.delta", "response_id": "r", "delta": "{"},
    {**IDS, "type": "response.mcp_call_arguments.done", "response_id": "r", "arguments": "{}"},
    {
        **IDS,
        "type": "conversation.item.input_audio_transcription.segment",
        "id": "seg_1",
        "text": "Hi.",
        "speaker": "A",
        "start": 0.5,
        "end": 1.0,
    },
    {"type": "input_audio_buffer.dtmf_event_received", "event": "5", "received_at": 1_760_000_000},
]


def published() -> set[str]:
    union = get_args(RealtimeServerEvent)[0]
    return {
        get_args(one.model_fields["type"].annotation)[0]
        for one in get_args(union)
        if hasattr(one, "model_fields")
    }


def test_all_published_events_are_typed() -> None:
    known = published()
    assert len(known) > 30
    assert known - TURNED <= set(ev.SERVER_EVENTS)


@pytest.mark.parametrize("raw", RARE, ids=lambda raw: raw["type"])
def test_a_rare_event_is_read_and_written_as_it_is(raw: dict[str, Any]) -> None:
    event = ev.parse_server(raw)
    assert not isinstance(event, ev.UnknownEvent)
    assert event.type == raw["type"]
    assert {key: getattr(event, key) for key in raw} == raw
    assert ev.dump(event) == raw
    conversation = Conversation()
    conversation.apply(event, 1.0)
    assert not conversation.malformed


@pytest.mark.parametrize("raw", RARE, ids=lambda raw: raw["type"])
def test_what_it_lacks_is_told(raw: dict[str, Any]) -> None:
    event = ev.parse_server({"type": raw["type"], "item_id": 7, "event": 7})
    assert isinstance(event, ev.UnknownEvent)
    assert event.problem
