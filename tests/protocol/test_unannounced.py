"""Servers that announce nothing: what their deltas came to is there when the response ends."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol.client_actions import CallTool
from realtime_nb.protocol.unannounced import calls_of
from tests.protocol.client_side import Client

ARGUMENTS = '{"day": "Tuesday"}'


@pytest.fixture
def client() -> Client:
    client = Client(answers={"book"})
    client.configured()
    return client


def says(client: Client, response_id: str, item_id: str, *words: str) -> None:
    ids = {"response_id": response_id, "item_id": item_id, "content_index": 0}
    for word in words:
        client.hears("response.output_audio_transcript.delta", delta=word, **ids)
        client.audio(response_id, item_id, 100)


def calls(
    client: Client, response_id: str, call_id: str, name: str = "book", done: bool = True
) -> None:
    ids = {"response_id": response_id, "item_id": f"i_{call_id}", "call_id": call_id}
    for half in (ARGUMENTS[:7], ARGUMENTS[7:]):
        client.hears("response.function_call_arguments.delta", delta=half, **ids)
    if done:
        fields: dict[str, Any] = {"arguments": ARGUMENTS, "name": name, **ids}
        client.hears("response.function_call_arguments.done", **fields)


def run(client: Client) -> list[tuple[str, str, str]]:
    found = [action.call for action in client.does() if isinstance(action, CallTool)]
    return [(call.call_id, call.name, call.arguments) for call in found]


@pytest.mark.parametrize("created", [True, False])
def test_text_and_calls_of_deltas_alone(client: Client, created: bool) -> None:
    if created:
        client.response_begins("r")
    says(client, "r", "a", "On ", "Tuesday.")
    calls(client, "r", "c1")
    calls(client, "r", "c2")
    assert run(client) == []  # it may still be cancelled
    client.response_ends("r", conversation_id="conv")
    assert client.conversation.transcript() == [("assistant", "On Tuesday.")]
    assert run(client) == [("c1", "book", ARGUMENTS), ("c2", "book", ARGUMENTS)]
    assert client.conversation.order == ["a", "i_c1", "i_c2"]
    assert client.conversation.responses["r"].item_ids == ["a", "i_c1", "i_c2"]
    assert {call.status for call in client.conversation.calls.values()} == {"completed"}
    client.response_ends("r", conversation_id="conv")
    assert run(client) == []
    assert client.conversation.order == ["a", "i_c1", "i_c2"]


def test_a_call_that_is_announced_in_the_end_runs_once(client: Client) -> None:
    client.response_begins("r")
    calls(client, "r", "c1")
    item = {"id": "i_c1", "type": "function_call", "name": "book", "call_id": "c1"}
    item |= {"arguments": ARGUMENTS, "status": "completed"}
    client.response_ends("r", output=[item])
    client.item_ends("r", "i_c1", **{k: v for k, v in item.items() if k not in ("id", "status")})
    assert len(run(client)) == 1


def test_a_call_whose_name_nobody_told_is_answered_all_the_same(client: Client) -> None:
    client.response_begins("r")
    calls(client, "r", "c1", done=False)
    client.response_ends("r")
    assert run(client) == [("c1", "", ARGUMENTS)]  # the driver says that there is no such function


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
def test_what_was_cut_off_is_text_that_was_said_and_a_call_that_is_not_run(
    client: Client, status: str
) -> None:
    client.response_begins("r")
    says(client, "r", "a", "On ", "Tues")
    calls(client, "r", "c1", done=False)
    client.response_ends("r", status)
    assert run(client) == []
    assert client.conversation.transcript() == [("assistant", "On Tues")]
    assert client.conversation.items["a"].status == "incomplete"
    assert [call.status for call in calls_of(client.conversation, "r")] == ["incomplete"]


def test_items_that_only_the_end_of_the_response_tells_of(client: Client) -> None:
    client.response_begins("r")
    content = [{"type": "output_audio", "transcript": "Hello."}]
    item = {"id": "a", "type": "message", "role": "assistant", "content": content}
    client.response_ends("r", output=[item, {"type": "message"}, None, {"id": 5}])
    assert client.conversation.transcript() == [("assistant", "Hello.")]


def test_a_response_apart_stays_apart(client: Client) -> None:
    client.response_begins("r", conversation=None)
    says(client, "r", "a", "Billing.")
    client.response_ends("r")
    assert client.conversation.order == []
    assert client.conversation.items["a"].text == "Billing."


def test_a_deleted_message_does_not_come_back(client: Client) -> None:
    client.response_begins("r")
    client.hears("conversation.item.added", item={"id": "a", "type": "message"})
    says(client, "r", "a", "Forget ", "it.")
    client.hears("conversation.item.deleted", item_id="a")
    client.response_ends("r")
    assert client.conversation.order == []


@pytest.mark.parametrize(
    ("status", "taken_as"), [(None, "completed"), ("in_progress", "incomplete")]
)
def test_a_response_is_over_when_it_is_done_whatever_its_status(
    client: Client, status: str | None, taken_as: str
) -> None:
    client.response_begins("r")
    fields = {} if status is None else {"status": status}
    client.hears("response.done", response={"id": "r", **fields})
    assert client.conversation.active_response is None
    assert client.conversation.responses["r"].status == taken_as
    assert not client.busy


def test_audio_after_the_end_is_played_and_ended(client: Client) -> None:
    client.spoken_whole("r", "a")
    client.does()
    for _ in range(2):
        client.audio("r", "a", 100)
        assert [type(action).__name__ for action in client.does()] == ["PlayAudio", "EndAudio"]
    assert client.conversation.active_response is None
    assert not client.busy
    assert client.conversation.items["a"].audio_ms == 1_200


def test_a_session_that_is_not_told(client: Client) -> None:
    before = client.conversation.session
    (updated,) = client.hears("session.updated", session=None)
    assert updated.session == {}
    assert client.conversation.session == before
    fresh = Client()
    fresh.hears("session.created", session=None)
    assert fresh.conversation.sessions == 1
    assert fresh.conversation.malformed == {}
