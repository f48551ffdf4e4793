"""What is refused: code, field, the client's event id, and that nothing has changed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from realtime_nb.testing import silence, tone
from tests.protocol.peer import Peer, encoded, types


@pytest.fixture
def peer() -> Peer:
    peer = Peer()
    peer.write("something to lose", id="text")
    peer.append(silence(96))
    return peer


def session_audio(**values: Any) -> dict[str, Any]:
    return {"audio": values}


def detection(**values: Any) -> dict[str, Any]:
    return session_audio(input={"turn_detection": values})


DETECTION = "session.audio.input.turn_detection"


@pytest.mark.parametrize(
    ("patch", "code", "param"),
    [
        ({"temperature": 0.8}, "unknown_parameter", "session.temperature"),
        ({"modalities": ["text"], "type": "realtime"}, "unknown_parameter", "session.modalities"),
        ({"type": None}, "invalid_type", "session.type"),
        ({"type": "video"}, "invalid_value", "session.type"),
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ({"model": "another"}, "invalid_value", "session.model"),
        ({"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
        ({"output_modalities": ["video"]}, "invalid_value", "session.output_modalities[0]"),
        ({"output_modalities": []}, "array_below_min_length", "session.output_modalities"),
        ({"instructions": 5}, "invalid_type", "session.instructions"),
        ({"instructions": "new", "tools": 5}, "invalid_type", "session.tools"),
        ({"max_output_tokens": 0}, "integer_below_min_value", "session.max_output_tokens"),
        ({"max_output_tokens": 10**30}, "integer_above_max_value", "session.max_output_tokens"),
        ({"max_output_tokens": "all"}, "invalid_value", "session.max_output_tokens"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
        ({"tools": [{"type": "f"}]}, "invalid_value", "session.tools[0].type"),
        ({"tool_choice": "maybe"}, "invalid_value", "session.tool_choice"),
        (
            {"tool_choice": {"type": "function"}},
            "missing_required_parameter",
            "session.tool_choice.name",
        ),
        ({"include": ["everything"]}, "invalid_value", "session.include[0]"),
        (
            detection(type="server_vad", threshold=1.5),
            "decimal_above_max_value",
            f"{DETECTION}.threshold",
        ),
        (
            detection(type="server_vad", threshold=-1),
            "decimal_below_min_value",
            f"{DETECTION}.threshold",
        ),
        (
            detection(type="semantic_vad", threshold=0.5),
            "unknown_parameter",
            f"{DETECTION}.threshold",
        ),
        (
            detection(type="server_vad", eagerness="low"),
            "unknown_parameter",
            f"{DETECTION}.eagerness",
        ),
        (detection(type="semantic_vad", eagerness="x"), "invalid_value", f"{DETECTION}.eagerness"),
        (
            detection(type="server_vad", idle_timeout_ms=4_999),
            "integer_below_min_value",
            f"{DETECTION}.idle_timeout_ms",
        ),
        (detection(threshold=0.5), "missing_required_parameter", f"{DETECTION}.type"),
        (detection(type="vad"), "invalid_value", f"{DETECTION}.type"),
        (
            session_audio(input={"format": {"type": "audio/pcm"}}),
            "missing_required_parameter",
            "session.audio.input.format.rate",
        ),
        (
            session_audio(input={"format": {"type": "audio/pcm", "rate": 16_000}}),
            "integer_below_min_value",
            "session.audio.input.format.rate",
        ),
        (
            session_audio(output={"speed": 2}),
            "decimal_above_max_value",
            "session.audio.output.speed",
        ),
        (
            session_audio(output={"voice": {}}),
            "missing_required_parameter",
            "session.audio.output.voice.id",
        ),
    ],
)
def test_an_update_with_one_bad_field_changes_nothing(
    peer: Peer, patch: dict[str, Any], code: str, param: str
) -> None:
    session = {"type": "realtime", "instructions": "also lost", **patch}
    error = peer.refused("session.update", session=session)
    assert (error["code"], error["param"]) == (code, param)
    assert param in error["message"] or code == "invalid_value"


def test_the_messages_are_those_of_the_hosted_server(peer: Peer) -> None:
    def message(**session: Any) -> str:
        return str(peer.refused("session.update", session=session)["message"])

    assert message() == "Missing required parameter: 'session.type'."
    assert message(type="realtime", x=1) == "Unknown parameter: 'session.x'."
    assert message(type="realtime", output_modalities=["audio", "text"]) == (
        "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and ['audio']."
    )
    assert message(type="realtime", max_output_tokens=0) == (
        "Invalid 'session.max_output_tokens': integer below minimum value. "
        "Expected a value >= 1, but got 0 instead."
    )
    assert message(type="x") == (
        "Invalid value: 'x'. Supported values are: 'realtime' and 'transcription'."
    )


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
            "response.create",
            {"response": {"metadata": {"a": 1}}},
            "invalid_type",
            "response.metadata",
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


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("NaN", "invalid_json"),
        ('{"type": "response.create", "x": NaN}', "invalid_json"),
        ('"\\ud800"', "invalid_json"),
        ("\ud800", "invalid_json"),
        ("1" * 5_000, "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ('{"type": ' * 900 + "1" + "}" * 900, "invalid_value"),
        ("null", "invalid_event"),
        ("[]", "invalid_event"),
        ("5", "invalid_event"),
        ("{}", "invalid_event"),
        ('{"type": null}', "invalid_event"),
        ('{"type": 5}', "invalid_value"),
        ('{"type": ""}', "invalid_value"),
        (
            '{"type": "response.create", "response": ' + '{"a":' * 100 + "1" + "}" * 101,
            "invalid_event",
        ),
        (
            '{"type": "response.create", "response": {"max_output_tokens": ' + "9" * 4_000 + "}}",
            None,
        ),
        (b'{"type": "response.create"}', "invalid_event"),
    ],
)
def test_frames_that_are_no_events(peer: Peer, frame: str | bytes, code: str | None) -> None:
    before = peer.state()
    (event,) = peer.send_frame(frame)
    assert event["type"] == "error"
    assert code is None or event["error"]["code"] == code
    assert event["error"]["event_id"] is None
    assert peer.state() == before


def test_an_error_quotes_no_more_than_a_line_of_what_was_sent(peer: Peer) -> None:
    session = {"type": "realtime", "x" * 100_000: 1}
    error = peer.refused("session.update", session=session)
    assert len(error["message"]) <= 1_000
    assert len(error["param"]) <= 1_000


def test_an_event_id_is_text_of_at_most_512_characters(peer: Peer) -> None:
    for event_id, echoed in (("e" * 513, None), (5, None), ("e" * 512, "e" * 512)):
        (event,) = peer.send("response.cancel", event_id=event_id)
        assert event["error"]["event_id"] == echoed
        assert event["error"]["param"] == (None if echoed else "event_id")


def test_a_second_response_must_wait(peer: Peer) -> None:
    (created,) = peer.send("response.create")
    error = peer.refused("response.create")
    assert error["code"] == "conversation_already_has_active_response"
    assert created["response"]["id"] in error["message"]


def test_out_of_band_responses_are_bounded(peer: Peer) -> None:
    for _ in range(8):
        peer.send("response.create", response={"conversation": "none"})
    error = peer.refused("response.create", response={"conversation": "none"})
    assert error["code"] == "rate_limit_exceeded"


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


def test_the_voice_is_locked_by_the_first_sound(peer: Peer) -> None:
    voice: dict[str, Any] = {"audio": {"output": {"voice": "marin"}}}
    assert types(peer.update(**voice)) == ["session.updated"]
    peer.answer()
    voice["audio"]["output"]["voice"] = "cedar"
    for kind, fields in (
        ("session.update", {"session": {"type": "realtime", **voice}}),
        ("response.create", {"response": voice}),
    ):
        error = peer.refused(kind, **fields)
        assert (error["code"], error["param"]) == ("cannot_update_voice", None)
    voice["audio"]["output"]["voice"] = "marin"  # naming the voice in use is fine
    assert types(peer.update(**voice)) == ["session.updated"]


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


def test_an_append_is_bounded(peer: Peer) -> None:
    audio = "A" * (15 * 1024 * 1024 + 4)
    frame = msgspec.json.encode({"type": "input_audio_buffer.append", "audio": audio}).decode()
    (event,) = peer.send_frame(frame)
    assert event["error"]["code"] == "string_above_max_length"


def test_a_connection_that_has_shown_its_dialect_gets_no_second_one(peer: Peer) -> None:
    peer.update(instructions="GA")
    error = peer.refused("transcription_session.update", session={"modalities": ["text"]})
    assert (error["code"], error["param"]) == ("invalid_value", "type")


def test_four_bad_events_leave_the_session_usable(peer: Peer) -> None:
    for frame in ("{", "[]", '{"type": "x"}', b"\0"):
        peer.send_frame(frame)
    peer.answer()
