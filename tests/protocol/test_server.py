"""Whole turns, in the orders of events that the hosted server was seen to send."""

from __future__ import annotations

import pytest

from realtime_nb.protocol.server import Respond
from tests.protocol.orders import (
    SPOKEN,
    TRANSCRIPT,
    TURN,
    WRITTEN,
    WRITTEN_DONE,
    first,
)
from tests.protocol.peer import Peer, types


@pytest.fixture
def peer() -> Peer:
    return Peer()


# --- a session's begin ---


def test_a_transcription_session_has_no_output_and_no_responses() -> None:
    peer = Peer(session_type="transcription")
    session = peer.greeting[0]["session"]
    assert session["object"] == "realtime.transcription_session"
    assert set(session["audio"]) == {"input"}
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
    }
    (updated,) = peer.update_input(transcription={"model": "whisper-1"})
    assert updated["session"]["audio"]["input"]["transcription"] == {
        "model": "whisper-1",
        "language": None,
        "prompt": None,
    }
    assert types(peer.say()) == TURN
    heard = peer.hear("good morning")
    assert types(heard) == [f"{TRANSCRIPT}.delta", f"{TRANSCRIPT}.completed"]
    assert heard[1]["transcript"] == "good morning"
    assert heard[1]["usage"]["type"] == "duration"
    assert peer.take(Respond) == []
    error = peer.refused("response.create")
    assert (error["code"], error["param"]) == ("invalid_value", "type")


# --- text, tools ---


def test_a_text_turn(peer: Peer) -> None:
    peer.update(output_modalities=["text"])
    user_id = peer.write("What is the time?")
    assert types(peer.send("response.create")) == ["response.created"]
    job = peer.responding()
    assert [item["id"] for item in job.items] == [user_id]
    peer.core.receive_text(job.response_id, "Half past")
    written = peer.collect()
    assert types(written) == WRITTEN
    assert written[2]["part"] == {"type": "text", "text": ""}
    finished = peer.finish(job.response_id)
    assert types(finished) == [*WRITTEN_DONE, "rate_limits.updated"]
    item = first(finished, "response.output_item.done")["item"]
    assert item["content"] == [{"type": "output_text", "text": "Half past"}]


def test_a_typed_question_may_be_answered_aloud(peer: Peer) -> None:
    peer.write()
    peer.send("response.create")
    assert types(peer.speak(peer.responding().response_id, "Hi.")) == SPOKEN


def test_a_function_call_and_its_output(peer: Peer) -> None:
    tool = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
    peer.update(tools=[tool])
    peer.write("Look it up")
    peer.send("response.create")
    job = peer.responding()
    assert job.settings.tools == [tool]
    arguments = '{"what": "a rather long thing to look up"}'
    peer.core.receive_call(job.response_id, "look_up", arguments, "call_x")
    called = peer.collect()
    assert types(called) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
    ]
    assert called[0]["item"]["arguments"] == ""
    assert called[4]["name"] == "look_up"
    assert called[-1]["item"]["arguments"] == arguments
    output = {"type": "function_call_output", "call_id": "call_x", "output": ""}
    # It may be posted while the response that called still runs; the next one may not begin.
    assert types(peer.send("conversation.item.create", item=output)) == TURN[3:]
    assert peer.refused("response.create")["code"] == "conversation_already_has_active_response"
    finished = peer.finish(job.response_id)
    assert types(finished) == ["response.done", "rate_limits.updated"]
    peer.send("response.create")
    assert [item["type"] for item in peer.responding().items] == [
        "message",
        "function_call",
        "function_call_output",
    ]


@pytest.mark.feature("several calls", "server")
def test_speech_and_several_calls_in_one_response(peer: Peer) -> None:
    peer.send("response.create")
    job = peer.responding()
    peer.speak(job.response_id, "One moment.")
    peer.core.receive_call(job.response_id, "a", "{}")
    peer.core.receive_call(job.response_id, "b", "")
    peer.speak(job.response_id, "Thanks.")
    peer.collect()
    response = first(peer.finish(job.response_id), "response.done")["response"]
    assert [item["type"] for item in response["output"]] == [
        "message",
        "function_call",
        "function_call",
        "message",
    ]
    peer.ledger.check_settled()


@pytest.mark.parametrize("call_id", ["call 1", "", "x" * 65, "twice"])
def test_a_call_id_that_could_not_be_answered_is_replaced(peer: Peer, call_id: str) -> None:
    peer.send("response.create")
    job = peer.responding()
    peer.core.receive_call(job.response_id, "a", "{}", "twice")
    peer.core.receive_call(job.response_id, "b", "{}", call_id)
    calls = [e["item"]["call_id"] for e in peer.collect() if e["type"].endswith("item.done")]
    output = {"type": "function_call_output", "call_id": calls[-1], "output": "1"}
    assert len(set(calls)) == 2
    assert types(peer.send("conversation.item.create", item=output)) == TURN[3:]


def test_asked_to_guess_the_beta_is_spoken_from_the_first_flat_update() -> None:
    peer = Peer(dialect="auto")
    peer.core.receive({"type": "session.update", "session": {"modalities": ["text"]}})
    (updated,) = peer.collect()
    assert updated["session"]["modalities"] == ["text"]
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    assert types(peer.send("conversation.item.create", item=item)) == ["conversation.item.created"]


def test_a_beta_client_is_greeted_with_its_conversation() -> None:
    greeting = Peer(dialect="beta").greeting
    assert types(greeting) == ["session.created", "conversation.created"]
