"""``rt.ga``: what the beta said, as GA says it; what is GA already stays; losses are told."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.beta.realtime.session_update_event import SessionUpdateEvent

import realtime_nb as rt
from realtime_nb.protocol.dialect import client_to_beta, server_to_beta
from tests.protocol.dialect_shapes import (
    GA_SESSION,
    GA_TRANSCRIPTION_SESSION,
    PCM,
    Event,
    conversation,
)

pytestmark = pytest.mark.filterwarnings("error")

TURN = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 700}
FLAT: Event = {
    "modalities": ["text", "audio"],
    "instructions": "Be brief.",
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "g711_ulaw",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": TURN,
    "max_response_output_tokens": 100,
}
NESTED: Event = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "max_output_tokens": 100,
    "audio": {
        "input": {
            "format": PCM,
            "transcription": {"model": "whisper-1"},
            "turn_detection": TURN,
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "alloy"},
    },
}
CREATED: Event = {
    "type": "conversation.item.created",
    "item": {"id": "item_1", "type": "message", "role": "user", "status": "completed"},
}
CLIENT: list[Event] = [
    {"type": "session.update", "session": NESTED},
    {"type": "session.update", "session": {"type": "realtime", "instructions": "x"}},
    {"type": "response.create"},
    {"type": "response.create", "response": {"output_modalities": ["text"], "input": []}},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 5},
]


# --- one thing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beta", "ga"),
    [
        (FLAT, NESTED),
        ({"type": "session.update", "session": FLAT}, CLIENT[0]),
        (
            {"turn_detection": None},
            {"type": "realtime", "audio": {"input": {"turn_detection": None}}},
        ),
        (
            {"type": "response.create", "response": {"modalities": ["text"], "voice": "ash"}},
            {
                "type": "response.create",
                "response": {"output_modalities": ["text"], "audio": {"output": {"voice": "ash"}}},
            },
        ),
        (
            {"type": "response.audio.delta", "delta": "AAAA"},
            {"type": "response.output_audio.delta", "delta": "AAAA"},
        ),
        (
            CREATED,
            [
                {**CREATED, "type": "conversation.item.added"},
                {**CREATED, "type": "conversation.item.done"},
            ],
        ),
        (
            {"time": "12:00:01", "event": {"type": "response.text.done", "text": "x"}},
            {"type": "response.output_text.done", "text": "x"},
        ),
        (
            {"type": "transcription_session.update", "session": {"turn_detection": None}},
            {
                "type": "session.update",
                "session": {"type": "transcription", "audio": {"input": {"turn_detection": None}}},
            },
        ),
    ],
)
def test_one_thing_is_translated(beta: Event, ga: Any) -> None:
    before = copy.deepcopy(beta)
    assert rt.ga(beta) == ga
    assert beta == before
    assert rt.ga(json.dumps(beta)) == ga
    assert rt.ga(json.dumps(beta, indent=2).encode()) == ga
    assert rt.ga(ga) == ga


def test_what_comes_back_shares_nothing_with_what_was_given() -> None:
    given = copy.deepcopy(NESTED)
    back = rt.ga(given)
    back["audio"]["input"]["transcription"]["model"] = "other"
    assert given == NESTED


def test_objects_of_the_openai_package_are_taken() -> None:
    given = SessionUpdateEvent.model_validate(
        {"type": "session.update", "session": {"modalities": ["text"], "voice": "alloy"}}
    )
    assert rt.ga(given)["session"] == {
        "type": "realtime",
        "output_modalities": ["text"],
        "audio": {"output": {"voice": "alloy"}},
    }


@given(st.lists(st.sampled_from([*conversation(), *CLIENT]), max_size=8))
@settings(max_examples=50, deadline=None)
def test_ga_comes_back_unchanged_and_the_way_there_is_gone_once(events: list[Event]) -> None:
    before = copy.deepcopy(events)
    assert rt.ga(events) == before
    for event in events:
        assert rt.ga(event) == event
    back = [client_to_beta(e) if e in CLIENT else server_to_beta(e) for e in events]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        once = rt.ga([one for found in back for one in found])
        assert rt.ga(once) == once


@pytest.mark.parametrize("session", [GA_SESSION, GA_TRANSCRIPTION_SESSION, NESTED])
def test_a_session_of_ga_comes_back_unchanged(session: Event) -> None:
    assert rt.ga(session) == session


# --- what can't be translated ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beta", "ga", "words"),
    [
        ({**FLAT, "temperature": 0.8}, NESTED, r"^temperature is left out"),
        (
            {"type": "response.create", "response": {"temperature": 1}},
            {"type": "response.create", "response": {}},
            r"^response\.temperature is left out",
        ),
        (
            {"type": "session.update", "session": {"voice": "x", "smooth_output": True}},
            {
                "type": "session.update",
                "session": {
                    "type": "realtime",
                    "smooth_output": True,
                    "audio": {"output": {"voice": "x"}},
                },
            },
            r"A GA server refuses this session\.update: .*session\.smooth_output",
        ),
        ({"type": "vendor.event", "x": 1}, {"type": "vendor.event", "x": 1}, "no event of either"),
    ],
)
def test_what_is_lost_or_would_be_refused_is_said(beta: Event, ga: Event, words: str) -> None:
    with pytest.warns(UserWarning, match=words) as told:
        assert rt.ga(beta) == ga
    assert len(told) == 1
    assert told[0].filename == __file__


def test_the_same_of_many_events_is_said_once() -> None:
    update = {"type": "session.update", "session": {"temperature": 0.8}}
    with pytest.warns(UserWarning, match=r"session.temperature .*\(40 times\)") as told:
        rt.ga([update] * 40)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "int can't be translated"),
        (None, "NoneType can't be translated"),
        ({}, "neither an event nor a session"),
        ({"foo": 1}, "'foo'"),
        ({"type": "ping"}, "neither an event nor a session"),
        ([{"type": "response.done"}, 3], "Entry 2 is no event: it is of type int"),
        ([{"foo": 1}], "Entry 1 is no event"),
        ("{", "holds no event"),
        ('{"a": 1}', "holds no event"),
        (b"\xff\xfe", "holds no event"),
        ("nowhere.jsonl", r"no file nowhere\.jsonl"),
    ],
)
def test_what_can_not_be_meant(given: Any, words: str) -> None:
    with pytest.raises(rt.RealtimeError, match=words):
        rt.ga(given)


# --- logs -----------------------------------------------------------------------------------------


def beta_log() -> list[Event]:
    events = [one for event in conversation() for one in server_to_beta(event)]
    update = {"type": "session.update", "session": FLAT}
    return [events[0], update, *events[1:]]


def times(path: Path) -> list[tuple[float, str, str]]:
    lines = rt.load(path).raw_events()
    return [(round(one.t_s, 3), one.direction, str(one.event["type"])) for one in lines]


def wrapped(number: int, event: Event, how: str) -> Event | str:
    sent = event["type"] == "session.update"
    if how == "epoch":
        moment = 1_760_000_000 + number / 4
        return {"timestamp": moment, "direction": "out" if sent else "in", "event": event}
    if how == "elapsed":
        return {"elapsed_ms": 250 * number, "dir": "sent" if sent else "received", "data": event}
    return f"12:00:{number / 4:06.3f} {'->' if sent else '<-'} {json.dumps(event)}"


@pytest.mark.parametrize("how", ["epoch", "elapsed", "text"])
def test_a_log_is_written_anew_with_its_times(tmp_path: Path, how: str) -> None:
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    lines = [wrapped(number, event, how) for number, event in enumerate(beta_log())]
    old.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines))
    content = old.read_bytes()

    events = rt.ga(old, out=new)

    assert old.read_bytes() == content
    assert rt.ga(str(old)) == rt.ga(content) == events
    assert [json.loads(line)["event"] for line in new.read_text().splitlines()] == events
    assert rt.ga(new) == events  # once is enough
    told = {event["type"] for event in events}
    assert "response.output_audio.delta" in told
    assert not {"response.audio.delta", "conversation.item.created"} & told
    assert events[1] == {"type": "session.update", "session": NESTED}
    first = {(t_s, way) for t_s, way, name in times(old) if name == "session.update"}
    assert {(t_s, way) for t_s, way, name in times(new) if name == "session.update"} == first
    assert rt.load(new).header["dialect"] == "ga"
    before, after = rt.load(old).conversation, rt.load(new).conversation
    assert before.transcript() == after.transcript()


def test_a_recording_is_translated(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    lines = [
        {"seq": n, "t": n / 4, "dir": "received", "event": event}
        for n, event in enumerate([*server_to_beta(CREATED), {"type": "response.text.delta"}])
    ]
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    out = tmp_path / "ga.jsonl"

    events = rt.ga(rt.load(log), out=out)

    assert [event["type"] for event in events] == [
        "conversation.item.added",
        "conversation.item.done",
        "response.output_text.delta",
    ]
    assert [json.loads(line)["t"] for line in out.read_text().splitlines()] == [0.0, 0.0, 0.25]
    assert rt.ga(log) == events


def test_a_file_of_one_session_is_a_session(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(FLAT))
    assert rt.ga(file) == NESTED


def test_where_it_can_not_be_written(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"type": "response.text.delta"}))
    with pytest.raises(rt.ConfigurationError, match="the log itself"):
        rt.ga(log, out=log)
    with pytest.raises(rt.ConfigurationError, match="can't be written"):
        rt.ga(log, out=tmp_path / "none" / "new.jsonl")
    with pytest.raises(rt.ConfigurationError, match="leave it out"):
        rt.ga(FLAT, out=tmp_path / "new.jsonl")
    assert list(tmp_path.iterdir()) == [log]
