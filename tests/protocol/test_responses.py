"""The responses of a connection: interrupted, cancelled, failed, out of band."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from realtime_nb.protocol.response import RUN_STEPS, RunState, RunStep
from realtime_nb.protocol.server import CancelResponse, Respond
from realtime_nb.testing import silence, tone
from tests.protocol.orders import (
    SPOKEN_DONE,
    TRANSCRIBED,
    TURN,
    WRITTEN,
    first,
    vad,
)
from tests.protocol.peer import Peer, encoded, peer_with_something_to_lose, types


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def used() -> Peer:
    return peer_with_something_to_lose()


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


def test_a_second_response_must_wait(used: Peer) -> None:
    (created,) = used.send("response.create")
    error = used.refused("response.create")
    assert error["code"] == "conversation_already_has_active_response"
    assert created["response"]["id"] in error["message"]


def test_out_of_band_responses_are_bounded(used: Peer) -> None:
    for _ in range(8):
        used.send("response.create", response={"conversation": "none"})
    error = used.refused("response.create", response={"conversation": "none"})
    assert error["code"] == "rate_limit_exceeded"


# --- states ---


ENDS: dict[RunStep, Callable[[Peer, str], object]] = {
    "start": lambda peer, run: peer.hear(),
    "end": lambda peer, run: peer.finish(run),
    "cancel": lambda peer, run: peer.send("response.cancel"),
    "fail": lambda peer, run: peer.core.receive_response_failure(run, "server_error", "gone"),
    "run out": lambda peer, run: peer.speak(run, "word " * 100, audio_ms=2_000),
}


@pytest.mark.parametrize("step", ENDS)
@pytest.mark.parametrize("state", ["waiting", "running"])
def test_a_response_goes_as_the_table_says(peer: Peer, state: RunState, step: RunStep) -> None:
    peer.update(max_output_tokens=20)
    peer.say()
    if state == "running":
        peer.hear()
    (run,) = peer.core._responses._runs.values()
    assert run.state == state
    ENDS[step](peer, run.id)
    assert run.state == RUN_STEPS.get((state, step), state)
    peer.collect()
    over = run.state not in ("waiting", "running")
    assert types(peer.log).count("response.done") == over
    if over:
        for late in (name for name in ENDS if name != "cancel"):
            ENDS[late](peer, run.id)  # it is nobody's any more
        assert run.state == RUN_STEPS[state, step]


def test_a_greeting_stays_before_what_was_typed_meanwhile(peer: Peer) -> None:
    """It answers nothing, so that what was typed is still to be answered."""
    peer.send("response.create")
    job = peer.responding()
    typed = peer.write("Are you there?")
    said = peer.speak(job.response_id, "Hello!")
    greeting = first(said, "conversation.item.added")
    assert greeting["previous_item_id"] is None
    assert peer.core.conversation.order == [greeting["item"]["id"], typed]
    peer.core.receive_response_end(job.response_id)
    peer.collect()
    peer.send("response.create")
    assert [item["id"] for item in peer.responding().items] == [greeting["item"]["id"], typed]


def test_a_voice_of_ones_own_is_told_by_its_id(peer: Peer) -> None:
    """In a response it is text, in a session an object; both are validated strictly here."""
    output = {"output": {"voice": {"id": "voice_mine"}}}
    (updated,) = peer.send("session.update", session={"type": "realtime", "audio": output})
    assert updated["session"]["audio"]["output"]["voice"] == {"id": "voice_mine"}
    (created,) = peer.send("response.create", response={"audio": output})
    assert created["response"]["audio"]["output"]["voice"] == "voice_mine"
