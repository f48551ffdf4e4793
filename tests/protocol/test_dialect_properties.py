"""What holds for whatever is converted, and for the way to the beta and back."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol.dialect import (
    client_to_beta,
    client_to_ga,
    detect,
    server_to_beta,
    server_to_ga,
)
from tests.protocol.dialect_shapes import (
    ALAW,
    GA_SESSION,
    GA_TRANSCRIPTION_SESSION,
    PCM,
    SPOKEN,
    ULAW,
    USER,
    Event,
    conversation,
    only,
)

ALL = (client_to_ga, client_to_beta, server_to_beta, server_to_ga)

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


@given(event=random_events)
def test_whatever_comes_is_neither_refused_nor_changed_in_place(event: Event) -> None:
    before = copy.deepcopy(event)

    detect(event)
    for convert in ALL:
        results = convert(event)

        assert before == event, convert
        assert all(isinstance(result, dict) for result in results), convert
        json.dumps(results)


@given(event=random_events)
def test_a_second_pass_changes_nothing(event: Event) -> None:
    for convert in ALL:
        once = convert(event)
        twice = [again for result in once for again in convert(result)]
        assert once == twice, convert


@given(fields=st.dictionaries(st.sampled_from(["name", "zebra", "event_id"]), json_values))
def test_unknown_fields_and_events_pass_untouched(fields: Event) -> None:
    event: Event = {"type": "vendor.extension", **fields}
    response: Event = {"type": "response.created", "response": {"zebra": fields}, **fields}
    for convert in ALL:
        assert [event] == convert(event), convert

        carried = only(convert(response))
        assert fields == carried["response"]["zebra"], convert
        assert fields.items() <= carried.items(), convert


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
