from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.config import merge_session
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD, check_session
from realtime_nb.protocol.turn_detection import (
    EAGERNESS,
    SERVER_VAD,
    closing_silence_ms,
    detection_code,
)
from realtime_nb.protocol.turns import TurnSettings


@pytest.mark.parametrize("name", SERVER_VAD)
def test_limits_hold_in_python_and_on_the_wire(name: str) -> None:
    limits = SERVER_VAD[name]
    value: Any
    for value in (limits.low, limits.high):
        assert getattr(ServerVAD(**{name: value}), name) == value
    for value in (limits.low - 1, limits.high + 1):
        with pytest.raises(ConfigurationError, match=name):
            ServerVAD(**{name: value})
        detection = {"type": "server_vad", name: value}
        with pytest.raises(msgspec.ValidationError, match=name):
            check_session({"type": "realtime", "audio": {"input": {"turn_detection": detection}}})


def test_a_server_and_the_state_machine_have_the_same_defaults() -> None:
    patch = {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    merged = merge_session({}, patch)["audio"]["input"]["turn_detection"]
    for name, limits in SERVER_VAD.items():
        assert merged[name] == limits.usual == getattr(TurnSettings(), name, None)


def test_every_eagerness_has_its_waits() -> None:
    hint = get_type_hints(SemanticVAD, include_extras=True)["eagerness"]
    assert set(get_args(get_args(hint)[0])) == set(EAGERNESS)


def test_what_ends_any_turn() -> None:
    assert closing_silence_ms({"type": "server_vad", "silence_duration_ms": 500}) == 500
    assert closing_silence_ms({"type": "semantic_vad", "eagerness": "high"}) == 8_000
    assert closing_silence_ms(None) == 8_000


def test_code_asks_for_the_same() -> None:
    for detection, code in (
        (
            {"type": "server_vad", "threshold": 0.6, "idle_timeout_ms": None},
            ServerVAD(threshold=0.6),
        ),
        (
            {"type": "semantic_vad", "eagerness": "low", "create_response": True},
            SemanticVAD(eagerness="low"),
        ),
        (
            {"type": "server_vad", "silence_duration_ms": 500, "interrupt_response": False},
            ServerVAD(silence_duration_ms=500, interrupt_response=False),
        ),
    ):
        names = {"rt": SimpleNamespace(ServerVAD=ServerVAD, SemanticVAD=SemanticVAD)}
        assert eval(detection_code(detection), names) == code
    assert detection_code({"type": "semantic_vad", "eagerness": "low"}).startswith(
        "rt.SemanticVAD("
    )
    assert detection_code(None) == "push_to_talk=True"
    assert detection_code({"type": "azure_vad"}) == "turn_detection={'type': 'azure_vad'}"
