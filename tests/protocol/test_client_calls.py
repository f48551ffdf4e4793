"""Functions that the model calls: what is run here, and when the model is told."""

from __future__ import annotations

import pytest

from realtime_nb.protocol.client_actions import CallTool
from realtime_nb.protocol.connections import ConnectionReport
from tests.protocol.client_side import Client


@pytest.fixture
def client() -> Client:
    client = Client(answers=["book", "look_up"])
    client.configured()
    return client


def output(client: Client, call_id: str, text: str = "ok") -> None:
    """Takes the call that the client wants run and answers it."""
    [call] = [call for call in client.called if call.call_id == call_id]  # type: ignore[attr-defined]
    client.receive_tool_output(call, text)


def calls(client: Client) -> list[str]:
    """Ids of the calls to run now; they are kept for :func:`output`."""
    found = [action.call for action in client.does() if isinstance(action, CallTool)]
    client.called = [*getattr(client, "called", []), *found]  # type: ignore[attr-defined]
    return [call.call_id for call in found]


def test_a_call_runs_once_and_its_output_is_followed_by_one_response(client: Client) -> None:
    client.response_begins("resp")
    client.call("resp", "call_1", "book")
    assert calls(client) == ["call_1"]
    item = {"type": "function_call", "call_id": "call_1", "name": "book", "arguments": '{"x": 1}'}
    client.response_ends("resp", output=[{**item, "id": "item_call_1", "status": "completed"}])
    assert calls(client) == []
    assert client.busy
    output(client, "call_1", "done")
    created, request = client.sends()
    assert created["item"] | {"id": ""} == {
        "type": "function_call_output",
        "call_id": "call_1",
        "output": "done",
        "id": "",
    }
    assert request == {"type": "response.create"}


def test_the_call_carries_what_the_model_wrote(client: Client) -> None:
    client.response_begins("resp")
    client.call("resp", "call_1", "book")
    [action] = client.does()
    assert isinstance(action, CallTool)
    call = action.call
    assert (call.name, call.arguments, call.response_id) == ("book", '{"x": 1}', "resp")


@pytest.mark.feature("one response", "client")
def test_an_output_may_be_posted_while_the_response_runs(client: Client) -> None:
    client.response_begins("resp")
    client.call("resp", "call_1", "book")
    calls(client)
    output(client, "call_1")
    assert client.sends_types() == ["conversation.item.create"]
    assert client.busy
    client.response_ends("resp")
    assert client.sends_types() == ["response.create"]


@pytest.mark.feature("several calls", "client")
def test_several_calls_get_one_response_after_the_last_output(client: Client) -> None:
    client.response_begins("resp")
    client.call("resp", "call_1", "book")
    client.call("resp", "call_2", "look_up")
    assert calls(client) == ["call_1", "call_2"]
    output(client, "call_2")
    client.response_ends("resp")
    assert client.sends_types() == ["conversation.item.create"]
    output(client, "call_1")
    assert client.sends_types() == ["conversation.item.create", "response.create"]


@pytest.mark.parametrize("status", ["incomplete", "in_progress"])
def test_calls_that_are_not_whole_never_run(client: Client, status: str) -> None:
    client.response_begins("resp")
    client.call("resp", "call_1", "book", status)
    client.response_ends("resp", "cancelled")
    assert calls(client) == []
    assert client.sends() == []
    assert not client.busy


@pytest.mark.parametrize("declared", ["in the session", "for the response", "by a prompt"])
def test_functions_that_are_not_ours_are_left_to_the_reader(client: Client, declared: str) -> None:
    tools = [{"type": "function", "name": "somebody_elses"}]
    if declared == "for the response":
        client.create_response({"tools": tools})
        client.events_to_send()
    else:
        own = {"tools": tools} if declared == "in the session" else {"prompt": {"id": "pmpt_1"}}
        client.hears("session.updated", session={"type": "realtime", **own})
    client.response_begins("resp")
    client.call("resp", "call_1", "somebody_elses")
    client.response_ends("resp")
    assert calls(client) == []
    assert client.sends() == []
    assert not client.busy


def test_functions_that_nobody_has_are_answered_here(client: Client) -> None:
    client.response_begins("resp")
    client.call("resp", "call_1", "made_up")
    client.response_ends("resp")
    assert calls(client) == ["call_1"]
    output(client, "call_1", "There is no such function.")
    assert client.sends_types() == ["conversation.item.create", "response.create"]


def test_calls_of_a_lost_connection_are_not_run_again_and_are_spoken_about(client: Client) -> None:
    client.response_begins("resp")
    client.call("resp", "call_1", "book")
    client.call("resp", "call_2", "book")
    assert calls(client) == ["call_1", "call_2"]
    output(client, "call_2", "two")
    client.sends()
    client.lost(ConnectionReport("lost", 1.0))
    assert client.busy
    client.resume([])
    assert client.sends_types() == ["conversation.item.create"]  # nobody confirmed the first time
    client.call("resp", "call_1", "book")
    assert calls(client) == []
    output(client, "call_1", "one")
    assert client.sends_types() == ["conversation.item.create", "response.create"]


def test_after_a_barge_in_the_output_is_still_posted(client: Client) -> None:
    client.response_begins("resp")
    client.call("resp", "call_1", "book")
    calls(client)
    client.user_starts()
    client.response_ends("resp", "cancelled")
    client.sends()
    output(client, "call_1")
    # The server answers the turn that is being spoken, and the output with it.
    [event] = client.sends()
    assert event["type"] == "conversation.item.create"
    client.hears("conversation.item.added", item=event["item"])
    client.user_stops()
    assert client.sends() == []
    assert not client.busy


def test_an_output_between_a_turn_and_its_answer_gets_a_response_of_its_own(
    client: Client,
) -> None:
    client.response_begins("resp")
    client.call("resp", "call_1", "book")
    calls(client)
    client.response_ends("resp")
    client.user_starts()
    client.user_stops()
    output(client, "call_1")
    [_, request] = client.events_to_send()
    client.response_begins("resp_of_the_turn")
    client.refuses("conversation_already_has_active_response", request["event_id"])
    client.response_ends("resp_of_the_turn")
    assert client.sends_types() == ["response.create"]


def test_calls_of_a_server_without_output_item_events_run_from_response_done(
    client: Client,
) -> None:
    client.response_begins("resp")
    client.hears(
        "response.function_call_arguments.done", call_id="call_1", item_id="i", arguments="{}"
    )
    assert calls(client) == []
    item = {"type": "function_call", "call_id": "call_1", "name": "book", "arguments": "{}"}
    client.response_ends("resp", output=[item, "nonsense", {"type": "function_call"}])
    assert calls(client) == ["call_1"]
    output(client, "call_1")
    assert client.sends_types() == ["conversation.item.create", "response.create"]


def test_an_output_for_a_call_nobody_knows_is_just_posted(client: Client) -> None:
    client.response_begins("resp")
    client.call("resp", "call_1", "book")
    calls(client)
    client.response_ends("resp")
    output(client, "call_1")
    client.sends()
    output(client, "call_1", "again")
    assert client.sends_types() == ["conversation.item.create"]
