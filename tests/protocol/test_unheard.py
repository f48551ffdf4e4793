"""What the server is told of an answer that was cut short; see also ``test_client.py``."""

from __future__ import annotations

from typing import Any

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation, PlaybackReport
from realtime_nb.protocol.unheard import Unheard

TEXT = "one two three four"


def answered() -> tuple[Conversation, Unheard, list[dict[str, Any]]]:
    conversation = Conversation()
    question = {"id": "q", "type": "message", "role": "user", "content": []}
    answer = {
        "id": "a",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_audio", "transcript": TEXT}],
    }
    conversation.apply(ev.ItemAdded(item=question), 0.0)
    conversation.apply(ev.ItemAdded(item=answer, previous_item_id="q"), 0.0)
    conversation.measure("a", 2_000.0)
    sent: list[dict[str, Any]] = []
    return conversation, Unheard(conversation, sent.append), sent


def flush(conversation: Conversation, unheard: Unheard, played_ms: float) -> None:
    conversation.apply_playback(PlaybackReport("a", played_ms, "flushed", 1.0))
    unheard.flushed("a", played_ms)


def test_it_is_told_where_the_user_stopped_listening() -> None:
    conversation, unheard, sent = answered()
    flush(conversation, unheard, 1_000.7)
    assert [(one["type"], one["audio_end_ms"]) for one in sent] == [
        ("conversation.item.truncate", 1_000)
    ]


def test_what_nobody_heard_is_deleted() -> None:
    conversation, unheard, sent = answered()
    flush(conversation, unheard, 0.2)
    assert [one["type"] for one in sent] == ["conversation.item.delete"]


def test_what_was_heard_to_its_end_is_left_alone() -> None:
    conversation, unheard, sent = answered()
    flush(conversation, unheard, 1_999.5)
    assert sent == []


def restored() -> tuple[Conversation, Unheard, list[dict[str, Any]]]:
    conversation, unheard, sent = answered()
    conversation.apply_connection(ConnectionReport("lost", 0.5))
    for item_id, role in (("q", "user"), ("a", "assistant")):
        told = {"id": item_id, "type": "message", "role": role, "content": []}
        conversation.apply(ev.ItemCreate(item=told), 0.6)
        conversation.apply(ev.ItemAdded(item=told), 0.6)
    return conversation, unheard, sent


def test_what_is_a_text_to_the_server_is_told_anew_and_never_truncated() -> None:
    conversation, unheard, sent = restored()
    flush(conversation, unheard, 1_000.0)
    assert [one["type"] for one in sent] == ["conversation.item.delete", "conversation.item.create"]
    assert sent[1]["previous_item_id"] == "q"
    assert sent[1]["item"]["content"] == [{"type": "output_text", "text": "one two"}]
    conversation.apply(ev.ItemCreate(item=sent[1]["item"]), 1.0)
    conversation.apply(ev.ItemDeleted(item_id="a"), 1.1)
    conversation.apply(ev.ItemAdded(item=sent[1]["item"], previous_item_id="q"), 1.1)
    assert conversation.order == ["q", "a"]
    assert conversation.items["a"].heard_text == "one two"
    assert conversation.items["a"].text == TEXT


def test_of_such_a_text_nothing_heard_leaves_nothing() -> None:
    conversation, unheard, sent = restored()
    flush(conversation, unheard, 0.0)
    assert [one["type"] for one in sent] == ["conversation.item.delete"]


def test_and_all_of_it_heard_leaves_it_alone() -> None:
    conversation, unheard, sent = restored()
    flush(conversation, unheard, 1_990.0)
    assert sent == []
