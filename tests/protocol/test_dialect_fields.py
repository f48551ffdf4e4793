"""Settings, responses and items from one dialect to the other, in events that carry them."""

from __future__ import annotations

import pytest

from realtime_nb.protocol.dialect import client_to_ga
from tests.protocol.dialect_shapes import PCM, Event, item, only


@pytest.mark.parametrize(
    ("modalities", "expected"),
    [
        (["text", "audio"], ["audio"]),
        (["audio", "text"], ["audio"]),
        (["audio"], ["audio"]),
        (["text"], ["text"]),
        (["video"], ["video"]),
        ("text", "text"),
        (None, None),
    ],
)
def test_modalities(modalities: object, expected: object) -> None:
    update: Event = {"type": "session.update", "session": {"modalities": modalities}}
    create: Event = {"type": "response.create", "response": {"modalities": modalities}}
    assert expected == only(client_to_ga(update))["session"]["output_modalities"]
    assert expected == only(client_to_ga(create))["response"]["output_modalities"]


def test_ga_keys_win_over_beta_keys() -> None:
    session: Event = {
        "voice": "echo",
        "modalities": ["text"],
        "turn_detection": {"type": "server_vad"},
        "audio": {"input": {"turn_detection": None}, "output": {"voice": "marin"}},
        "output_modalities": ["audio"],
    }
    assert only(client_to_ga({"type": "session.update", "session": session}))["session"] == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "audio": {"input": {"turn_detection": None}, "output": {"voice": "marin"}},
    }


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({"instructions": "x"}, "realtime"),
        ({}, "realtime"),
        ({"voice": "echo", "audio": {}}, "realtime"),
        ({"type": "transcription"}, "transcription"),
        ({"type": 5}, 5),
        ({"audio": {"output": {"voice": "echo"}}}, None),
    ],
)
def test_the_session_type_is_added_to_beta_sessions_only(session: Event, expected: object) -> None:
    ga = only(client_to_ga({"type": "session.update", "session": session}))
    assert expected == ga["session"].get("type")


def test_malformed_values_reach_the_validator() -> None:
    session: Event = {
        "input_audio_format": "mp3",
        "voice": 7,
        "turn_detection": [],
        "audio": {"output": 1},
    }
    assert only(client_to_ga({"type": "session.update", "session": session}))["session"] == {
        "type": "realtime",
        "voice": 7,
        "audio": {"input": {"format": "mp3", "turn_detection": []}, "output": 1},
    }
    odd: list[Event] = [{"type": "session.update", "session": 5}, {"type": "session.update"}, {}]
    for event in odd:
        assert [event] == client_to_ga(event)


def test_nested_functions_become_flat() -> None:
    odd: Event = {"function": {"function": {}}}
    function = {"name": "f", "description": "d", "parameters": {"type": "object"}}
    fields: Event = {
        "tools": [{"type": "function", "function": function}, {"type": "mcp"}, 5, odd],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    }
    expected: Event = {
        "tools": [{"type": "function", **function}, {"type": "mcp"}, 5, odd],
        "tool_choice": {"type": "function", "name": "f"},
    }
    update = only(client_to_ga({"type": "session.update", "session": fields}))
    create = only(client_to_ga({"type": "response.create", "response": fields}))
    assert {"type": "realtime", **expected} == update["session"]
    assert expected == create["response"]


def test_a_beta_response_request() -> None:
    event: Event = {
        "type": "response.create",
        "response": {
            "modalities": ["audio", "text"],
            "voice": "echo",
            "output_audio_format": "pcm16",
            "temperature": 0.9,
            "max_response_output_tokens": 20,
            "input": [item("completed", content=[{"type": "text", "text": "a"}])],
        },
    }
    assert {
        "output_modalities": ["audio"],
        "max_output_tokens": 20,
        "audio": {"output": {"voice": "echo", "format": PCM}},
        "input": [item("completed", content=[{"type": "output_text", "text": "a"}])],
    } == only(client_to_ga(event))["response"]


def test_only_an_assistant_s_parts_are_renamed() -> None:
    parts: list[object] = [{"type": "text", "text": "a"}, {"type": "audio"}, {"type": ["text"]}, 5]
    expected = [
        {"type": "output_text", "text": "a"},
        {"type": "output_audio"},
        {"type": ["text"]},
        5,
    ]
    for role, content in (("assistant", expected), ("user", parts)):
        event: Event = {
            "type": "conversation.item.create",
            "item": {"role": role, "content": parts},
        }
        assert content == only(client_to_ga(event))["item"]["content"]
