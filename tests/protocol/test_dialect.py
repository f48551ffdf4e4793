from __future__ import annotations

import copy
import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.beta import realtime as beta_types
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.datastructures import Headers

from realtime_nb.protocol.dialect import (
    BETA_TEMPERATURE,
    client_to_beta,
    client_to_ga,
    detect,
    is_beta_handshake,
    server_to_beta,
    server_to_ga,
)

PCM = {"type": "audio/pcm", "rate": 24_000}
ULAW = {"type": "audio/pcmu"}
ALAW = {"type": "audio/pcma"}
ALL = (client_to_ga, client_to_beta, server_to_beta, server_to_ga)

Event = dict[str, Any]


def only(events: list[dict[str, object]]) -> Event:
    assert len(events) == 1
    return events[0]


# --- The shapes of both dialects ------------------------------------------------------------------

GA_SESSION: Event = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "tools": [{"type": "function", "name": "f", "description": "", "parameters": {}}],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
    "expires_at": 1_756_324_832,
    "audio": {
        "input": {
            "format": PCM,
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 200,
                "idle_timeout_ms": None,
                "create_response": True,
                "interrupt_response": True,
            },
        },
        "output": {"format": PCM, "voice": "alloy", "speed": 1.0},
    },
    "include": None,
}

GA_TRANSCRIPTION_SESSION: Event = {
    "type": "transcription",
    "object": "realtime.transcription_session",
    "id": "sess_2",
    "expires_at": 1_756_324_832,
    "audio": {
        "input": {
            "format": ALAW,
            "transcription": {"model": "whisper-1", "language": "en", "prompt": ""},
            "noise_reduction": {"type": "near_field"},
            "turn_detection": None,
        }
    },
    "include": ["item.input_audio_transcription.logprobs"],
}


def item(status: str, **fields: object) -> Event:
    return {"id": "item_a", "type": "message", "role": "assistant", "status": status, **fields}


def ids(**fields: object) -> Event:
    place = {"response_id": "resp_1", "item_id": "item_a", "output_index": 0}
    return {**place, "content_index": 0, **fields}


def response(status: str, **fields: object) -> Event:
    return {
        "object": "realtime.response",
        "id": "resp_1",
        "status": status,
        "status_details": None,
        "output": [],
        "conversation_id": "conv_1",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "audio": {"output": {"format": PCM, "voice": "marin"}},
        "usage": None,
        "metadata": None,
        **fields,
    }


SPOKEN = item("completed", content=[{"type": "output_audio", "transcript": "Hello."}])
WRITTEN = item("incomplete", content=[{"type": "output_text", "text": "Hel"}])
USER: Event = {
    "id": "item_u",
    "type": "message",
    "role": "user",
    "status": "completed",
    "content": [{"type": "input_audio", "transcript": None}],
}
CALL: Event = {
    "id": "item_c",
    "type": "function_call",
    "status": "completed",
    "name": "f",
    "call_id": "call_1",
    "arguments": "{}",
}


def conversation() -> list[Event]:
    """A session's events as a GA server sends them: a spoken turn, a call, a written reply."""
    body: list[tuple[str, Event]] = [
        ("session.created", {"session": GA_SESSION}),
        ("session.updated", {"session": GA_SESSION}),
        ("input_audio_buffer.speech_started", {"audio_start_ms": 10, "item_id": "item_u"}),
        ("input_audio_buffer.speech_stopped", {"audio_end_ms": 900, "item_id": "item_u"}),
        ("input_audio_buffer.committed", {"previous_item_id": None, "item_id": "item_u"}),
        ("conversation.item.added", {"previous_item_id": None, "item": USER}),
        ("conversation.item.done", {"previous_item_id": None, "item": USER}),
        (
            "conversation.item.input_audio_transcription.completed",
            {
                "item_id": "item_u",
                "content_index": 0,
                "transcript": "Hi.",
                "usage": {"type": "duration", "seconds": 1.0},
            },
        ),
        ("response.created", {"response": response("in_progress")}),
        (
            "response.output_item.added",
            {
                "response_id": "resp_1",
                "output_index": 0,
                "item": item("in_progress", content=[]),
            },
        ),
        (
            "conversation.item.added",
            {"previous_item_id": "item_u", "item": item("in_progress", content=[])},
        ),
        ("response.content_part.added", ids(part={"type": "audio", "transcript": ""})),
        ("response.output_audio_transcript.delta", ids(delta="Hello.")),
        ("response.output_audio.delta", ids(delta="AAAA")),
        ("response.output_audio.done", ids()),
        ("response.output_audio_transcript.done", ids(transcript="Hello.")),
        ("response.content_part.done", ids(part={"type": "audio", "transcript": "Hello."})),
        ("conversation.item.done", {"previous_item_id": "item_u", "item": SPOKEN}),
        (
            "response.output_item.done",
            {"response_id": "resp_1", "output_index": 0, "item": SPOKEN},
        ),
        (
            "response.function_call_arguments.done",
            {
                "response_id": "resp_1",
                "item_id": "item_c",
                "output_index": 1,
                "call_id": "call_1",
                "name": "f",
                "arguments": "{}",
            },
        ),
        ("response.done", {"response": response("completed", output=[SPOKEN, CALL])}),
        ("rate_limits.updated", {"rate_limits": []}),
        ("response.output_text.delta", ids(delta="Hel")),
        ("response.output_text.done", ids(text="Hel")),
        (
            "response.done",
            {
                "response": response(
                    "cancelled",
                    output=[WRITTEN],
                    output_modalities=["text"],
                    status_details={"type": "cancelled", "reason": "turn_detected"},
                )
            },
        ),
        (
            "conversation.item.truncated",
            {"item_id": "item_a", "content_index": 0, "audio_end_ms": 100},
        ),
        ("error", {"error": {"type": "invalid_request_error", "message": "No."}}),
    ]
    return [
        {"type": name, "event_id": f"event_{n}", **fields} for n, (name, fields) in enumerate(body)
    ]


# --- Random input ---------------------------------------------------------------------------------

WORDS = sorted(
    {
        *("type", "session", "response", "item", "content", "audio", "input", "output", "format"),
        *("voice", "speed", "rate", "tools", "tool_choice", "function", "name", "modalities"),
        *("output_modalities", "temperature", "role", "assistant", "user", "status", "completed"),
        *("status_details", "text", "output_text", "output_audio", "object", "transcription"),
        *("input_audio_format", "output_audio_format", "input_audio_transcription", "pcm16"),
        *("turn_detection", "input_audio_noise_reduction", "max_response_output_tokens"),
        *("max_output_tokens", "client_secret", "g711_ulaw", "audio/pcm", "audio/pcmu"),
        *("realtime", "event_id", "include", "realtime.transcription_session", "zebra"),
    }
)
EVENT_TYPES = sorted(
    {
        *(event["type"] for event in conversation()),
        *(only(server_to_beta(e))["type"] for e in conversation() if server_to_beta(e)),
        "session.update",
        "transcription_session.update",
        "transcription_session.created",
        "response.create",
        "conversation.item.create",
        "conversation.item.retrieved",
        "zebra",
    }
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-1, 24_000)
    | st.floats(allow_nan=False)
    | st.sampled_from(WORDS)
)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6)
    ),
    max_leaves=20,
)
json_objects = st.dictionaries(st.sampled_from(WORDS), json_values, max_size=6)


def objects(*keys: str, **values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects that have some of the right keys, mostly with wrong values; sometimes no object."""
    known = {**dict.fromkeys(keys, json_values), **values}
    return st.fixed_dictionaries({}, optional=known) | json_objects | json_values


functions = objects("type", "name", function=objects("name", "function"))
parts = objects(type=st.sampled_from(["audio", "text", "output_text", "input_text"]) | json_values)
items = objects(
    "status", role=st.sampled_from(["assistant", "user"]), content=st.lists(parts, max_size=2)
)
sessions = objects(
    *("modalities", "voice", "input_audio_format", "turn_detection", "temperature", "object"),
    *("max_response_output_tokens", "max_output_tokens", "type", "status", "status_details"),
    audio=objects(input=objects("format"), output=objects("voice", "format")),
    tools=st.lists(functions, max_size=2),
    tool_choice=functions,
    input=st.lists(items, max_size=2),
    output=st.lists(items, max_size=2),
)
random_events = st.fixed_dictionaries(
    {"type": st.sampled_from(EVENT_TYPES) | json_values},
    optional={"session": sessions, "response": sessions, "item": items, "voice": json_values},
)


@pytest.mark.parametrize("convert", ALL)
@given(event=random_events)
def test_whatever_comes_is_neither_refused_nor_changed_in_place(convert: Any, event: Event) -> None:
    before = copy.deepcopy(event)

    results = convert(event)
    detect(event)

    assert before == event
    assert all(isinstance(result, dict) for result in results)
    json.dumps(results)


@pytest.mark.parametrize("convert", ALL)
@given(event=random_events)
def test_a_second_pass_changes_nothing(convert: Any, event: Event) -> None:
    once = convert(event)
    twice = [again for result in once for again in convert(result)]
    assert once == twice


@pytest.mark.parametrize("convert", ALL)
@given(fields=st.dictionaries(st.sampled_from(["name", "zebra", "event_id"]), json_values))
def test_unknown_fields_and_events_pass_untouched(convert: Any, fields: Event) -> None:
    event: Event = {"type": "vendor.extension", **fields}
    assert [event] == convert(event)

    carried = only(convert({"type": "response.created", "response": {"zebra": fields}, **fields}))
    assert fields == carried["response"]["zebra"]
    assert fields.items() <= carried.items()


def test_what_is_returned_can_be_changed() -> None:
    update: Event = {"type": "session.update", "session": {"input_audio_format": "pcm16"}}
    only(client_to_ga(update))["session"]["audio"]["input"]["format"]["rate"] = 8_000
    assert only(client_to_ga(update))["session"]["audio"]["input"]["format"] == PCM


# --- Round trips ----------------------------------------------------------------------------------

formats = st.sampled_from([PCM, ULAW, ALAW])
turn_detections = st.none() | st.fixed_dictionaries(
    {"type": st.sampled_from(["server_vad", "semantic_vad"])},
    optional={"threshold": st.floats(0, 1), "create_response": st.booleans()},
)
ga_audio = st.fixed_dictionaries(
    {},
    optional={
        "input": st.fixed_dictionaries(
            {"format": formats},
            optional={
                "transcription": st.none() | st.just({"model": "whisper-1"}),
                "noise_reduction": st.none() | st.just({"type": "far_field"}),
                "turn_detection": turn_detections,
                "zebra": json_values.filter(lambda value: value != {}),
            },
        ),
        "output": st.fixed_dictionaries(
            {"voice": st.sampled_from(["alloy", "marin"])},
            optional={"format": formats, "speed": st.floats(0.25, 1.5)},
        ),
    },
).filter(bool)
shared_fields: dict[str, st.SearchStrategy[Any]] = {
    "output_modalities": st.sampled_from([["audio"], ["text"]]),
    "instructions": st.text(max_size=5),
    "tools": st.just([]) | st.just(GA_SESSION["tools"]),
    "tool_choice": st.sampled_from(["auto", "none", {"type": "function", "name": "f"}]),
    "max_output_tokens": st.just("inf") | st.integers(1, 4096),
    "tracing": st.none() | st.just("auto"),
    "zebra": json_values,
    "audio": ga_audio,
}
ga_sessions = st.fixed_dictionaries({"type": st.just("realtime")}, optional=shared_fields)


@given(session=ga_sessions, name=st.sampled_from(["session.created", "session.updated"]))
def test_a_server_s_session_survives_the_way_through_beta(session: Event, name: str) -> None:
    event: Event = {"type": name, "event_id": "event_1", "session": session}
    assert [event] == server_to_ga(only(server_to_beta(event)))
    assert [event] == server_to_ga(event)


@given(session=ga_sessions)
def test_a_client_s_session_survives_the_way_through_beta(session: Event) -> None:
    event: Event = {"type": "session.update", "event_id": "c-1", "session": session}
    assert [event] == client_to_ga(only(client_to_beta(event)))
    assert [event] == client_to_ga(event)


@pytest.mark.parametrize("session", [GA_SESSION, GA_TRANSCRIPTION_SESSION])
def test_whole_sessions_survive_the_way_through_beta(session: Event) -> None:
    created: Event = {"type": "session.created", "event_id": "event_1", "session": session}
    update: Event = {"type": "session.update", "session": session}
    assert [created] == server_to_ga(only(server_to_beta(created)))
    assert [update] == client_to_ga(only(client_to_beta(update)))


@given(
    request=st.fixed_dictionaries(
        {},
        optional={
            **shared_fields,
            "audio": st.just({"output": {"voice": "marin", "format": ULAW}}),
            "input": st.just([SPOKEN, USER, {"type": "item_reference", "id": "item_1"}]),
            "metadata": st.just({"topic": "x"}),
        },
    )
)
def test_a_response_request_survives_the_way_through_beta(request: Event) -> None:
    event: Event = {"type": "response.create", "response": request}
    assert [event] == client_to_ga(only(client_to_beta(event)))
    assert [event] == client_to_ga(event)


def test_a_conversation_survives_the_way_through_beta() -> None:
    ga = conversation()
    through_beta = [
        back for event in ga for beta in server_to_beta(event) for back in server_to_ga(beta)
    ]

    # Only what beta could not say is missing: that an item announced unfinished is done. And a
    # completed item's done event shares the id of the one beta frame.
    def shown(events: list[Event]) -> list[Event]:
        return [
            {key: value for key, value in event.items() if key != "event_id"} for event in events
        ]

    expected = [
        event
        for event in ga
        if event["type"] != "conversation.item.done" or event["item"]["role"] == "user"
    ]
    assert shown(expected) == shown(through_beta)


def test_ga_events_pass_unchanged() -> None:
    assert [[event] for event in conversation()] == [server_to_ga(e) for e in conversation()]


# --- Against the published types ------------------------------------------------------------------

BETA_SERVER: TypeAdapter[Any] = TypeAdapter(beta_types.RealtimeServerEvent)
BETA_CLIENT: TypeAdapter[Any] = TypeAdapter(beta_types.RealtimeClientEvent)
GA_SERVER: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
GA_CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)


@pytest.mark.parametrize("event", conversation(), ids=lambda event: str(event["type"]))
def test_server_events_are_of_the_published_types(event: Event) -> None:
    for beta in server_to_beta(event):
        assert event["event_id"] == BETA_SERVER.validate_python(beta).event_id
        for ga in server_to_ga(beta):
            assert event["event_id"] == GA_SERVER.validate_python(ga).event_id


BETA_CLIENT_EVENTS: list[Event] = [
    {
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "voice": "alloy",
            "input_audio_format": "pcm16",
            "output_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad", "threshold": 0.4},
            "temperature": 0.7,
            "max_response_output_tokens": 4096,
            "tool_choice": "auto",
            "tools": [{"type": "function", "name": "f", "description": "", "parameters": {}}],
        },
    },
    {
        "type": "transcription_session.update",
        "session": {
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"model": "gpt-4o-transcribe", "language": "en"},
            "turn_detection": {"type": "server_vad"},
            "input_audio_noise_reduction": {"type": "near_field"},
        },
    },
    {
        "type": "response.create",
        "response": {
            "modalities": ["text"],
            "voice": "echo",
            "output_audio_format": "g711_alaw",
            "max_response_output_tokens": "inf",
            "temperature": 0.9,
        },
    },
    {
        "type": "conversation.item.create",
        "item": {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "Hello."}],
        },
    },
]


@pytest.mark.parametrize("event", BETA_CLIENT_EVENTS, ids=lambda event: str(event["type"]))
def test_client_events_are_of_the_published_types(event: Event) -> None:
    BETA_CLIENT.validate_python(event)
    ga = only(client_to_ga(event))
    assert ga["type"] == GA_CLIENT.validate_python(ga).type
    back = only(client_to_beta(ga))
    assert event["type"] == BETA_CLIENT.validate_python(back).type


# --- What a beta client sends ---------------------------------------------------------------------


def test_a_flat_session_becomes_nested() -> None:
    ga = only(client_to_ga(BETA_CLIENT_EVENTS[0]))
    assert ga == {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "max_output_tokens": 4096,
            "tool_choice": "auto",
            "tools": [{"type": "function", "name": "f", "description": "", "parameters": {}}],
            "audio": {
                "input": {
                    "format": PCM,
                    "transcription": {"model": "whisper-1"},
                    "turn_detection": {"type": "server_vad", "threshold": 0.4},
                },
                "output": {"format": ULAW, "voice": "alloy"},
            },
        },
    }


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


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_transcription_session_update(wrapped: bool) -> None:
    fields: Event = {
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": None,
        "input_audio_noise_reduction": {"type": "near_field"},
        "include": ["item.input_audio_transcription.logprobs"],
        "modalities": ["text", "audio"],
    }
    head: Event = {"type": "transcription_session.update", "event_id": "c-1"}
    event: Event = (
        {**head, "session": {**fields, "client_secret": {}}} if wrapped else {**head, **fields}
    )
    assert only(client_to_ga(event)) == {
        "type": "session.update",
        "event_id": "c-1",
        "session": {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": ULAW,
                    "transcription": {"model": "whisper-1"},
                    "turn_detection": None,
                    "noise_reduction": {"type": "near_field"},
                }
            },
            "include": ["item.input_audio_transcription.logprobs"],
        },
    }


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
