"""What is refused: code, field, the client's event id, and that nothing has changed."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.protocol.events import CLIENT_EVENTS
from realtime_nb.testing import silence, tone
from tests.protocol.peer import Peer, encoded, peer_with_something_to_lose


@pytest.fixture
def peer() -> Peer:
    return peer_with_something_to_lose()


MESSAGE = {"type": "message", "role": "user"}


@pytest.mark.parametrize(
    ("kind", "fields", "code", "param"),
    [
        ("nothing.known", {}, "invalid_value", "type"),
        ("output_audio_buffer.clear", {}, "invalid_value", "type"),
        ("session.update", {}, "missing_required_parameter", "session"),
        ("session.update", {"session": []}, "invalid_type", "session"),
        ("input_audio_buffer.append", {}, "missing_required_parameter", "audio"),
        ("input_audio_buffer.append", {"audio": "???"}, "invalid_value", "audio"),
        ("input_audio_buffer.append", {"audio": "YQ==YQ=="}, "invalid_value", "audio"),
        ("input_audio_buffer.append", {"audio": "é"}, "invalid_value", "audio"),
        ("input_audio_buffer.append", {"audio": {"x": 1}}, "invalid_type", "audio"),
        ("input_audio_buffer.append", {"audio": None}, "invalid_type", "audio"),
        ("input_audio_buffer.append", {"audio": "", "x": 1}, "unknown_parameter", "x"),
        ("input_audio_buffer.commit", {}, "input_audio_buffer_commit_empty", None),
        ("conversation.item.create", {}, "missing_required_parameter", "item"),
        ("conversation.item.create", {"item": {}}, "missing_required_parameter", "item.type"),
        ("conversation.item.create", {"item": {"type": "x"}}, "invalid_value", "item.type"),
        (
            "conversation.item.create",
            {"item": {**MESSAGE, "content": [{"type": "input_text"}]}},
            "missing_required_parameter",
            "item.content[0].text",
        ),
        (
            "conversation.item.create",
            {"item": {**MESSAGE, "content": [{"type": "output_text", "text": "a"}]}},
            "invalid_value",
            "item.content[0].type",
        ),
        (
            "conversation.item.create",
            {"item": {**MESSAGE, "content": [{"type": "input_audio", "audio": "%"}]}},
            "invalid_value",
            "item.content[0].audio",
        ),
        (
            "conversation.item.create",
            {"item": {**MESSAGE, "content": [], "id": "text"}},
            "invalid_value",
            "item.id",
        ),
        (
            "conversation.item.create",
            {"item": {**MESSAGE, "content": []}, "previous_item_id": "gone"},
            "invalid_value",
            "previous_item_id",
        ),
        (
            "conversation.item.create",
            {"item": {"type": "function_call_output", "call_id": "gone", "output": "1"}},
            "invalid_tool_call_id",
            None,
        ),
        (
            "conversation.item.create",
            {"item": {"type": "function_call_output", "call_id": "a b", "output": "1"}},
            "invalid_value",
            "item.call_id",
        ),
        (
            "conversation.item.retrieve",
            {"item_id": "gone"},
            "item_retrieve_invalid_item_id",
            "item_id",
        ),
        ("conversation.item.retrieve", {"item_id": 5}, "invalid_type", "item_id"),
        ("conversation.item.delete", {"item_id": "gone"}, "item_delete_invalid_item_id", "item_id"),
        (
            "conversation.item.truncate",
            {"item_id": "gone", "content_index": 0, "audio_end_ms": 10},
            "item_truncate_invalid_item_id",
            "item_id",
        ),
        (
            "conversation.item.truncate",
            {"item_id": "text", "content_index": 0, "audio_end_ms": 10},
            "unsupported_content_type",
            None,
        ),
        (
            "conversation.item.truncate",
            {"item_id": "text", "content_index": 0, "audio_end_ms": 1.5},
            "invalid_type",
            "audio_end_ms",
        ),
        ("response.cancel", {}, "response_cancel_not_active", None),
        ("response.cancel", {"response_id": "resp_9"}, "response_cancel_not_active", None),
        ("response.create", {"response": 1}, "invalid_type", "response"),
        (
            "response.create",
            {"response": {"temperature": 1}},
            "unknown_parameter",
            "response.temperature",
        ),
        (
            "response.create",
            {"response": {"audio": {"output": {"speed": 1}}}},
            "unknown_parameter",
            "response.audio.output.speed",
        ),
        (
            "response.create",
            {"response": {"conversation": "x"}},
            "invalid_value",
            "response.conversation",
        ),
        (
            "response.create",
            {"response": {"output_modalities": ["text", "audio"]}},
            "invalid_value",
            "response.output_modalities",
        ),
        (
            "session.update",
            {"session": {"type": "realtime", "truncation": {"retention_ratio": 0.5}}},
            "missing_required_parameter",
            "session.truncation.type",
        ),
        (
            "session.update",
            {"session": {"type": "realtime", "truncation": {"type": 5, "retention_ratio": 0.5}}},
            "invalid_type",
            "session.truncation.type",
        ),
        (
            "session.update",
            {"session": {"type": None}},
            "invalid_type",
            "session.type",
        ),
        (
            "response.create",
            {"response": {"metadata": {"a": 1}}},
            "invalid_type",
            "response.metadata.a",
        ),
        (
            "response.create",
            {"response": {"metadata": {"a" * 65: "b"}}},
            "string_above_max_length",
            "response.metadata",
        ),
        (
            "response.create",
            {"response": {"metadata": {str(i): "" for i in range(17)}}},
            "object_above_max_length",
            "response.metadata",
        ),
        (
            "response.create",
            {"response": {"input": [{"type": "item_reference", "id": "gone"}]}},
            "invalid_value",
            "response.input[0].id",
        ),
        (
            "response.create",
            {"response": {"input": [{"type": "item_reference"}]}},
            "missing_required_parameter",
            "response.input[0].id",
        ),
        (
            "response.create",
            {"response": {"input": [{"type": "message"}]}},
            "missing_required_parameter",
            "response.input[0].role",
        ),
    ],
)
def test_an_event_that_can_not_be_obeyed(
    peer: Peer, kind: str, fields: dict[str, Any], code: str, param: str | None
) -> None:
    error = peer.refused(kind, **fields)
    assert (error["code"], error["param"]) == (code, param)


def test_an_error_quotes_no_more_than_a_line_of_what_was_sent(peer: Peer) -> None:
    session = {"type": "realtime", "x" * 100_000: 1}
    error = peer.refused("session.update", session=session)
    assert len(error["message"]) <= 1_000
    assert len(error["param"]) <= 1_000


def test_a_short_commit_says_how_short(peer: Peer) -> None:
    assert peer.refused("input_audio_buffer.commit")["message"] == (
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
        "but buffer only has 96.00ms of audio."
    )


def test_truncation_beyond_the_audio(peer: Peer) -> None:
    item_id = peer.answer(audio_ms=400)
    ask = {"item_id": item_id, "content_index": 0}
    error = peer.refused("conversation.item.truncate", **ask, audio_end_ms=401)
    assert (error["code"], error["param"]) == ("invalid_value", "audio_end_ms")
    assert error["message"] == "Audio content of 400ms is already shorter than 401ms"
    error = peer.refused("conversation.item.truncate", **ask, audio_end_ms=-1)
    assert error["code"] == "integer_below_min_value"
    ask["content_index"] = 1
    error = peer.refused("conversation.item.truncate", **ask, audio_end_ms=100)
    assert error["code"] == "unsupported_content_type"


def test_the_id_that_was_announced_is_taken(peer: Peer) -> None:
    (started,) = peer.append(tone(640))
    item = {**MESSAGE, "content": [], "id": started["item_id"]}
    assert peer.refused("conversation.item.create", item=item)["param"] == "item.id"


def test_audio_that_is_never_committed_is_bounded() -> None:
    peer = Peer()
    peer.update_input(turn_detection=None)
    minute = encoded(silence(60_000))
    for _ in range(15):
        assert peer.send("input_audio_buffer.append", audio=minute) == []
    peer.append(silence(20))
    assert peer.refused("input_audio_buffer.append", audio=minute)["code"] == (
        "input_audio_buffer_full"
    )
    peer.send("input_audio_buffer.clear")
    assert peer.send("input_audio_buffer.append", audio=minute) == []


BETA_EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "flat": ("session.update", {"session": {"modalities": ["text"], "voice": "alloy"}}),
    "voice alone": ("session.update", {"session": {"voice": "alloy"}}),
    "old name": ("transcription_session.update", {"session": {"input_audio_format": "pcm16"}}),
    "unwrapped": ("transcription_session.update", {"input_audio_format": "pcm16"}),
}


@pytest.mark.parametrize("name", BETA_EVENTS)
def test_a_beta_event_is_refused_as_openai_does_and_leaves_a_connection_ga(
    peer: Peer, name: str
) -> None:
    kind, fields = BETA_EVENTS[name]
    for _ in range(2):
        error = peer.refused(kind, **fields)
        expected = (
            ("missing_required_parameter", "session.type")
            if kind == "session.update"
            else ("invalid_value", "type")
        )
        assert (error["code"], error["param"]) == expected
        assert peer.core.dialect == "ga"
    peer.write("still GA")  # conversation.item.added and .done


@pytest.mark.parametrize(
    "session",
    [
        {"voice": 5},
        {"modalities": ["dance"]},
        {"turn_detection": {"type": "server_vad", "threshold": 2}},
        {"input_audio_format": "mp3"},
        {"voice": "alloy", "unheard_of": 1},
    ],
)
def test_a_refused_beta_event_settles_nothing_where_the_dialect_is_guessed(
    session: dict[str, Any],
) -> None:
    peer = Peer(dialect="auto")
    peer.refused("session.update", session=session)
    assert peer.core.dialect == "ga"
    peer.write("still GA")
    peer.core.receive({"type": "session.update", "session": {"voice": "ash"}})
    (updated,) = peer.core.events_to_send()
    assert updated["session"]["voice"] == "ash"
    assert str(peer.core.dialect) == "beta"  # read anew


def test_a_refused_ga_event_settles_nothing_either() -> None:
    peer = Peer(dialect="auto")
    peer.refused("session.update", session={"type": "realtime", "unheard_of": 1})
    peer.core.receive({"type": "session.update", "session": {"voice": "ash"}})
    (updated,) = peer.core.events_to_send()
    assert updated["session"]["voice"] == "ash"


def test_a_connection_that_has_shown_its_dialect_gets_no_second_one() -> None:
    peer = Peer(dialect="auto")
    peer.update(instructions="GA")
    error = peer.refused("transcription_session.update", session={"modalities": ["text"]})
    assert (error["code"], error["param"]) == ("invalid_value", "type")


def test_what_a_running_response_locks(peer: Peer) -> None:
    faster: dict[str, Any] = {"audio": {"output": {"speed": 1.25}}}
    peer.send("response.create")
    job = peer.responding()
    error = peer.refused("session.update", session={"type": "realtime", **faster})
    assert (error["code"], error["param"]) == ("invalid_value", "session.audio.output.speed")
    assert "in progress" in error["message"]
    peer.update(audio={"output": {"speed": 1.0}})  # as it is
    peer.finish(job.response_id)
    (updated,) = peer.update(**faster)
    assert updated["session"]["audio"]["output"]["speed"] == 1.25


def test_tracing_stays_as_it_was_enabled(peer: Peer) -> None:
    peer.update(tracing="auto")
    peer.update(tracing="auto")
    for other in (None, {"workflow_name": "a"}):
        error = peer.refused("session.update", session={"type": "realtime", "tracing": other})
        assert error["param"] == "session.tracing"


@pytest.mark.parametrize(
    ("field", "value", "listed"),
    [
        ("truncation", "x", "'auto' and 'disabled'"),
        ("tracing", "x", "'auto'"),
        ("max_output_tokens", "x", "'inf'"),
        ("output_modalities", ["x"], "'text' and 'audio'"),
        ("tool_choice", {"type": "x"}, "'function' and 'mcp'"),
        ("tools", [{"type": "x"}], "'function' and 'mcp'"),
        ("reasoning", {"effort": "x"}, "'minimal', 'low', 'medium', 'high' and 'xhigh'"),
    ],
)
def test_what_would_be_right_is_listed(peer: Peer, field: str, value: Any, listed: str) -> None:
    error = peer.refused("session.update", session={"type": "realtime", field: value})
    assert error["code"] == "invalid_value"
    assert error["message"] == f"Invalid value: 'x'. Supported values are: {listed}."


def test_what_is_too_long_is_told_with_its_length(peer: Peer) -> None:
    item = {"type": "message", "role": "user", "content": [], "id": "i" * 65}
    assert peer.refused("conversation.item.create", item=item)["message"] == (
        "Invalid 'item.id': string too long. "
        "Expected a string with maximum length 64, but got a string with length 65 instead."
    )


def test_the_lists_of_what_would_be_right_are_worded_as_on_the_wire(peer: Peer) -> None:
    def said(kind: str, **fields: Any) -> str:
        return str(peer.refused(kind, **fields)["message"])

    assert said("x") == (
        "Invalid value: 'x'. Supported values are: 'session.update', 'input_audio_buffer.append', "
        "'input_audio_buffer.commit', 'input_audio_buffer.clear', 'conversation.item.create', "
        "'conversation.item.truncate', 'conversation.item.delete', 'conversation.item.retrieve', "
        "'response.create' and 'response.cancel'."
    )
    for role, may in (
        ("user", "'input_text', 'input_audio' and 'input_image'"),
        ("assistant", "'output_text'"),
        ("system", "'input_text'"),
    ):
        for part in ("x", "output_audio"):
            item = {"type": "message", "role": role, "content": [{"type": part}]}
            error = peer.refused("conversation.item.create", item=item)
            assert error["message"] == f"Invalid value: '{part}'. Supported values are: {may}."
            assert (error["code"], error["param"]) == ("invalid_value", "item.content[0].type")
    item = {"type": "function_call_output", "call_id": "a b", "output": ""}
    assert said("conversation.item.create", item=item) == (
        "Invalid 'item.call_id': string does not match pattern. "
        "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    )


def test_every_event_is_in_the_list() -> None:
    (event,) = Peer().send("x")
    assert all(f"'{name}'" in event["error"]["message"] for name in CLIENT_EVENTS)


@pytest.mark.parametrize(
    ("session", "code", "param", "words"),
    [
        ({"voice": 5}, "invalid_type", "session.voice", "got an integer"),
        ({"speed": 9}, "decimal_above_max_value", "session.speed", "<= 1.5"),
        (
            {"max_response_output_tokens": 0},
            "integer_below_min_value",
            "session.max_response_output_tokens",
            ">= 1",
        ),
        ({"input_audio_format": "pcm8"}, "invalid_value", "session.input_audio_format", "'pcm16'"),
        (
            {"output_audio_format": {}},
            "invalid_value",
            "session.output_audio_format",
            "'g711_ulaw'",
        ),
        (
            {"modalities": ["text", "text"]},
            "invalid_value",
            "session.modalities",
            "are: ['text'] and ['audio', 'text'].",
        ),
        ({"modalities": ["song"]}, "invalid_value", "session.modalities[0]", "'song'"),
        (
            {"turn_detection": {"type": "server_vad", "threshold": 2}},
            "decimal_above_max_value",
            "session.turn_detection.threshold",
            "'session.turn_detection.threshold'",
        ),
        (
            {"input_audio_transcription": "x"},
            "invalid_type",
            "session.input_audio_transcription",
            "",
        ),
        ({"unheard_of": 1}, "unknown_parameter", "session.unheard_of", ""),
        ({"tools": 1}, "invalid_type", "session.tools", ""),
    ],
)
def test_a_beta_client_is_told_of_the_fields_that_it_sent(
    session: dict[str, Any], code: str, param: str, words: str
) -> None:
    error = Peer("beta").refused("session.update", session=session)
    assert (error["code"], error["param"]) == (code, param)
    assert param in error["message"] or "modalities" in param
    assert words in error["message"]
    for path in (".audio.", "output_modalities", "max_output_tokens"):
        assert path not in error["message"]


def test_a_beta_response_is_refused_in_its_own_names() -> None:
    error = Peer("beta").refused("response.create", response={"voice": 5, "modalities": ["text"]})
    assert error["param"] == "response.voice"
