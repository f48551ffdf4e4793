"""Null where it says nothing, where it has a meaning, and where it is a mistake."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.realtime import realtime_response_create_params as published

from realtime_nb.protocol.nulls import item_without_nulls, response_without_nulls
from tests.protocol.peer import Event, Peer, types


@pytest.fixture
def peer() -> Peer:
    return Peer()


FIELDS = sorted(published.RealtimeResponseCreateParams.model_fields)


@pytest.mark.parametrize("field", FIELDS)
def test_a_null_in_a_response_is_the_sessions_own_setting(peer: Peer, field: str) -> None:
    peer.update(instructions="Be brief.", max_output_tokens=77)
    peer.send("response.create")
    plain = peer.responding()
    peer.finish(plain.response_id)
    events = peer.send("response.create", response={field: None})
    assert types(events) == ["response.created"]
    assert plain.settings == peer.responding().settings


@pytest.mark.feature("nulls", "server")
def test_all_nulls_at_once_beside_metadata(peer: Peer) -> None:
    response: Event = {**dict.fromkeys(FIELDS), "metadata": {"client_event_id": "a"}}
    response["audio"] = {"output": {"voice": None, "format": None}}
    (created,) = peer.send("response.create", response=response)
    assert created["response"]["metadata"] == {"client_event_id": "a"}
    assert created["response"]["audio"]["output"]["voice"] == "alloy"


@pytest.mark.parametrize("audio", [{"output": None}, {}, {"output": {}}])
def test_nulls_within_the_audio_of_a_response(peer: Peer, audio: Event) -> None:
    assert types(peer.send("response.create", response={"audio": audio})) == ["response.created"]


@pytest.mark.parametrize(
    ("response", "code", "param"),
    [
        ({"temperature": None}, "unknown_parameter", "response.temperature"),
        ({"audio": {"input": None}}, "unknown_parameter", "response.audio.input"),
        (
            {"audio": {"output": {"speed": None}}},
            "unknown_parameter",
            "response.audio.output.speed",
        ),
        ({"input": [None]}, "invalid_type", "response.input[0]"),
        ({"tools": [None]}, "invalid_type", "response.tools[0]"),
        ({"metadata": {"a": None}}, "invalid_type", "response.metadata"),
    ],
)
def test_a_null_that_is_none_of_those_is_refused(
    peer: Peer, response: Event, code: str, param: str
) -> None:
    error = peer.refused("response.create", response=response)
    assert error["code"] == code
    assert str(error["param"]).startswith(param)


def _at(path: str, value: object) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    "path",
    [
        "audio.input.turn_detection",
        "audio.input.transcription",
        "audio.input.noise_reduction",
        "tracing",
        "prompt",
        "include",
    ],
)
def test_a_null_that_a_session_knows_is_in_force(peer: Peer, path: str) -> None:
    (updated,) = peer.update(**_at(path, None))
    found = updated["session"]
    for name in path.split("."):
        found = found[name]
    assert found is None


def test_a_session_that_is_sent_back_as_it_came_is_accepted(peer: Peer) -> None:
    session = dict(peer.greeting[0]["session"])
    for own in ("id", "object", "expires_at"):
        del session[own]
    (updated,) = peer.send("session.update", session=session)
    assert peer.greeting[0]["session"] == updated["session"]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("audio.output.speed", "a decimal"),
        ("instructions", "a string"),
        ("tools", "an array"),
        ("parallel_tool_calls", "a boolean"),
        ("audio", "an object"),
    ],
)
def test_a_null_that_a_session_does_not_know_is_refused_in_the_hosted_words(
    peer: Peer, path: str, wanted: str
) -> None:
    error = peer.refused("session.update", session={"type": "realtime", **_at(path, None)})
    assert (error["code"], error["param"]) == ("invalid_type", f"session.{path}")
    assert error["message"] == (
        f"Invalid type for 'session.{path}': expected {wanted}, but got null instead."
    )


@pytest.mark.feature("nulls", "server")
def test_an_items_nulls_are_as_if_left_out(peer: Peer) -> None:
    text = {"type": "input_text", "text": "Hi"}
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": None}
    spare = {"id": None, "object": None, "status": None}
    message = {"type": "message", "role": "user", "content": [text, picture], **spare}
    added, done = peer.send("conversation.item.create", item=message, previous_item_id=None)
    assert added["item"]["id"]
    assert done["item"]["content"][0]["text"] == "Hi"
    assert "detail" not in done["item"]["content"][1]
    call = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": None, **spare}
    added, _ = peer.send("conversation.item.create", item=call)
    assert added["item"]["call_id"]
    events = peer.send("response.create", response={"input": [message], "conversation": "none"})
    assert types(events) == ["response.created"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"role": None}, "item.role"),
        ({"content": None}, "item.content"),
        ({"content": [{"type": "input_text", "text": None}]}, "item.content[0].text"),
    ],
)
def test_what_an_item_must_have_is_not_null(peer: Peer, change: Event, param: str) -> None:
    item = {"type": "message", "role": "user", "content": [], **change}
    error = peer.refused("conversation.item.create", item=item)
    assert error["param"] == param


@pytest.mark.parametrize("value", [None, 1, "a", [None], {}])
def test_nonsense_is_left_to_the_validator(value: object) -> None:
    item = {"type": value, "content": value, "role": value}
    assert item_without_nulls(item) == item
    assert response_without_nulls({"x": value, "input": [value]}) == {"x": value, "input": [value]}
