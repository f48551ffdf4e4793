"""Whole turns, in the orders of events that the hosted server was seen to send."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol.server import CancelResponse, Respond
from realtime_nb.testing import silence, tone
from tests.protocol.orders import (
    SPOKEN,
    SPOKEN_DONE,
    TRANSCRIBED,
    TRANSCRIPT,
    TURN,
    WRITTEN,
    WRITTEN_DONE,
    first,
    vad,
)
from tests.protocol.peer import Peer, encoded, types


@pytest.fixture
def peer() -> Peer:
    return Peer()


# --- a session's begin ---


def test_the_first_frame_is_the_whole_session(peer: Peer) -> None:
    (created,) = peer.greeting
    assert created["type"] == "session.created"
    assert list(created["session"]) == [
        "type",
        "object",
        "id",
        "model",
        "output_modalities",
        "instructions",
        "tools",
        "tool_choice",
        "max_output_tokens",
        "tracing",
        "truncation",
        "prompt",
        "expires_at",
        "include",
        "audio",
    ]
    assert created["session"]["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }


def test_an_update_answers_the_whole_session_and_changes_only_what_it_names(peer: Peer) -> None:
    before = peer.core.session
    (updated,) = peer.update(instructions="", tools=[], audio={"output": {"speed": 1.25}})
    assert updated["type"] == "session.updated"
    audio = {**before["audio"], "output": {**before["audio"]["output"], "speed": 1.25}}
    assert {**before, "instructions": "", "audio": audio} == updated["session"]


def test_fields_that_a_local_server_ignores_are_accepted_and_echoed(peer: Peer) -> None:
    fields: dict[str, Any] = {
        "tracing": {"workflow_name": "w", "group_id": "g", "metadata": {"a": 1}},
        "truncation": {
            "type": "retention_ratio",
            "retention_ratio": 0.8,
            "token_limits": {"post_instructions": 500},
        },
        "prompt": {"id": "pmpt_1", "version": "2", "variables": {"city": "Rome"}},
        "include": ["item.input_audio_transcription.logprobs"],
        "reasoning": {"effort": "low"},
        "parallel_tool_calls": True,
        "tool_choice": {"type": "mcp", "server_label": "m"},
        "tools": [{"type": "mcp", "server_label": "m", "require_approval": "never"}],
        "model": "local",
    }
    (updated,) = peer.update(**fields)
    assert fields == {name: updated["session"][name] for name in fields}


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


# --- barge-in ---


def test_barge_in_closes_what_is_open_after_speech_started(peer: Peer) -> None:
    peer.send("response.create")
    job = peer.responding()
    peer.speak(job.response_id, "I could tell you")
    barged = peer.append(tone(640))
    assert types(barged) == [TURN[0], *SPOKEN_DONE, "rate_limits.updated"]
    done = first(barged, "response.done")["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["output"][0]["status"] == "incomplete"
    assert done["usage"]["output_tokens"] == 4 + 8
    assert peer.cancelled() == [job.response_id]

    # Whatever the engines still produce is nothing to the client.
    peer.core.receive_speech(job.response_id, "more", tone(100))
    peer.core.receive_text(job.response_id, "more")
    peer.core.receive_call(job.response_id, "f", "{}")
    peer.core.receive_response_end(job.response_id)
    peer.core.receive_response_failure(job.response_id, "server_error", "late")
    assert peer.collect() == []
    assert types(peer.append(silence(320)))[:4] == TURN[1:]


def test_barge_in_before_any_output_reports_zeros(peer: Peer) -> None:
    peer.send("response.create")
    job = peer.responding()
    barged = peer.append(tone(640))
    assert types(barged) == [TURN[0], "response.done"]
    assert barged[1]["response"]["output"] == []
    assert barged[1]["response"]["usage"]["total_tokens"] == 0
    assert peer.cancelled() == [job.response_id]


def test_a_response_that_waits_for_words_is_interrupted_too(peer: Peer) -> None:
    peer.say()
    barged = peer.append(tone(320))
    assert types(barged) == [TURN[0], "response.done"]
    peer.hear("late words")
    assert peer.take(Respond) == []


def test_without_interruption_the_answer_goes_on_and_the_next_can_not_begin(peer: Peer) -> None:
    peer.update_input(**vad(interrupt_response=False))
    peer.send("response.create")
    job = peer.responding()
    said = peer.say()
    assert types(said) == [*TURN, "error"]
    assert said[-1]["error"]["code"] == "conversation_already_has_active_response"
    done = first(peer.finish(job.response_id), "response.done")
    assert done["response"]["status"] == "completed"


def test_cancel_by_the_client(peer: Peer) -> None:
    peer.send("response.create")
    job = peer.responding()
    peer.speak(job.response_id)
    cancelled = peer.send("response.cancel")
    assert types(cancelled) == [*SPOKEN_DONE, "rate_limits.updated"]
    details = first(cancelled, "response.done")["response"]["status_details"]
    assert details == {"type": "cancelled", "reason": "client_cancelled"}
    assert peer.refused("response.cancel")["code"] == "response_cancel_not_active"


def test_a_failing_engine_ends_the_response_and_not_the_session(peer: Peer) -> None:
    peer.send("response.create")
    job = peer.responding()
    peer.speak(job.response_id)
    peer.core.receive_response_failure(job.response_id, "server_error", "The voice is gone.")
    response = first(peer.collect(), "response.done")["response"]
    assert response["status"] == "failed"
    assert response["status_details"]["error"] == {
        "type": "server_error",
        "code": "server_error",
        "message": "The voice is gone.",
    }
    assert response["output"][0]["status"] == "incomplete"
    assert peer.take(CancelResponse) == []
    peer.answer()


# --- out of band ---


def test_out_of_band_runs_beside_the_conversation_and_leaves_no_trace(peer: Peer) -> None:
    user_id = peer.write()
    peer.send("response.create")
    main = peer.responding()
    (created,) = peer.send(
        "response.create",
        response={
            "conversation": "none",
            "metadata": {"topic": "x"},
            "output_modalities": ["text"],
            "instructions": "Classify.",
            "max_output_tokens": 50,
        },
    )
    assert created["response"]["conversation_id"] is None
    assert created["response"]["metadata"] == {"topic": "x"}
    apart = peer.responding()
    assert [item["id"] for item in apart.items] == [user_id]
    assert apart.settings.instructions == "Classify."
    peer.speak(main.response_id)
    peer.core.receive_text(apart.response_id, "greeting")
    written = peer.collect()
    assert types(written) == [name for name in WRITTEN if not name.startswith("conversation")]
    # Speech stops the conversation's response only.
    barged = peer.append(tone(320))
    assert [e["response"]["id"] for e in barged if e["type"] == "response.done"] == [
        main.response_id
    ]
    peer.core.receive_call(apart.response_id, "f", "{}")
    peer.collect()
    finished = peer.finish(apart.response_id)
    assert finished[0]["response"]["metadata"] == {"topic": "x"}
    assert [item["type"] for item in finished[0]["response"]["output"]] == [
        "message",
        "function_call",
    ]
    assert len(peer.core.conversation.order) == 2


def test_input_replaces_the_conversation(peer: Peer) -> None:
    one, _ = peer.write("one"), peer.write("two")
    new = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "new"}]}
    for own, ids in (([], []), ([{"type": "item_reference", "id": one}, new], [one, None])):
        events = peer.send("response.create", response={"conversation": "none", "input": own})
        job = peer.responding()
        assert [i["id"] for i in job.items][: ids.count(one)] == ids[: ids.count(one)]
        assert len(job.items) == len(ids)
        usage = first(peer.finish(events[0]["response"]["id"]), "response.done")["response"]
        assert usage["usage"]["input_tokens"] > 0
    assert len(peer.core.conversation.order) == 2


def test_audio_in_input_is_heard_for_this_response(peer: Peer) -> None:
    peer.update_input(**TRANSCRIBED)
    sound = {"type": "input_audio", "audio": encoded(tone(1_000))}
    own = [{"type": "message", "role": "user", "content": [sound]}]
    peer.send("response.create", response={"conversation": "none", "input": own})
    assert peer.take(Respond) == []
    assert peer.hear("what was said") == []  # no item of the conversation, so no event
    job = peer.responding()
    assert job.items[0]["content"][0]["transcript"] == "what was said"
    done = first(peer.finish(job.response_id), "response.done")["response"]
    assert done["usage"]["input_token_details"]["audio_tokens"] == 10


def test_a_call_and_its_output_may_travel_as_input(peer: Peer) -> None:
    own = [
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c1"},
        {"type": "function_call_output", "call_id": "c1", "output": "42"},
    ]
    peer.send("response.create", response={"conversation": "none", "input": own})
    assert [item["type"] for item in peer.responding().items] == [
        "function_call",
        "function_call_output",
    ]


def test_the_beta_dialect_is_spoken_from_the_first_flat_update() -> None:
    peer = Peer()
    peer.core.receive({"type": "session.update", "session": {"modalities": ["text"]}})
    (updated,) = peer.collect()
    assert updated["session"]["modalities"] == ["text"]
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    assert types(peer.send("conversation.item.create", item=item)) == ["conversation.item.created"]
    greeting = Peer(dialect="beta").greeting
    assert types(greeting) == ["session.created", "conversation.created"]
