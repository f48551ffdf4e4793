from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD


@pytest.mark.parametrize(
    "values",
    [
        {"threshold": 1.1},
        {"threshold": True},
        {"silence_duration_ms": -1},
        {"idle_timeout_ms": 4_000},
        {"prefix_padding_ms": "300"},
    ],
)
def test_turn_detection_checks_its_limits_in_python_too(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(values))):
        ServerVAD(**values)


def test_what_is_not_set_is_not_shown() -> None:
    assert repr(ServerVAD(threshold=0.6)) == "ServerVAD(threshold=0.6)"
    assert repr(ServerVAD()) == "ServerVAD()"
    assert repr(SemanticVAD(eagerness="low")) == "SemanticVAD(eagerness='low')"
    shown = ServerVAD(silence_duration_ms=500, idle_timeout_ms=None, create_response=False)
    assert eval(repr(shown)) == shown
