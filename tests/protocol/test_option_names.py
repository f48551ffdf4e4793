"""Structs of options refuse names that they don't have, and are decoded as ever."""

from __future__ import annotations

import msgspec
import pytest

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.option_names import NamedOptions


class Setting(msgspec.Struct, metaclass=NamedOptions):
    level: int = 1


def test_names_only_and_only_its_own() -> None:
    assert Setting(level=3).level == 3
    with pytest.raises(ConfigurationError, match="Did you mean 'level'"):
        Setting(levels=3)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="takes its options by name: level; not 3"):
        Setting(3)
    assert msgspec.json.decode(b'{"level": 4}', type=Setting).level == 4
