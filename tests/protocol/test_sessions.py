"""A server's session: as it begins, as it changes, what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.peer import Peer, peer_with_something_to_lose, types


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def used() -> Peer:
    return peer_with_something_to_lose()


def test_the_first_frame_is_the_whole_session(peer: Peer) -> None:
    (created,) = peer.greeting
    assert created["type"] == "session.created"
    assert list(created["session"]) == [
        "type",
        "object",
        "id",
        "model",
        "output_modalities",
        "instructions",
        "tools",
        "tool_choice",
        "max_output_tokens",
        "tracing",
        "truncation",
        "prompt",
        "expires_at",
        "include",
        "audio",
    ]
    assert created["session"]["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }


def test_an_update_answers_the_whole_session_and_changes_only_what_it_names(peer: Peer) -> None:
    before = peer.core.session
    (updated,) = peer.update(instructions="", tools=[], audio={"output": {"speed": 1.25}})
    assert updated["type"] == "session.updated"
    audio = {**before["audio"], "output": {**before["audio"]["output"], "speed": 1.25}}
    assert {**before, "instructions": "", "audio": audio} == updated["session"]


def test_fields_that_a_local_server_ignores_are_accepted_and_echoed(peer: Peer) -> None:
    fields: dict[str, Any] = {
        "tracing": {"workflow_name": "w", "group_id": "g", "metadata": {"a": 1}},
        "truncation": {
            "type": "retention_ratio",
            "retention_ratio": 0.8,
            "token_limits": {"post_instructions": 500},
        },
        "prompt": {"id": "pmpt_1", "version": "2", "variables": {"city": "Rome"}},
        "reasoning": {"effort": "low"},
        "parallel_tool_calls": True,
        "tool_choice": {"type": "mcp", "server_label": "m"},
        "tools": [{"type": "mcp", "server_label": "m", "server_url": "https://m.example"}],
        "model": "local",
    }
    updated, *_ = peer.update(**fields)
    assert fields == {name: updated["session"][name] for name in fields}


def session_audio(**values: Any) -> dict[str, Any]:
    return {"audio": values}


def detection(**values: Any) -> dict[str, Any]:
    return session_audio(input={"turn_detection": values})


DETECTION = "session.audio.input.turn_detection"


@pytest.mark.feature("settings", "server")
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
    used: Peer, patch: dict[str, Any], code: str, param: str
) -> None:
    session = {"type": "realtime", "instructions": "also lost", **patch}
    error = used.refused("session.update", session=session)
    assert (error["code"], error["param"]) == (code, param)
    assert param in error["message"] or code == "invalid_value"


def test_the_messages_are_those_of_the_hosted_server(used: Peer) -> None:
    def message(**session: Any) -> str:
        return str(used.refused("session.update", session=session)["message"])

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


def test_the_voice_is_locked_by_the_first_sound(used: Peer) -> None:
    voice: dict[str, Any] = {"audio": {"output": {"voice": "marin"}}}
    assert types(used.update(**voice)) == ["session.updated"]
    used.answer()
    voice["audio"]["output"]["voice"] = "cedar"
    for kind, fields in (
        ("session.update", {"session": {"type": "realtime", **voice}}),
        ("response.create", {"response": voice}),
    ):
        error = used.refused(kind, **fields)
        assert (error["code"], error["param"]) == ("cannot_update_voice", None)
    voice["audio"]["output"]["voice"] = "marin"  # naming the voice in use is fine
    assert types(used.update(**voice)) == ["session.updated"]
