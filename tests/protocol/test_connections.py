"""A connection that is lost and regained, as the conversation knows it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.connections import LOST_REASON, ConnectionKind, ConnectionReport
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.serving import LOCAL_SESSION
from realtime_nb.testing import appends, silence


def item(item_id: str, text: str, role: str = "user") -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    content = [{"type": kind, "text": text}]
    return {"id": item_id, "type": "message", "role": role, "content": content}


def said(*texts: str) -> Conversation:
    conversation = Conversation()
    conversation.apply(ev.SessionCreated(session={"type": "realtime"}), 0.0)
    for n, text in enumerate(texts):
        conversation.apply(ev.ItemAdded(item=item(f"item_{n}", text)), 1.0)
    return conversation


def lose(conversation: Conversation, **fields: Any) -> None:
    conversation.apply_connection(ConnectionReport("lost", 2.0, 1006, **fields))
    conversation.apply(ev.SessionCreated(session={"type": "realtime"}), 3.0)
    conversation.apply_connection(ConnectionReport("resumed", 3.1))


def tell(conversation: Conversation, told: dict[str, Any], answered: dict[str, Any]) -> None:
    conversation.apply(ev.ItemCreate(item=told), 3.1)
    conversation.apply(ev.ItemAdded(item=answered), 3.2)


def test_items_that_are_told_again_stay_what_they_were() -> None:
    conversation = said("Hello.", "Are you there?")
    lose(conversation)
    for n, text in enumerate(("Hello.", "Are you there?")):
        tell(conversation, item(f"item_{n}", text), item(f"item_{n}", text))
    conversation.apply_connection(ConnectionReport("reconnected", 3.3))
    (gap,) = conversation.reconnections
    assert gap.restored == ["item_0", "item_1"] == conversation.order
    assert gap.not_restored == {}
    assert (gap.lost_s, gap.resumed_s, gap.reconnected_s) == (2.0, 3.1, 3.3)
    assert gap.gap_s == pytest.approx(1.1)
    assert conversation.items["item_0"].added_s == 1.0


def test_a_server_with_ids_of_its_own_is_understood_by_its_order() -> None:
    conversation = said("Hello.", "Hello.")
    lose(conversation)
    conversation.apply(ev.ItemCreate(item=item("item_0", "Hello.")), 3.1)
    conversation.apply(ev.ItemCreate(item=item("item_1", "Hello.")), 3.1)
    conversation.apply(ev.ItemAdded(item=item("theirs_a", "Hello.")), 3.2)
    conversation.apply(ev.ItemAdded(item=item("theirs_b", "Hello.")), 3.2)
    assert conversation.order == ["item_0", "item_1"]
    new = ev.ItemAdded(item=item("new", "Well?"), previous_item_id="theirs_b")
    conversation.apply(new, 4.0)
    assert conversation.order == ["item_0", "item_1", "new"]
    conversation.apply(ev.ItemDeleted(item_id="theirs_a"), 5.0)
    assert conversation.order == ["item_1", "new"]
    raw = {"type": "conversation.item.retrieve", "item_id": "item_1"}
    assert conversation.connections.in_their_ids(raw)["item_id"] == "theirs_b"


def test_what_a_new_server_does_not_know_keeps_its_place() -> None:
    conversation = said("Hello.")
    audio = {
        "id": "spoken",
        "type": "message",
        "role": "user",
        "content": [{"type": "input_audio"}],
    }
    conversation.apply(ev.ItemAdded(item=audio, previous_item_id="item_0"), 1.5)
    lose(conversation)
    tell(conversation, item("item_0", "Hello."), item("item_0", "Hello."))
    new = ev.ItemAdded(item=item("new", "Well?"), previous_item_id="item_0")
    conversation.apply(new, 4.0)
    conversation.apply_connection(ConnectionReport("reconnected", 4.1))
    assert conversation.order == ["item_0", "spoken", "new"]
    (gap,) = conversation.reconnections
    assert gap.not_restored == {"spoken": "audio without a transcript"}
    assert gap.reasons == {"audio without a transcript": 1}


def test_what_was_cut_off_before_anybody_heard_of_it_is_gone() -> None:
    conversation = said("Hello.")
    conversation.apply(ev.ResponseCreated(response={"id": "resp", "status": "in_progress"}), 1.2)
    started = {"id": "answer", "type": "message", "role": "assistant", "status": "in_progress"}
    call = {
        "id": "call",
        "type": "function_call",
        "call_id": "c",
        "name": "f",
        "status": "in_progress",
    }
    for one in (started, call):
        added = ev.OutputItemAdded(response_id="resp", item={**one, "content": []})
        conversation.apply(added, 1.3)
        conversation.apply(ev.ItemAdded(item={**one, "content": []}), 1.3)
    lose(conversation)
    assert conversation.order == ["item_0"]
    assert set(conversation.deleted) == {"answer", "call"}
    response = conversation.responses["resp"]
    assert (response.status, response.reason) == ("incomplete", LOST_REASON)
    assert conversation.running == []
    assert conversation.calls["c"].status == "incomplete"
    assert conversation.reconnections[0].cut_response_ids == ["resp"]


def test_audio_that_no_server_had_is_counted_to_the_millisecond() -> None:
    conversation = said()
    for event in appends(silence(200)):
        conversation.apply(ev.parse_client(event), 1.0)
    conversation.apply_connection(ConnectionReport("lost", 2.0, unsent_ms=40.0))
    for event in appends(silence(500)):
        conversation.apply(ev.parse_client(event), 2.5)
    conversation.apply(ev.SessionCreated(session={"type": "realtime"}), 3.0)
    for event in appends(silence(60)):
        conversation.apply(ev.parse_client(event), 3.0)
    conversation.apply_connection(ConnectionReport("resumed", 3.1))
    (gap,) = conversation.reconnections
    assert gap.lost_from_ms == 160
    assert gap.audio_lost_ms == 40 + 500 + 60
    assert conversation.audio.connection_ms == 760  # the new server counts from here


def test_speech_ends_with_the_connection() -> None:
    conversation = said()
    for event in appends(silence(300)):
        conversation.apply(ev.parse_client(event), 1.0)
    conversation.apply(ev.SpeechStarted(item_id="user", audio_start_ms=100), 1.0)
    lose(conversation)
    assert conversation.turn == "silent"
    assert conversation.reconnections[0].user_cut_off
    assert conversation.speech[0].audio_end_ms == 300
    assert conversation.speech[0].stopped_s == 2.0


def test_a_report_of_a_gap_that_nobody_told_of_changes_nothing() -> None:
    conversation = said("Hello.")
    kinds: tuple[ConnectionKind, ...] = ("retrying", "resumed", "reconnected", "given_up")
    for kind in kinds:
        conversation.apply_connection(ConnectionReport(kind, 1.0))
    assert conversation == said("Hello.")


def test_reports_are_events_by_name() -> None:
    assert ConnectionReport("given_up", 1.0).type == "connection.given_up"


@pytest.mark.parametrize("ended", [True, False])
def test_what_the_first_loss_cut_short_is_no_turn_at_the_second(ended: bool) -> None:
    conversation = said()
    for event in appends(silence(1_000)):
        conversation.apply(ev.parse_client(event), 1.0)
    conversation.apply(ev.SpeechStarted(item_id="spoken", audio_start_ms=100), 1.1)
    if ended:
        conversation.apply(ev.SpeechStopped(item_id="spoken", audio_end_ms=900), 1.9)
    lose(conversation)
    assert conversation.order == (["spoken"] if ended else [])
    lose(conversation)
    assert conversation.order == (["spoken"] if ended else [])
    assert [gap.user_cut_off for gap in conversation.reconnections] == [not ended, False]


@pytest.mark.parametrize(("mine", "order"), [(True, [1, 0]), (False, [0, 1])])
def test_null_is_the_first_place_where_a_server_is_known_to_tell_places(
    mine: bool, order: list[int]
) -> None:
    """A greeting that was asked for before somebody typed; others say null of any item."""
    session = {"type": "realtime", "id": f"{LOCAL_SESSION}_1" if mine else "sess_1"}
    conversation = said("Before the connection was lost.")
    conversation.apply_connection(ConnectionReport("lost", 2.0, 1006))
    conversation.apply(ev.SessionCreated(session=session), 3.0)
    conversation.apply_connection(ConnectionReport("resumed", 3.1))
    for name in ("typed", "greeting"):
        conversation.apply(ev.ItemAdded(item=item(name, name), previous_item_id=None), 4.0)
    expected = [("typed", "greeting")[index] for index in order]
    assert conversation.order == ["item_0", *expected]
