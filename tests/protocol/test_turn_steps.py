from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.turn_steps import TURN_STEPS, TurnState, TurnStep

VAD = {"type": "server_vad"}
BUFFER = "input_audio_buffer"
TURN_EVENTS: dict[TurnStep, list[dict[str, Any]]] = {
    "started": [{"type": f"{BUFFER}.speech_started", "audio_start_ms": 0, "item_id": "u"}],
    "ended": [
        {"type": f"{BUFFER}.speech_stopped", "audio_end_ms": 9, "item_id": "u"},
        {"type": f"{BUFFER}.timeout_triggered", "audio_start_ms": 0, "audio_end_ms": 9},
    ],
    "left": [{"type": f"{BUFFER}.speech_stopped", "audio_end_ms": 9, "item_id": "u"}],
    "taken": [
        {"type": f"{BUFFER}.committed", "item_id": "u"},
        {"type": f"{BUFFER}.cleared"},
        {"type": "session.updated", "session": {"audio": {"input": {"turn_detection": None}}}},
    ],
    "settled": [
        {"type": "response.created", "response": {"id": "r", "conversation_id": "c"}},
        {"type": "error", "error": {"message": "No."}},
    ],
}
BEFORE: dict[TurnState, list[TurnStep]] = {
    "silent": [],
    "speaking": ["started"],
    "due": ["started", "ended"],
}


@pytest.mark.parametrize(
    ("state", "step", "event"),
    [
        (state, step, event)
        for state in BEFORE
        for step, events in TURN_EVENTS.items()
        for event in events
    ],
)
def test_a_turn_goes_as_the_table_says(
    state: TurnState, step: TurnStep, event: dict[str, Any]
) -> None:
    conversation = begun()
    for one in BEFORE[state]:
        conversation.apply(ev.parse_server(TURN_EVENTS[one][0]), 1.0)
    assert conversation.turn == state
    if step == "left":
        conversation.apply(ev.parse_server(session_created(create_response=False)), 1.5)
    conversation.apply(ev.parse_server(event), 2.0)
    assert conversation.turn == TURN_STEPS.get((state, step), state)
    assert (conversation.turn == "due") == (conversation.turn_ended_s is not None)


def session_created(create_response: bool) -> dict[str, Any]:
    detection = {**VAD, "create_response": create_response}
    session = {"audio": {"input": {"turn_detection": detection}}}
    return {"type": "session.created", "session": session}


def test_what_is_no_turn_of_the_conversation_settles_none() -> None:
    conversation = begun(*TURN_EVENTS["ended"])
    apart = {"type": "response.created", "response": {"id": "r", "conversation_id": None}}
    ours = {"type": "error", "error": {"message": "No.", "event_id": "mine"}}
    for raw in (apart, ours):
        conversation.apply(ev.parse_server(raw), 2.0)
        assert conversation.turn == "due"


def begun(*raws: dict[str, Any]) -> Conversation:
    conversation = Conversation()
    for t_s, raw in enumerate((session_created(create_response=True), *raws)):
        conversation.apply(ev.parse_server(raw), float(t_s))
    return conversation
