from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.config import (
    SESSION_OPTIONS,
    merge_session,
    patient,
    patient_options,
    session_config,
    waits_for_silence,
)
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD


def test_only_what_is_set_travels_and_none_does() -> None:
    assert session_config() == {"type": "realtime"}
    assert session_config(turn_detection=None, voice="marin", instructions="") == {
        "type": "realtime",
        "instructions": "",
        "audio": {"input": {"turn_detection": None}, "output": {"voice": "marin"}},
    }


def test_friendly_values_become_those_of_the_wire() -> None:
    config = session_config(
        tools=[{"type": "function", "name": "f"}],
        turn_detection=ServerVAD(threshold=0.6, idle_timeout_ms=None),
        transcription="whisper-1",
        input_format="g711_ulaw",
        output_format={"type": "audio/pcm", "rate": 24_000},
        output_modalities="text",
    )
    assert config == {
        "type": "realtime",
        "output_modalities": ["text"],
        "tools": [{"type": "function", "name": "f"}],
        "audio": {
            "input": {
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.6,
                    "idle_timeout_ms": None,
                },
                "transcription": {"model": "whisper-1"},
                "format": {"type": "audio/pcmu"},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24_000}},
        },
    }
    semantic = session_config(turn_detection=SemanticVAD(eagerness="low"))
    assert semantic["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "low",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"instruction": "x"}, "Did you mean 'instructions'"),
        ({"qwertz": 1}, r"'qwertz'\. There are "),
        ({"input_format": "mp3"}, "pcm16, g711_ulaw, g711_alaw"),
        ({"speed": 3.0}, "speed"),
        ({"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}, "threshold"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_what_the_protocol_does_not_allow_is_said_before_it_is_sent(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        session_config(**options)


def test_every_option_is_taken() -> None:
    values: dict[str, Any] = {
        "instructions": "a",
        "voice": {"id": "voice_1"},
        "speed": 1.5,
        "output_modalities": ["audio"],
        "turn_detection": None,
        "transcription": None,
        "noise_reduction": {"type": "near_field", "strength": 0.5},
        "input_format": "pcm16",
        "output_format": "g711_alaw",
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "high"},
        "max_output_tokens": "inf",
        "truncation": "disabled",
        "tracing": None,
        "prompt": {"id": "p"},
        "include": None,
    }
    assert set(values) == set(SESSION_OPTIONS)
    assert session_config(**values)["type"] == "realtime"


def test_a_merge_replaces_whole_objects_inside_a_side() -> None:
    session = merge_session(
        {"type": "realtime", "audio": {"input": {"format": 1}, "output": {"voice": "a"}}},
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}}},
    )
    assert session["audio"]["output"] == {"voice": "a"}
    assert session["audio"]["input"]["format"] == 1
    assert session["audio"]["input"]["turn_detection"]["threshold"] == 0.9
    again = merge_session(
        session, {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
    )
    assert again["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }
    assert session["audio"]["input"]["turn_detection"]["threshold"] == 0.9  # not changed in place


@pytest.mark.parametrize(
    ("session", "waits"),
    [
        ({}, True),  # a server that tells nothing
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}},
            True,
        ),
        ({"audio": {"input": {"turn_detection": {"threshold": 0.5}}}}, True),
        ({"audio": {"input": {"turn_detection": None}}}, False),
        ({"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}, False),
        ({"audio": {"input": {"turn_detection": {"type": "of its own"}}}}, False),
        ({"type": "transcription"}, False),
        ({"audio": "none"}, True),
        ({"audio": {"input": [1]}}, True),
        ({"audio": {"input": {"turn_detection": "server_vad"}}}, False),
    ],
    ids=str,
)
def test_whether_a_silence_ends_turns_by_what_a_server_says(
    session: dict[str, Any], waits: bool
) -> None:
    assert waits_for_silence(session) is waits


@pytest.mark.parametrize("given", [None, UNSET, 5, "server_vad", {"type": "x"}, SemanticVAD()])
def test_what_ends_turns_otherwise_stays_as_it_is(given: Any) -> None:
    assert patient(given) is given
    assert patient_options({"turn_detection": given, "voice": "ash"}) == {
        "turn_detection": given,
        "voice": "ash",
    }


def test_a_server_vad_waits_for_as_long_as_documented() -> None:
    made = ServerVAD(threshold=0.4, idle_timeout_ms=None, create_response=False)
    assert patient(made) == ServerVAD(
        threshold=0.4, idle_timeout_ms=None, create_response=False, silence_duration_ms=500
    )
    assert made.silence_duration_ms is UNSET
    given = {"type": "server_vad", "threshold": 0.4}
    assert patient(given) == {**given, "silence_duration_ms": 500}
    assert "silence_duration_ms" not in given
    for silence in (0, 200, 700):
        assert patient(ServerVAD(silence_duration_ms=silence)).silence_duration_ms == silence
        given = {"type": "server_vad", "silence_duration_ms": silence}
        assert patient(given) == given
    assert patient_options({"voice": "ash"}) == {"voice": "ash"}


def test_noise_reduction_keeps_its_strength() -> None:
    def reduction(session: Any) -> Any:
        return session["audio"]["input"]["noise_reduction"]

    def patch(value: Any) -> Any:
        return {"audio": {"input": {"noise_reduction": value}}}

    off = {"type": "realtime", **patch(None)}
    on = merge_session(off, patch({"type": "near_field"}))
    assert reduction(on) == {"type": "near_field", "strength": 1.0}
    weak = merge_session(on, patch({"type": "near_field", "strength": 0.25}))
    assert reduction(weak)["strength"] == 0.25
    far = merge_session(weak, patch({"type": "far_field"}))
    assert reduction(far) == {"type": "far_field", "strength": 0.25}
    assert reduction(merge_session(far, {"instructions": "x"})) == reduction(far)
    off = merge_session(far, patch(None))
    assert reduction(off) is None
    assert reduction(merge_session(off, patch({"type": "far_field"})))["strength"] == 1.0
