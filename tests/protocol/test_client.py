"""The client core by hand: talking, updates, turns, lenient reading."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.client_actions import (
    PlayAudio,
    UpdateAccepted,
    UpdateRefused,
)
from tests.protocol.client_side import SERVER_VAD, Client


@pytest.fixture
def client() -> Client:
    client = Client(answers=["book", "look_up"])
    client.configured()
    return client


# --- talking ---


def test_say_is_an_item_and_a_request(client: Client) -> None:
    item_id = client.say("Hello")
    message = {"type": "message", "role": "user", "id": item_id}
    content = [{"type": "input_text", "text": "Hello"}]
    assert client.sends() == [
        {"type": "conversation.item.create", "item": {**message, "content": content}},
        {"type": "response.create"},
    ]


def test_an_item_keeps_the_id_that_it_has(client: Client) -> None:
    assert client.create_item({"type": "message", "id": "mine"}) == "mine"


def test_an_event_keeps_the_id_that_it_has_and_its_sender_his_dict(client: Client) -> None:
    event = {"type": "input_audio_buffer.clear"}
    assert client.send({**event, "event_id": "mine"}) == "mine"
    event_id = client.send(event)
    assert event == {"type": "input_audio_buffer.clear"}
    assert [sent["event_id"] for sent in client.events_to_send()] == ["mine", event_id]


def test_what_is_handed_out_is_handed_out_once(client: Client) -> None:
    client.say("Hello")
    client.speaks()
    assert client.sends()
    assert client.does()
    assert client.sends() == []
    assert client.does() == []


@pytest.mark.feature("beta", "client")
def test_a_beta_server_is_spoken_to_in_beta() -> None:
    client = Client(dialect="beta")
    client.update({"type": "realtime", "audio": {"output": {"voice": "ash"}}})
    [event] = client.events_to_send()
    [wire] = client.on_wire(event)
    assert wire["session"] == {"voice": "ash"}
    client.hears("session.updated", session={"voice": "ash", "turn_detection": None})
    assert client.conversation.session["audio"]["output"] == {"voice": "ash"}
    assert client.does() == [UpdateAccepted(event["event_id"])]


def test_malformed_events_are_sent_all_the_same(client: Client) -> None:
    client.send({"type": "input_audio_buffer.append", "audio": 17})
    assert client.sends_types() == ["input_audio_buffer.append"]
    assert client.conversation.unknown_events == 1


# --- updates ---


def test_an_update_is_accepted_by_the_next_session_updated(client: Client) -> None:
    first, second = client.update({}), client.update({})
    client.hears("session.updated", session={})
    assert client.does() == [UpdateAccepted(first)]
    client.hears("session.updated", session={})
    assert client.does() == [UpdateAccepted(second)]
    client.hears("session.updated", session={})
    assert client.does() == []


def refusals(client: Client) -> list[str]:
    return [action.event_id for action in client.does() if isinstance(action, UpdateRefused)]


def test_a_named_refusal_is_of_that_update(client: Client) -> None:
    first, second = client.update({}), client.update({})
    client.refuses("invalid_value", second)
    assert refusals(client) == [second]
    client.hears("session.updated", session={})
    assert client.does() == [UpdateAccepted(first)]


@pytest.mark.parametrize("param", ["session.audio.input", None])
def test_an_anonymous_refusal_is_of_the_oldest_update(client: Client, param: str | None) -> None:
    first, second = client.update({}), client.update({})
    client.refuses("unknown_parameter", None, param=param)
    assert refusals(client) == [first]
    client.hears("session.updated", session={})
    assert client.does() == [UpdateAccepted(second)]


def test_errors_about_other_things_refuse_no_update(client: Client) -> None:
    client.update({})
    client.refuses("invalid_value", None, param="item.content")
    client.refuses("invalid_value", "another")
    client.refuses("response_cancel_not_active", "another", param=None)
    assert client.does() == []


def test_an_anonymous_error_is_of_the_response_before_it_is_of_the_update(client: Client) -> None:
    client.create_response()
    client.update({})
    client.refuses("server_error", None)
    assert client.does() == []
    assert not client.busy


# --- the user's turns ---


def turn_state(client: Client) -> tuple[bool, bool]:
    """Whether the user speaks, and whether a turn is owed a response."""
    return client.user_speaking, client.conversation.turn_ended_s is not None


def test_a_turn_that_the_server_answers_is_owed_a_response(client: Client) -> None:
    assert turn_state(client) == (False, False)
    client.user_starts()
    assert turn_state(client) == (True, False)
    client.user_stops()
    assert turn_state(client) == (False, True)
    client.response_begins("resp")
    assert turn_state(client) == (False, False)


@pytest.mark.parametrize(
    "detection", [{**SERVER_VAD, "create_response": False}, None], ids=["asks for it", "off"]
)
def test_a_turn_that_the_client_answers_is_owed_nothing(detection: Any) -> None:
    client = Client()
    client.configured(detection)
    client.user_starts()
    client.user_stops()
    assert client.conversation.turn_ended_s is None


def test_a_transcription_session_owes_no_response() -> None:
    client = Client()
    audio = {"input": {"turn_detection": SERVER_VAD}}
    client.hears("session.created", session={"type": "transcription", "audio": audio})
    client.user_starts()
    client.user_stops()
    assert client.conversation.turn_ended_s is None


@pytest.mark.feature("idle timeout", "client")
def test_an_idle_timeout_is_owed_a_response(client: Client) -> None:
    client.hears("input_audio_buffer.timeout_triggered", audio_start_ms=0, audio_end_ms=6_000)
    assert client.conversation.turn_ended_s is not None


@pytest.mark.parametrize(("cause", "owed"), [(None, False), ("event_of_ours", True)])
def test_an_error_that_nothing_of_ours_caused_stands_for_the_response(
    client: Client, cause: str | None, owed: bool
) -> None:
    client.user_starts()
    client.user_stops()
    client.hears("error", error={"type": "server_error", "message": "No.", "event_id": cause})
    assert turn_state(client) == (False, owed)


@pytest.mark.parametrize("end", ["committed", "cleared"])
def test_a_turn_ended_by_hand_is_over_without_speech_stopped(client: Client, end: str) -> None:
    client.user_starts()
    client.hears(f"input_audio_buffer.{end}", item_id="u")
    assert not client.user_speaking


def test_turning_detection_off_ends_the_turn(client: Client) -> None:
    client.user_starts()
    session = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    client.hears("session.updated", session=session)
    assert not client.user_speaking


# --- lenient reading ---


def test_events_that_nobody_knows_pass_through(client: Client) -> None:
    [event] = client.hears("conversation.item.speaker", speaker="A")
    assert isinstance(event, ev.UnknownEvent)
    assert event.raw == {"type": "conversation.item.speaker", "speaker": "A"}


@pytest.mark.parametrize(
    "raw",
    [
        {"type": None},
        {"type": 5},
        {},
        {"type": "response.output_audio.delta", "delta": 17},
        {"type": "response.done", "response": "no object"},
        {"type": "response.done", "response": {"id": None, "output": "none"}},
        {"type": "error", "error": {}},
        {"type": "session.updated", "session": {"audio": []}},
        {"type": "response.output_item.done", "item": {}},
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 5},
    ],
)
def test_malformed_events_do_no_harm(client: Client, raw: dict[str, Any]) -> None:
    client.receive(raw, 1.0)
    client.speaks("resp", "agent")
    assert [type(action) for action in client.does()] == [PlayAudio]
    client.response_ends("resp")


@pytest.mark.parametrize("details", ["cancelled_by_user", {"reason": "cancelled_by_user"}])
def test_status_details_may_be_a_string(client: Client, details: Any) -> None:
    client.response_begins("resp")
    client.response_ends("resp", "cancelled", status_details=details)
    assert client.conversation.responses["resp"].reason == "cancelled_by_user"


def test_items_may_be_announced_as_created(client: Client) -> None:
    item = {"id": "u", "type": "message", "role": "user", "status": "completed", "content": []}
    names = [event.type for event in client.hears("conversation.item.created", item=item)]
    assert names == ["conversation.item.added", "conversation.item.done"]
    assert client.conversation.order == ["u"]


@pytest.mark.parametrize("code", [404, None])
def test_codes_may_be_numbers_or_missing(client: Client, code: int | None) -> None:
    client.refuses(code, None)
    assert client.conversation.errors[-1].code == (None if code is None else "404")


def test_beta_names_are_understood_from_any_server(client: Client) -> None:
    client.response_begins("resp")
    delta = {"response_id": "resp", "item_id": "a", "delta": "AAAA"}
    names = client.hears("response.audio.delta", b"\0\0\0", **delta)
    assert [event.type for event in names] == ["response.output_audio.delta"]
    assert client.does() == [PlayAudio("a", b"\0\0\0")]
