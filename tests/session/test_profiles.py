"""What is declared of each kind of server."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from realtime_nb.session.endpoints import Endpoint
from realtime_nb.session.profiles import PROFILES, profile_of


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_usable(name: str) -> None:
    profile = PROFILES[name]
    assert profile_of(name) is profile
    assert profile.title
    if profile.url is not None:
        hosted = not Endpoint(profile.url).is_loopback
        assert urlsplit(profile.url).scheme == ("wss" if hosted else "ws")
        assert bool(profile.key_variable) == hosted
    assert not any(one.endswith(".") for one in (*profile.differs, *profile.lacks))


def test_nothing_is_known_of_a_url() -> None:
    assert profile_of("url") is None
    assert profile_of("local") is None
