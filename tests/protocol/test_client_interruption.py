"""The client core by hand: what stops an answer, and what the server is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol.client_actions import (
    FlushPlayback,
    PlayAudio,
)
from realtime_nb.protocol.conversation import PlaybackReport
from tests.protocol.client_side import SERVER_VAD, Client


@pytest.fixture
def client() -> Client:
    client = Client(answers=["book", "look_up"])
    client.configured()
    return client


def truncate(item_id: str, audio_end_ms: int) -> dict[str, Any]:
    return {
        "type": "conversation.item.truncate",
        "item_id": item_id,
        "content_index": 0,
        "audio_end_ms": audio_end_ms,
    }


def delete(item_id: str) -> dict[str, Any]:
    return {"type": "conversation.item.delete", "item_id": item_id}


def flushed(client: Client, *items: tuple[str, float]) -> list[dict[str, Any]]:
    """The device stopped, and what the client sends then."""
    assert FlushPlayback() in client.does()
    for item_id, played_ms in items:
        client.receive_playback(PlaybackReport(item_id, played_ms, "flushed", 1.0))
        client.receive_flushed(item_id, played_ms)
    return client.sends()


def test_a_barge_in_stops_playback_and_says_what_was_heard(client: Client) -> None:
    client.speaks(ms=1_000)
    client.user_starts()
    assert flushed(client, ("agent", 412.9)) == [truncate("agent", 412)]


def test_never_more_is_said_to_be_heard_than_was_received(client: Client) -> None:
    client.speaks(ms=1_000)
    client.user_starts()
    assert flushed(client, ("agent", 1_030.0)) == [truncate("agent", 1_000)]


def test_an_answer_that_is_complete_but_still_playing_is_truncated(client: Client) -> None:
    client.spoken_whole()
    client.user_starts()
    assert flushed(client, ("agent", 300.0)) == [truncate("agent", 300)]


def test_what_was_heard_to_its_end_is_left_alone(client: Client) -> None:
    client.spoken_whole()
    client.user_starts()
    assert flushed(client, ("agent", 999.5)) == []


def test_an_item_is_truncated_once(client: Client) -> None:
    client.spoken_whole()
    client.user_starts()
    assert flushed(client, ("agent", 300.0)) == [truncate("agent", 300)]
    client.hears("conversation.item.truncated", item_id="agent", audio_end_ms=300)
    client.user_starts()
    assert flushed(client, ("agent", 300.0)) == []


def test_an_item_of_which_nothing_was_heard_is_deleted_when_its_response_is_done(
    client: Client,
) -> None:
    client.speaks()
    client.user_starts()
    assert flushed(client, ("agent", 0.0)) == []
    client.response_ends("resp", "cancelled")
    assert client.sends() == [delete("agent")]


def test_an_unheard_item_of_a_finished_response_is_deleted_at_once(client: Client) -> None:
    client.spoken_whole()
    client.user_starts()
    assert flushed(client, ("agent", 0.4)) == [delete("agent")]


def test_all_items_of_an_interrupted_response_are_looked_after(client: Client) -> None:
    client.speaks("resp", "first")
    client.item_ends("resp", "first")
    for name in ("second", "third"):
        client.item_begins("resp", name)
        client.audio("resp", name, 500)
        client.item_ends("resp", name)
    client.user_starts()
    sent = flushed(client, ("first", 200.0), ("second", 0.0), ("third", 0.0))
    assert sent == [truncate("first", 200)]
    client.response_ends("resp", "cancelled")
    assert client.sends() == [delete("second"), delete("third")]


def test_an_item_whose_audio_came_too_late_to_be_heard_is_deleted(client: Client) -> None:
    client.response_begins("resp")
    client.item_begins("resp", "agent")
    client.interrupt()
    client.audio("resp", "agent", 500)
    assert client.does() == [FlushPlayback()]
    client.item_ends("resp", "agent", "incomplete")
    client.response_ends("resp", "cancelled")
    assert client.sends() == [
        {"type": "response.cancel", "response_id": "resp"},
        delete("agent"),
    ]


def test_a_text_answer_that_is_interrupted_stays(client: Client) -> None:
    client.response_begins("resp")
    client.item_begins("resp", "agent")
    ids = {"response_id": "resp", "item_id": "agent"}
    client.hears("response.output_text.delta", delta="Read", **ids)
    client.interrupt()
    content = [{"type": "output_text", "text": "Read"}]
    client.item_ends("resp", "agent", "incomplete", content=content)
    client.response_ends("resp", "cancelled")
    assert client.sends_types() == ["response.cancel"]


def test_without_interrupt_response_speech_stops_nothing() -> None:
    client = Client()
    client.configured({**SERVER_VAD, "interrupt_response": False})
    client.speaks()
    client.user_starts()
    client.audio("resp", "agent", 100)
    assert [type(action) for action in client.does()] == [PlayAudio, PlayAudio]


@pytest.mark.parametrize("value", [None, "absent"])
def test_a_server_that_does_not_say_whether_it_interrupts_does(value: str | None) -> None:
    client = Client()
    detection = {"type": "server_vad"} if value == "absent" else {"interrupt_response": None}
    client.configured(detection)
    client.speaks()
    client.user_starts()
    assert FlushPlayback() in client.does()


def test_audio_apart_from_the_conversation_is_stopped_but_not_truncated(client: Client) -> None:
    client.response_begins("resp", conversation=None)
    client.item_begins("resp", "agent")
    client.audio("resp", "agent", 500)
    client.user_starts()
    client.audio("resp", "agent", 500)
    assert [type(action) for action in client.does()] == [PlayAudio, FlushPlayback]
    client.receive_flushed("agent", 100.0)
    client.response_ends("resp")
    assert client.sends() == []


def test_interrupting_by_hand_cancels_flushes_and_truncates(client: Client) -> None:
    client.speaks()
    client.interrupt()
    assert flushed(client, ("agent", 100.0)) == [
        {"type": "response.cancel", "response_id": "resp"},
        truncate("agent", 100),
    ]


def test_interrupting_a_finished_answer_only_stops_its_playback(client: Client) -> None:
    client.spoken_whole()
    client.interrupt()
    assert flushed(client, ("agent", 100.0)) == [truncate("agent", 100)]


def test_interrupting_before_the_response_began_silences_it(client: Client) -> None:
    client.create_response()
    client.interrupt()
    assert client.sends_types() == ["response.create", "response.cancel"]
    client.speaks()
    assert client.does() == [FlushPlayback()]
    client.response_ends("resp", "cancelled")
    assert client.sends() == [delete("agent")]
    client.speaks("resp_2", "agent_2")
    assert [type(action) for action in client.does()] == [PlayAudio]


def test_a_refused_request_does_not_silence_the_next_response(client: Client) -> None:
    client.create_response()
    client.interrupt()
    create, _ = client.events_to_send()
    client.refuses("server_error", create["event_id"])
    client.does()
    client.speaks()
    assert [type(action) for action in client.does()] == [PlayAudio]


def test_interrupting_when_nothing_happens_sends_nothing(client: Client) -> None:
    client.interrupt()
    assert client.sends() == []


def test_positions_of_g711_count_its_bytes() -> None:
    client = Client()
    client.configured(type="audio/pcmu")
    client.speaks(ms=1_000)  # 48,000 bytes: 6 s of G.711
    client.user_starts()
    assert flushed(client, ("agent", 9_000.0)) == [truncate("agent", 6_000)]
