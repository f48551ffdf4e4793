"""Who may ask for a response, and when."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.client_side import SERVER_VAD, Client

LOST = "conversation_already_has_active_response"
LOST_WORDS = "Conversation already has an active response in progress: resp_1."
CREATE = {"type": "response.create"}


@pytest.fixture
def client() -> Client:
    client = Client()
    client.configured()
    return client


def asked(client: Client, name: str) -> dict[str, Any]:
    client.create_response({"instructions": name})
    return {"type": "response.create", "response": {"instructions": name}}


def test_the_first_request_goes_out_at_once(client: Client) -> None:
    first = asked(client, "first")
    assert client.sends() == [first]
    assert client.busy


def test_requests_wait_for_each_other_and_go_out_in_order(client: Client) -> None:
    first, second, third = (asked(client, name) for name in ("first", "second", "third"))
    assert client.sends() == [first]
    client.response_begins("resp_1")
    assert client.sends() == []
    client.response_ends("resp_1")
    assert client.sends() == [second]
    client.response_begins("resp_2")
    client.response_ends("resp_2", "cancelled")
    assert client.sends() == [third]
    client.response_begins("resp_3")
    client.response_ends("resp_3", "failed")
    assert client.sends() == []
    assert not client.busy


def test_a_response_that_the_server_began_is_waited_for_too(client: Client) -> None:
    client.response_begins("resp_1")
    request = asked(client, "mine")
    assert client.sends() == []
    client.response_ends("resp_1")
    assert client.sends() == [request]


@pytest.mark.parametrize("before_the_refusal", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_a_lost_race_is_run_again(client: Client, before_the_refusal: bool, named: bool) -> None:
    request = asked(client, "mine")
    [sent] = client.events_to_send()
    client.user_starts()
    client.user_stops()
    if before_the_refusal:
        client.response_begins("resp_1")  # the server's answer to the turn
    client.refuses(LOST, sent["event_id"] if named else None, LOST_WORDS)
    if not before_the_refusal:
        client.response_begins("resp_1")
    assert client.sends() == []
    client.response_ends("resp_1")
    [again] = client.events_to_send()
    assert {key: again[key] for key in ("type", "response")} == request
    assert again["event_id"] != sent["event_id"]
    client.response_begins("resp_2")
    client.response_ends("resp_2")
    assert client.sends() == []
    assert not client.busy


def test_a_lost_race_is_recognised_by_its_words(client: Client) -> None:
    asked(client, "mine")
    [sent] = client.events_to_send()
    client.response_begins("resp_1")
    client.refuses(None, sent["event_id"], LOST_WORDS)
    client.response_ends("resp_1")
    assert client.sends_types() == ["response.create"]


def test_a_turn_whose_answer_lost_the_race_is_answered_later(client: Client) -> None:
    asked(client, "mine")
    client.sends()
    client.response_begins("resp_1")  # ours: no turn was waiting for it
    client.user_starts()
    client.user_stops()
    client.refuses(LOST, None, LOST_WORDS)  # of the server's own attempt to answer the turn
    assert client.conversation.turn_ended_s is None
    assert client.sends() == []
    client.response_ends("resp_1")
    assert client.sends() == [CREATE]  # a plain one, not ours again


@pytest.mark.parametrize("named", [True, False])
def test_a_request_refused_for_good_makes_room_for_the_next(client: Client, named: bool) -> None:
    asked(client, "bad")
    second = asked(client, "second")
    [sent] = client.events_to_send()
    client.refuses("invalid_value", sent["event_id"] if named else None)
    assert client.sends() == [second]


def test_a_refusal_of_something_else_changes_nothing(client: Client) -> None:
    asked(client, "mine")
    client.sends()
    asked(client, "second")
    client.refuses("item_delete_invalid_item_id", "event_of_another")
    assert client.sends() == []
    assert client.busy


def test_responses_apart_do_not_wait_and_are_not_waited_for(client: Client) -> None:
    client.create_response({"conversation": "none"})
    client.create_response({"conversation": "none"})
    assert client.sends_types() == ["response.create"] * 2
    client.response_begins("resp_apart", conversation=None)
    request = asked(client, "mine")
    assert client.sends() == [request]


def test_a_request_sent_as_raw_event_counts(client: Client) -> None:
    client.send(CREATE)
    second = asked(client, "second")
    assert client.sends() == [CREATE]
    client.response_begins("resp_1")
    client.response_ends("resp_1")
    assert client.sends() == [second]


def test_dropped_requests_are_neither_sent_nor_repeated(client: Client) -> None:
    asked(client, "mine")
    asked(client, "waits")
    [sent] = client.events_to_send()
    client.interrupt()
    assert client.sends() == [{"type": "response.cancel"}]
    client.response_begins("resp_1")
    client.refuses(LOST, sent["event_id"], LOST_WORDS)
    client.response_ends("resp_1")
    assert client.sends() == []
    assert not client.busy


# --- while the user speaks ---


def typed(client: Client, text: str, arrives: bool = True) -> None:
    """A typed message; ``arrives``: the server has said that it has it."""
    item_id = client.say(text)
    assert client.sends_types()[:1] == ["conversation.item.create"]
    if arrives:
        item = {"id": item_id, "type": "message", "role": "user"}
        client.hears("conversation.item.added", item=item)


def test_nothing_is_asked_for_while_the_user_speaks_and_their_answer_stands_for_it(
    client: Client,
) -> None:
    client.user_starts()
    typed(client, "What day is it?")
    typed(client, "And the time?")
    assert client.busy
    client.response_ends("resp_0", "cancelled")  # which the user interrupted
    assert client.sends() == []
    client.user_stops()
    client.response_begins("resp_1")  # the server's, to all of it
    client.response_ends("resp_1")
    assert client.sends() == []
    assert not client.busy


@pytest.mark.parametrize(
    "detection",
    [{**SERVER_VAD, "create_response": False}, {**SERVER_VAD, "create_response": None}],
    ids=["not answered", "answered by default"],
)
def test_where_the_server_leaves_turns_unanswered_requests_go_out_after_them(
    detection: dict[str, Any],
) -> None:
    client = Client()
    client.configured(detection)
    client.user_starts()
    typed(client, "What day is it?")
    assert client.sends() == []
    client.user_stops()
    assert client.sends() == ([CREATE] if detection["create_response"] is False else [])


@pytest.mark.parametrize("how", ["committed", "cleared", "detection off"])
def test_speech_that_ends_by_hand_is_not_answered_by_itself(client: Client, how: str) -> None:
    client.user_starts()
    typed(client, "What day is it?")
    if how == "detection off":
        client.hears("session.updated", session={"audio": {"input": {"turn_detection": None}}})
    else:
        client.hears(f"input_audio_buffer.{how}", item_id="u")
    assert client.sends() == [CREATE]


def test_a_message_that_came_too_late_for_the_servers_answer_gets_its_own(client: Client) -> None:
    client.user_starts()
    typed(client, "What day is it?", arrives=False)
    client.user_stops()
    assert client.sends() == [CREATE]


def test_a_request_that_wants_something_particular_is_not_answered_by_another(
    client: Client,
) -> None:
    client.user_starts()
    request = asked(client, "Say good-bye.")
    assert client.sends() == []
    client.user_stops()
    assert client.sends() == [request]


def test_a_lost_race_is_not_run_again_while_the_user_speaks(client: Client) -> None:
    client.create_response()
    [sent] = client.events_to_send()
    client.response_begins("resp_1")
    client.user_starts()
    client.refuses(LOST, sent["event_id"], LOST_WORDS)
    client.response_ends("resp_1", "cancelled")
    assert client.sends() == []
    client.user_stops()
    client.response_begins("resp_2")
    client.response_ends("resp_2")
    assert client.sends() == []


def test_an_interruption_by_hand_drops_what_waits_for_the_user(client: Client) -> None:
    client.user_starts()
    typed(client, "What day is it?", arrives=False)
    client.interrupt()
    client.user_stops()
    assert client.sends() == []


@pytest.mark.parametrize("particular", [True, False])
def test_a_request_under_way_as_the_user_begins_to_speak_is_withdrawn(
    client: Client, particular: bool
) -> None:
    request = asked(client, "mine") if particular else CREATE
    if not particular:
        client.create_response()
    assert client.sends() == [request]
    client.user_starts()
    assert client.sends() == []  # nothing runs that a cancel could mean
    client.response_begins("resp_1")
    assert client.sends() == [{"type": "response.cancel", "response_id": "resp_1"}]
    client.does()
    client.item_begins("resp_1", "item_1")
    client.audio("resp_1", "item_1", 100)
    assert client.does() == []  # nobody hears it
    client.response_ends("resp_1", "cancelled")
    assert [event for event in client.sends() if event["type"] == "response.create"] == []
    client.user_stops()  # the server answers what they said, and with it what wanted no more
    assert client.sends() == ([request] if particular else [])


def test_a_request_that_is_withdrawn_and_refused_for_good_is_not_sent_again(client: Client) -> None:
    asked(client, "mine")
    [sent] = client.events_to_send()
    client.user_starts()
    client.refuses("invalid_value", sent["event_id"], "No.")
    client.user_stops()
    client.response_begins("resp_1")
    client.response_ends("resp_1")
    assert client.sends() == []
    assert not client.busy


def test_a_cancel_that_came_too_late_is_no_refusal_of_the_request(client: Client) -> None:
    asked(client, "mine")
    client.sends()
    client.refuses("response_cancel_not_active", None, "no active response found")
    assert client.busy
    client.response_begins("resp_1")
    client.response_ends("resp_1")
    assert not client.busy
