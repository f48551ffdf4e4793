"""When something may be said while functions run, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.protocol import client_actions as actions
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import FunctionCall
from tests.protocol.client_side import Client
from tests.protocol.test_client_properties import Talk, something_happens
from tests.tried import tried

SAID = {"instructions": "One moment.", "tool_choice": "none"}
LOST = "conversation_already_has_active_response"


@pytest.fixture
def client() -> Client:
    """One whose model has called a function, which runs."""
    client = Client(answers=["look_up"])
    client.configured()
    client.response_begins("resp_1")
    client.call("resp_1", "call_1", "look_up")
    client.response_ends("resp_1")
    client.does()
    assert client.sends() == []
    return client


def filled(client: Client) -> dict[str, Any]:
    assert client.may_fill("resp_1")
    client.fill("resp_1", SAID)
    (event,) = client.sends()
    return event


def returned(client: Client) -> None:
    client.receive_tool_output(FunctionCall("call_1", "look_up", response_id="resp_1"), "42")


def test_it_is_a_response_of_its_own_and_known_as_a_filler(client: Client) -> None:
    event = filled(client)
    assert event["type"] == "response.create"
    assert SAID.items() <= event["response"].items()
    response = {"id": "resp_2", "status": "in_progress", "conversation_id": "conv"}
    client.hears(
        "response.created", response={**response, "metadata": event["response"]["metadata"]}
    )
    fillers = [one.id for one in client.conversation.responses.values() if one.is_filler]
    assert fillers == ["resp_2"]


def test_the_result_is_told_after_it(client: Client) -> None:
    filled(client)
    client.response_begins("resp_2")
    returned(client)
    assert client.sends_types() == ["conversation.item.create"]
    client.response_ends("resp_2")
    assert client.sends() == [{"type": "response.create"}]


def test_there_is_one(client: Client) -> None:
    filled(client)
    assert not client.may_fill("resp_1")
    client.response_begins("resp_2")
    assert not client.may_fill("resp_1")
    client.response_ends("resp_2")
    assert not client.may_fill("resp_1")


def test_not_while_the_user_speaks_or_waits_for_an_answer(client: Client) -> None:
    client.user_starts()
    assert not client.may_fill("resp_1")
    client.user_stops()
    assert not client.may_fill("resp_1")


def test_not_while_the_user_holds_the_key(client: Client) -> None:
    client.configured(None)
    client.sent({"type": "input_audio_buffer.append", "audio": "AAAAAAAA"}, 1.0)
    assert not client.may_fill("resp_1")
    client.sent({"type": "input_audio_buffer.commit"}, 1.1)
    assert client.may_fill("resp_1")


def test_not_while_something_is_asked_for_or_said(client: Client) -> None:
    client.create_response()
    assert not client.may_fill("resp_1")
    client.sends()
    assert not client.may_fill("resp_1")
    client.response_begins("resp_2")
    assert not client.may_fill("resp_1")


def test_not_after_something_else_was_said(client: Client) -> None:
    client.response_begins("resp_2")
    client.response_ends("resp_2")
    assert not client.may_fill("resp_1")


def test_what_is_said_apart_does_not_count(client: Client) -> None:
    client.response_begins("resp_2", conversation=None)
    client.response_ends("resp_2")
    assert client.may_fill("resp_1")


def test_not_when_the_function_has_ended(client: Client) -> None:
    returned(client)
    client.sends()
    assert not client.may_fill("resp_1")


def test_not_after_the_agent_was_hushed(client: Client) -> None:
    client.interrupt()
    assert not client.may_fill("resp_1")


def test_not_without_a_connection_but_when_it_is_back(client: Client) -> None:
    client.lost(ConnectionReport("lost", 1.0))
    assert not client.may_fill("resp_1")
    client.resume([])
    assert client.may_fill("resp_1")


@pytest.mark.parametrize("begun", [False, True])
def test_one_that_the_connection_took_along_is_not_said_again(client: Client, begun: bool) -> None:
    filled(client)
    if begun:
        client.response_begins("resp_2")
    client.lost(ConnectionReport("lost", 1.0))
    client.resume([])
    assert client.sends() == []
    assert not client.may_fill("resp_1")
    returned(client)
    assert client.sends_types() == ["conversation.item.create", "response.create"]


@pytest.mark.parametrize("code", [LOST, "invalid_value"])
def test_one_that_is_refused_is_not_asked_for_again(client: Client, code: str) -> None:
    client.fill("resp_1", SAID)
    (event,) = client.events_to_send()
    client.response_begins("resp_of_the_server")
    client.refuses(code, event["event_id"])
    returned(client)
    assert client.sends_types() == ["conversation.item.create"]
    client.response_ends("resp_of_the_server")
    assert client.sends() == [{"type": "response.create"}]


def test_one_into_which_the_user_begins_to_speak_is_withdrawn(client: Client) -> None:
    filled(client)
    client.user_starts()
    assert client.sends() == []
    client.does()
    client.response_begins("resp_2")
    assert client.sends() == [{"type": "response.cancel", "response_id": "resp_2"}]
    client.item_begins("resp_2", "agent")
    client.audio("resp_2", "agent", 200)
    assert client.does() == []


def test_the_answer_to_what_the_user_said_is_not(client: Client) -> None:
    filled(client)
    client.user_starts()
    client.user_stops()
    client.does()
    client.response_begins("resp_2")
    client.item_begins("resp_2", "agent")
    client.audio("resp_2", "agent", 200)
    assert client.sends() == []
    assert [type(one) for one in client.does()] == [actions.PlayAudio]


class Filling(Talk):
    """A conversation in which functions take up to two seconds and are bridged."""

    fillers: tuple[str, ...] = ()

    def _soon(self, work: Any, within_ms: float) -> None:
        super()._soon(work, 2_000 if within_ms == 600 else within_ms)

    def step(self) -> None:
        super().step()
        called = {call.response_id for call in self.client.conversation.calls.values()}
        for response_id in sorted(called):
            if not self.tracks and self.client.may_fill(response_id):
                self.client.fill(response_id, SAID)
                self.fillers += (response_id,)

    def _script(self) -> list[str]:
        return [*super()._script(), *["call"] * self.chance.choice([0, 1])]

    def check(self) -> None:
        super().check()
        assert len(self.fillers) == len(set(self.fillers))
        responses = list(self.server.conversation.responses.values())
        assert sum(one.is_filler for one in responses) <= len(self.fillers)


@given(st.integers(0, 2**32), st.lists(st.integers(0, 60), min_size=1, max_size=10))
@settings(max_examples=tried(100, in_ci=30), deadline=None)
def test_whatever_happens_fillers_are_in_nobodys_way(seed: int, pauses: list[int]) -> None:
    talk = Filling(seed)
    for pause in pauses:
        something_happens(talk)
        talk.steps(pause)
    talk.settle()
    talk.check()


def test_there_are_some() -> None:
    count = 0
    for seed in range(20):
        talk = Filling(seed)
        talk.say()
        talk.settle()
        talk.check()
        count += len(talk.fillers)
    assert count >= 10
