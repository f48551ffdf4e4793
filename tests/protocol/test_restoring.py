"""What a new server session can be told of a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation, FunctionCall, Item, PlaybackReport
from realtime_nb.protocol.restoring import (
    MAX_SUMMARY_CHARACTERS,
    history_items,
    remembered_text,
    summary_of,
    why_not_restored,
)


def message(role: str, *content: dict[str, Any], **fields: Any) -> Item:
    item = Item("item")
    item.update({"type": "message", "role": role, "status": "completed", "content": [*content]})
    for name, value in fields.items():
        setattr(item, name, value)
    return item


SPOKEN = {"type": "output_audio", "transcript": "one two three four"}


@pytest.mark.parametrize(
    ("fields", "heard"),
    [
        ({"audio_ms": 2_000.0}, "one two three four"),
        ({"audio_ms": 2_000.0, "truncated_ms": 1_000}, "one two"),
        ({"audio_ms": 2_000.0, "playback": "flushed", "played_ms": 1_000.0}, "one two"),
        ({"audio_ms": 2_000.0, "playback": "flushed", "played_ms": 0.0}, ""),
        ({"audio_ms": 2_000.0, "playback": "playing", "played_ms": 10.0}, "one two three four"),
        ({"audio_ms": 0.0}, "one two three four"),
        ({"audio_ms": 0.0, "status": "incomplete"}, ""),  # words that nobody has spoken yet
    ],
)
def test_an_answer_is_what_was_heard_of_it(fields: dict[str, Any], heard: str) -> None:
    assert remembered_text(message("assistant", SPOKEN, **fields)) == heard


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (message("user", {"type": "input_audio", "transcript": "hello"}), None),
        (message("user", {"type": "input_text", "text": "hello"}), None),
        (message("user", {"type": "input_audio"}), "audio without a transcript"),
        (message("user", {"type": "input_image", "image_url": "data:"}), "images are not kept"),
        (message("system", {"type": "input_text", "text": "be kind"}), None),
        (message("assistant", {"type": "output_text", "text": "hello"}), None),
        # What nobody heard need not be told.
        (message("assistant", SPOKEN, audio_ms=9.0, playback="flushed", played_ms=0.0), None),
        (Item("item", type="mcp_call"), "a server makes mcp_call itself"),
        (Item("item", type="function_call", call_id="c"), "the call was never whole"),
    ],
)
def test_what_can_not_be_told_has_a_reason(item: Item, why: str | None) -> None:
    assert why_not_restored(item, None) == why


def folded() -> Conversation:
    conversation = Conversation()
    items: list[dict[str, Any]] = [
        {
            "id": "u",
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Book."}],
        },
        {"id": "c", "type": "function_call", "call_id": "k", "name": "book", "arguments": "{}"},
        {"id": "o", "type": "function_call_output", "call_id": "k", "output": "done"},
        {
            "id": "a",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [SPOKEN],
        },
    ]
    for item in items:
        conversation.apply(ev.ItemAdded(item=item))
    conversation.calls["k"] = FunctionCall("k", "book", "{}", "c", "r", "completed", "done")
    conversation.measure("a", 2_000.0)
    conversation.apply_playback(PlaybackReport("a", 1_000.0, "flushed", 3.0))
    return conversation


def test_items_are_told_in_order_under_their_ids() -> None:
    told = history_items(folded())
    assert [item["id"] for item in told] == ["u", "c", "o", "a"]
    assert told[1] == {
        "id": "c",
        "type": "function_call",
        "call_id": "k",
        "name": "book",
        "arguments": "{}",
    }
    assert told[3]["content"] == [{"type": "output_text", "text": "one two"}]


def test_an_output_goes_with_its_call() -> None:
    conversation = folded()
    conversation.calls["k"].name = ""
    assert [item["id"] for item in history_items(conversation)] == ["u", "a"]


def test_a_summary_says_who_said_what() -> None:
    lines = summary_of(history_items(folded())).splitlines()
    assert lines[1:] == [
        "user: Book.",
        "(called book with {})",
        "(book returned done)",
        "assistant: one two",
    ]
    assert summary_of([]) == ""


def test_a_long_summary_keeps_what_is_newest() -> None:
    items = [
        {"type": "message", "role": "user", "content": [{"text": f"{n} " + 99 * "x"}]}
        for n in range(500)
    ]
    summary = summary_of(items)
    assert len(summary) < MAX_SUMMARY_CHARACTERS + 200
    assert "499 " in summary
    assert "user: 0 " not in summary
    assert "left out" in summary
