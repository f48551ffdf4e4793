"""Which dialect is spoken, and what either side is sent in its own."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from openai.types.beta import realtime as beta_types
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.datastructures import Headers

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.dialect import (
    BETA_CLIENT_EVENTS,
    BETA_SERVER_EVENTS,
    audio_field,
    client_to_beta,
    client_to_ga,
    detect,
    ga_name,
    is_beta_handshake,
    server_shows_beta,
    server_to_beta,
    server_to_ga,
)
from realtime_nb.protocol.dialect_fields import BETA_TEMPERATURE
from tests.protocol.dialect_shapes import (
    GA_SESSION,
    GA_TRANSCRIPTION_SESSION,
    SPOKEN,
    WRITTEN,
    Event,
    conversation,
    item,
    only,
    response,
)

# --- Against the published types ------------------------------------------------------------------

BETA_SERVER: TypeAdapter[Any] = TypeAdapter(beta_types.RealtimeServerEvent)
BETA_NAMES = BETA_CLIENT_EVENTS | BETA_SERVER_EVENTS
GA_SERVER: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


@pytest.mark.parametrize("event", conversation(), ids=lambda event: str(event["type"]))
def test_server_events_are_of_the_published_types(event: Event) -> None:
    for beta in server_to_beta(event):
        assert event["event_id"] == BETA_SERVER.validate_python(beta).event_id
        for ga in server_to_ga(beta):
            assert event["event_id"] == GA_SERVER.validate_python(ga).event_id


# --- What a beta client gets ----------------------------------------------------------------------


def test_a_beta_client_s_session() -> None:
    event = only(server_to_beta({"type": "session.created", "session": GA_SESSION}))
    assert {
        "object": "realtime.session",
        "id": "sess_1",
        "model": "gpt-realtime",
        "expires_at": 1_756_324_832,
        "modalities": ["audio", "text"],
        "instructions": "Be brief.",
        "voice": "alloy",
        "speed": 1.0,
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": None,
        "input_audio_noise_reduction": None,
        "turn_detection": GA_SESSION["audio"]["input"]["turn_detection"],
        "tools": GA_SESSION["tools"],
        "tool_choice": "auto",
        "temperature": BETA_TEMPERATURE,
        "max_response_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
    } == event["session"]


@pytest.mark.parametrize("step", ["created", "updated"])
def test_a_beta_client_s_transcription_session(step: str) -> None:
    ga: Event = {"type": f"session.{step}", "session": GA_TRANSCRIPTION_SESSION}
    assert {
        "type": f"transcription_session.{step}",
        "session": {
            "object": "realtime.transcription_session",
            "id": "sess_2",
            "expires_at": 1_756_324_832,
            "input_audio_format": "g711_alaw",
            "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": ""},
            "input_audio_noise_reduction": {"type": "near_field"},
            "turn_detection": None,
            "include": ["item.input_audio_transcription.logprobs"],
        },
    } == only(server_to_beta(ga))


def test_a_beta_client_s_response() -> None:
    ga: Event = {
        "type": "response.done",
        "response": response("completed", output=[SPOKEN, WRITTEN]),
    }
    expected: Event = {
        key: value
        for key, value in ga["response"].items()
        if key not in ("audio", "output_modalities", "output")
    } | {
        "modalities": ["audio", "text"],
        "voice": "marin",
        "output_audio_format": "pcm16",
        "temperature": BETA_TEMPERATURE,
        "output": [
            item("completed", content=[{"type": "audio", "transcript": "Hello."}]),
            item("incomplete", content=[{"type": "text", "text": "Hel"}]),
        ],
    }
    assert expected == only(server_to_beta(ga))["response"]


@pytest.mark.parametrize("part", ["audio", "audio_transcript", "text"])
@pytest.mark.parametrize("step", ["delta", "done"])
def test_renamed_events(part: str, step: str) -> None:
    ga: Event = {"type": f"response.output_{part}.{step}", "event_id": "event_1", "delta": "x"}
    beta: Event = {"type": f"response.{part}.{step}", "event_id": "event_1", "delta": "x"}
    assert [beta] == server_to_beta(ga)
    assert [ga] == server_to_ga(beta)


def test_items_of_a_beta_client() -> None:
    added: Event = {"type": "conversation.item.added", "previous_item_id": None, "item": SPOKEN}
    created = only(server_to_beta(added))
    assert created["type"] == "conversation.item.created"
    assert created["item"]["content"] == [{"type": "audio", "transcript": "Hello."}]
    assert server_to_beta({**added, "type": "conversation.item.done"}) == []
    retrieved = only(server_to_beta({"type": "conversation.item.retrieved", "item": WRITTEN}))
    assert retrieved["item"]["content"] == [{"type": "text", "text": "Hel"}]


# --- What a client of ours gets -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "names"),
    [
        ("completed", ["conversation.item.added", "conversation.item.done"]),
        ("in_progress", ["conversation.item.added"]),
        (None, ["conversation.item.added"]),
    ],
)
def test_items_of_a_beta_server(status: str | None, names: list[str]) -> None:
    created: Event = {
        "type": "conversation.item.created",
        "event_id": "event_1",
        "item": {"status": status},
    }
    assert names == [event["type"] for event in server_to_ga(created)]
    assert all({**created, "type": e["type"]} == e for e in server_to_ga(created))


def test_a_mixed_session() -> None:
    session: Event = {
        "object": "realtime.session",
        "voice": "eve",
        "turn_detection": {"type": "server_vad", "threshold": 0.85},
        "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}},
    }
    assert only(server_to_ga({"type": "session.updated", "session": session}))["session"] == {
        "type": "realtime",
        "object": "realtime.session",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 16_000},
                "turn_detection": {"type": "server_vad", "threshold": 0.85},
            },
            "output": {"voice": "eve"},
        },
    }


@pytest.mark.parametrize(
    ("given_fields", "expected"),
    [
        (
            {"status": "cancelled", "status_details": "turn_detected"},
            {"type": "cancelled", "reason": "turn_detected"},
        ),
        ({"status_details": "turn_detected"}, {"reason": "turn_detected"}),
        ({"status": "completed", "status_details": None}, None),
    ],
)
def test_status_details_given_as_a_string(given_fields: Event, expected: object) -> None:
    done = only(server_to_ga({"type": "response.done", "response": given_fields}))
    assert expected == done["response"]["status_details"]


# --- Which dialect --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "transcription_session.update"}, "beta"),
        *(
            ({"type": "session.update", "session": {key: None}}, "beta")
            for key in (
                "modalities",
                "voice",
                "speed",
                "input_audio_format",
                "output_audio_format",
                "input_audio_transcription",
                "input_audio_noise_reduction",
                "turn_detection",
                "temperature",
                "max_response_output_tokens",
            )
        ),
        ({"type": "session.update", "session": {"type": "realtime"}}, "ga"),
        ({"type": "session.update", "session": {"audio": {}}}, "ga"),
        ({"type": "session.update", "session": {"type": "realtime", "voice": "echo"}}, "ga"),
        ({"type": "session.update", "session": {"instructions": "x"}}, None),
        ({"type": "session.update", "session": [1]}, None),
        ({"type": "session.update"}, None),
        ({"type": "response.create", "session": {"voice": "x"}}, None),
        ({}, None),
    ],
)
def test_detect(event: Event, expected: Literal["beta", "ga"] | None) -> None:
    assert expected == detect(event)


def test_every_update_that_becomes_beta_is_detected_as_beta() -> None:
    update = only(client_to_beta({"type": "session.update", "session": GA_SESSION}))
    assert detect(update) == "beta"
    assert detect(only(client_to_ga(update))) == "ga"


@pytest.mark.parametrize(
    ("headers", "subprotocols", "expected"),
    [
        ({"OpenAI-Beta": "realtime=v1"}, [], True),
        ({"openai-beta": "assistants=v2, realtime=v1"}, [], True),
        ({"OpenAI-Beta": "assistants=v2"}, [], False),
        ({"Authorization": "Bearer realtime=v1"}, ["realtime"], False),
        ({}, ["realtime", "openai-insecure-api-key.k", "openai-beta.realtime-v1"], True),
        ({}, [], False),
    ],
)
def test_is_beta_handshake(
    headers: dict[str, str], subprotocols: list[str], expected: bool
) -> None:
    assert expected is is_beta_handshake(headers, subprotocols)
    assert expected is is_beta_handshake(Headers(headers), subprotocols)


@pytest.mark.parametrize("name", sorted(BETA_NAMES | ev.SERVER_EVENTS.keys()))
def test_every_name_has_one_of_ga(name: str) -> None:
    assert ga_name(name) in {*ev.CLIENT_EVENTS, *ev.SERVER_EVENTS}
    assert (ga_name(name) == name) == (name not in BETA_NAMES)


def test_where_audio_is() -> None:
    assert audio_field("input_audio_buffer.append") == ("audio", "input")
    for name in ("response.output_audio.delta", "response.audio.delta"):
        assert audio_field(name) == ("delta", "output")
    for other in ("response.done", None, ["a"]):
        assert audio_field(other) is None


def test_what_only_a_beta_server_sends() -> None:
    assert server_shows_beta({"type": "response.audio.delta"})
    assert server_shows_beta({"type": "session.created", "session": {"modalities": ["text"]}})
    assert not server_shows_beta({"type": "session.created", "session": {"type": "realtime"}})
