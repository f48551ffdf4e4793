from __future__ import annotations

from typing import Any

from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import parse_server


def told(conversation: Conversation, t_s: float, kind: str, **session: Any) -> None:
    facts = {"type": "realtime", "id": "sess", **session}
    conversation.apply(
        parse_server({"type": f"session.{kind}", "event_id": "e", "session": facts}), t_s
    )


def detection(**fields: Any) -> dict[str, Any]:
    return {"input": {"turn_detection": {"type": "server_vad", **fields}}}


def changes(conversation: Conversation) -> list[tuple[float | None, str]]:
    return [(change.t_s, change.words) for change in conversation.settings.all]


def test_what_was_changed_while_the_session_went_on_and_when() -> None:
    conversation = Conversation()
    told(conversation, 0.1, "created", audio=detection(silence_duration_ms=200))
    told(conversation, 0.2, "updated", audio=detection(silence_duration_ms=500))
    assert changes(conversation) == []  # it begins so
    told(conversation, 7.5, "updated", audio=detection(silence_duration_ms=750))
    told(conversation, 8.0, "updated", audio=detection(silence_duration_ms=750))
    told(conversation, 9.0, "updated", audio={"input": {"turn_detection": None}})
    told(
        conversation, 9.5, "updated", audio={"input": {"turn_detection": {"type": "semantic_vad"}}}
    )
    assert changes(conversation) == [
        (7.5, "silence_duration_ms 500 → 750"),
        (9.0, "turn_detection server_vad → off"),
        (9.5, "turn_detection off → semantic_vad"),
    ]


def test_long_values_are_not_told_and_what_a_server_leaves_out_did_not_change() -> None:
    conversation = Conversation()
    told(conversation, 0.0, "created")
    told(conversation, 0.1, "updated", instructions="Be brief.", audio={"output": {"voice": "ash"}})
    told(
        conversation,
        2.0,
        "updated",
        instructions="x" * 500,
        audio={"output": {"voice": {"id": "v"}}},
    )
    told(conversation, 3.0, "updated")
    told(conversation, 4.0, "updated", instructions="Be brief.")
    assert changes(conversation) == [
        (2.0, "instructions changed"),
        (2.0, "voice changed"),
        (4.0, "instructions changed"),
    ]


def test_another_session_begins_with_settings_of_its_own() -> None:
    conversation = Conversation()
    for t_s, voice in ((0.0, "ash"), (10.0, "sage")):
        told(conversation, t_s, "created", audio={"output": {"voice": voice}})
        told(conversation, t_s + 0.1, "updated", audio={"output": {"voice": voice}})
    assert changes(conversation) == []


def test_odd_sessions_are_taken() -> None:
    conversation = Conversation()
    odd: list[Any] = [{}, None, [], "x", {"input": 3}, {"input": {"turn_detection": 5}}]
    for audio in odd:
        told(conversation, 1.0, "updated", audio=audio)
    assert all(change.name == "turn_detection" for change in conversation.settings.all)
