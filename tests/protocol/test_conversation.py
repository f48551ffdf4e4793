from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation, PlaybackReport
from realtime_nb.protocol.events import SERVER_EVENTS
from realtime_nb.protocol.records import PLAYBACK_STEPS, PlaybackKind, PlaybackState
from tests.protocol.peer import Peer
from tests.protocol.test_server_properties import trees


def fold(*raws: dict[str, Any]) -> Conversation:
    conversation = Conversation()
    for t_s, raw in enumerate(raws):
        conversation.apply(ev.parse_server(raw), float(t_s))
    return conversation


def message(item_id: str, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"id": item_id, "type": "message", "role": role, "content": [], **more}


def added(item_id: str, previous: str | None = None, **more: Any) -> dict[str, Any]:
    item = message(item_id, **more)
    return {"type": "conversation.item.added", "previous_item_id": previous, "item": item}


def audio(ms: int, item_id: str = "a", per_ms: int = 48) -> dict[str, Any]:
    return {
        "type": "response.output_audio.delta",
        "response_id": "r",
        "item_id": item_id,
        "delta": base64.b64encode(bytes(ms * per_ms)).decode(),
    }


def test_items_stand_in_the_order_that_previous_item_id_says() -> None:
    conversation = fold(added("a"), added("b", "a"), added("c", "a"), added("d", "unknown"))
    assert conversation.order == ["a", "c", "b", "d"]
    assert [item.id for item in conversation.in_order()] == conversation.order


def test_null_is_first_only_for_an_item_that_was_asked_to_be() -> None:
    conversation = fold(added("a"), added("b"))
    assert conversation.order == ["a", "b"]
    item = message("c")
    conversation.apply(ev.ItemCreate(item=item, previous_item_id="root"))
    conversation.apply(ev.ItemAdded(item=item))
    assert conversation.order == ["c", "a", "b"]
    conversation.apply(ev.ItemDeleted(item_id="c"))
    conversation.apply(ev.ItemAdded(item=item))
    assert conversation.order == ["a", "b", "c"]


def test_what_is_said_of_a_deleted_item_brings_no_ghost() -> None:
    conversation = fold(added("a", role="assistant"))
    conversation.apply(ev.ItemDeleted(item_id="a"))
    conversation.apply_playback(PlaybackReport("a", 80.0, "finished", 2.0))
    assert (conversation.items, conversation.order) == ({}, [])
    assert conversation.deleted["a"].played_ms == 80.0
    conversation.apply(ev.ItemAdded(item=message("a", role="assistant")))
    assert [item.played_ms for item in conversation.in_order()] == [80.0]
    assert conversation.deleted == {}


def test_text_grows_by_deltas_and_is_set_by_done() -> None:
    delta = {"type": "response.output_text.delta", "response_id": "r", "item_id": "a"}
    conversation = fold({**delta, "delta": "one "}, {**delta, "delta": "two"})
    assert conversation.items["a"].text == "one two"
    assert conversation.responses["r"].first_text_s == 0.0
    conversation.apply(ev.OutputTextDone(item_id="a", text="all"))
    assert conversation.items["a"].text == "all"


@pytest.mark.parametrize("name", ["commit", "clear"])
def test_appended_audio_counts_until_it_is_committed_or_cleared(name: str) -> None:
    conversation = Conversation()
    append = ev.AudioBufferAppend(audio=base64.b64encode(bytes(4_800)).decode())
    for _ in range(2):
        conversation.apply(append)
    assert conversation.uncommitted_ms == 200
    # What is still to be committed is no less because turns to come begin after it.
    conversation.apply(ev.SessionUpdate(session={"instructions": "Hm."}))
    assert conversation.uncommitted_ms == 200
    conversation.apply(ev.parse_client({"type": f"input_audio_buffer.{name}"}))
    assert conversation.uncommitted_ms == 0


def test_audio_is_counted_in_the_format_of_its_response() -> None:
    ulaw = {"output": {"format": {"type": "audio/pcmu"}}}
    created = {"type": "response.created", "response": {"id": "r", "audio": ulaw}}
    conversation = fold(created, audio(400, per_ms=8), audio(100, per_ms=8))
    assert conversation.items["a"].audio_ms == 500
    assert conversation.responses["r"].audio_ms == 500
    session = {"type": "session.created", "session": {"audio": ulaw}}
    assert fold(session, audio(400, per_ms=8)).items["a"].audio_ms == 400
    assert fold(audio(400)).items["a"].audio_ms == 400


def test_a_response_from_created_to_done() -> None:
    usage = {
        "input_tokens": 30,
        "output_tokens": 12,
        "total_tokens": 42,
        "input_token_details": {"cached_tokens": 8},
    }
    done = {
        "id": "r",
        "status": "cancelled",
        "status_details": {"type": "cancelled", "reason": "turn_detected"},
        "conversation_id": None,
        "usage": usage,
    }
    conversation = fold({"type": "response.created", "response": {"id": "r"}})
    response = conversation.responses["r"]
    assert conversation.active_response is response
    conversation.apply(ev.ResponseDone(response=done), 3.0)
    assert not response.active
    assert (response.reason, response.in_conversation) == ("turn_detected", False)
    assert (response.created_s, response.done_s) == (0.0, 3.0)
    assert conversation.usage == {
        "input_tokens": 30,
        "cached_tokens": 8,
        "output_tokens": 12,
        "total_tokens": 42,
    }


def test_a_function_call_and_its_output() -> None:
    ids = {"response_id": "r", "item_id": "f", "call_id": "c"}
    call = {"id": "f", "type": "function_call", "name": "look_up", "call_id": "c", "arguments": ""}
    conversation = fold(
        {"type": "response.output_item.added", "response_id": "r", "item": call},
        {"type": "response.function_call_arguments.delta", **ids, "delta": '{"a"'},
        {"type": "response.function_call_arguments.done", **ids, "arguments": '{"a": 1}'},
        {
            "type": "response.output_item.done",
            "response_id": "r",
            "item": {**call, "arguments": '{"a": 1}', "status": "completed"},
        },
    )
    output = {"type": "function_call_output", "call_id": "c", "output": "42"}
    conversation.apply(ev.ItemCreate(item=output), 9.0)
    (made,) = conversation.calls.values()
    assert (made.name, made.arguments, made.output) == ("look_up", '{"a": 1}', "42")
    assert (made.started_s, made.done_s, made.output_s) == (0.0, 2.0, 9.0)
    assert (made.status, made.response_id, made.item_id) == ("completed", "r", "f")


def test_playback_is_taken_from_the_device() -> None:
    conversation = fold(added("a"))
    for kind, played_ms, t_s in (
        ("started", 0, 1.0),
        ("underrun", 200, 1.2),
        ("flushed", 250, 1.4),
    ):
        conversation.apply_playback(PlaybackReport("a", played_ms, kind, t_s))  # type: ignore[arg-type]
    item = conversation.items["a"]
    assert (item.played_ms, item.played_s, item.stopped_s, item.underruns) == (250, 1.0, 1.4, 1)


def test_transcripts_errors_and_unknown_events() -> None:
    name = "conversation.item.input_audio_transcription"
    conversation = fold(
        added("u"),
        {"type": f"{name}.delta", "item_id": "u", "delta": "hel"},
        {"type": f"{name}.completed", "item_id": "u", "transcript": "hello", "usage": {"a": 1}},
        {"type": f"{name}.failed", "item_id": "x"},
        {"type": "error", "error": {"message": "m", "code": "c", "param": "p", "event_id": "e"}},
        {"type": "vendor"},
    )
    assert conversation.items["u"].transcript == "completed"
    assert conversation.items["x"].transcript == "failed"
    assert conversation.transcript() == [("user", "hello")]
    (error,) = conversation.errors
    assert (error.message, error.code, error.param, error.caused_by, error.t_s) == (
        "m",
        "c",
        "p",
        "e",
        4.0,
    )
    assert (conversation.events_applied, conversation.unknown_events) == (6, 1)


def test_a_client_and_the_server_fold_the_same_conversation() -> None:
    peer = Peer()
    peer.append(bytes(48_000))
    peer.say()
    peer.hear("hello")
    job = peer.responding()
    peer.speak(job.response_id, "One two three.")
    peer.call(job.response_id)
    peer.finish(job.response_id)
    peer.write("more")
    client = fold(*peer.log)
    assert client.order == peer.core.conversation.order
    for item_id in client.order[1:]:  # the user's words are not reported in this session
        assert client.items[item_id].text == peer.core.conversation.items[item_id].text
        assert client.items[item_id].audio_ms == peer.core.conversation.items[item_id].audio_ms
    assert client.usage == peer.core.conversation.usage


_NAMES = """
    item response session error id item_id response_id call_id status content audio usage
    previous_item_id delta transcript text arguments name output role output_modalities
    conversation_id status_details metadata input format turn_detection
"""
fields = st.dictionaries(st.sampled_from(_NAMES.split()), trees, max_size=6)
objects = st.recursive(
    fields,
    lambda inner: st.builds(
        lambda outer, name, value: {**outer, name: value},
        fields,
        st.sampled_from(["item", "response", "session", "audio", "output", "input", "error"]),
        inner,
    ),
    max_leaves=4,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(SERVER_EVENTS)), objects), max_size=6))
def test_whatever_a_server_sends_the_fold_goes_on(events: list[tuple[str, dict[str, Any]]]) -> None:
    conversation = fold(*({**fields, "type": kind} for kind, fields in events))
    conversation.transcript()
    assert set(conversation.usage) == {
        "input_tokens",
        "cached_tokens",
        "output_tokens",
        "total_tokens",
    }
    assert len(set(conversation.order)) == len(conversation.order)
    for speech in conversation.speech:
        assert speech.offset_ms is None or speech.offset_ms >= speech.audio_start_ms


# --- states ---

PLAYED: dict[PlaybackState, list[PlaybackKind]] = {
    "unplayed": [],
    "playing": ["started"],
    "finished": ["started", "finished"],
    "flushed": ["started", "flushed"],
}


@pytest.mark.parametrize("kind", get_args(PlaybackKind))
@pytest.mark.parametrize("state", PLAYED)
def test_playback_goes_as_the_table_says(state: PlaybackState, kind: PlaybackKind) -> None:
    conversation = fold(added("a"))
    item = conversation.items["a"]
    for one in PLAYED[state]:
        conversation.apply_playback(PlaybackReport("a", 100.0, one, 1.0))
    before = replace(item)
    assert item.playback == state
    conversation.apply_playback(PlaybackReport("a", 200.0, kind, 2.0))
    if (state, kind) in PLAYBACK_STEPS:
        assert (item.playback, item.played_ms) == (PLAYBACK_STEPS[state, kind], 200.0)
    else:
        assert item == before
