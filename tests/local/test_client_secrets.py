"""Ephemeral keys: made, valid, expired, and refused in the hosted service's words."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.realtime import ClientSecretCreateResponse

from realtime_nb.local.client_secrets import MOST_SECRETS, ClientSecrets
from realtime_nb.protocol.problems import Refused


class Clock:
    now_s = 1_800_000_000.5

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_key_opens_sessions_until_it_expires(clock: Clock) -> None:
    secrets = ClientSecrets(clock)
    answer = secrets.make(
        {"expires_after": {"anchor": "created_at", "seconds": 30}, "session": {"type": "realtime"}}
    )
    assert answer["value"].startswith("ek_")
    assert answer["expires_at"] == 1_800_000_030
    for now_s, valid in ((0, True), (29, True), (31, False)):
        clock.now_s = 1_800_000_000 + now_s
        assert (secrets.opening(answer["value"]) is not None) == valid
    assert secrets.opening("ek_other") is None
    assert secrets.opening("\udcff") is None


@pytest.mark.parametrize(
    "session",
    [
        None,
        {"type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Be brief."},
        {"type": "realtime", "audio": {"output": {"voice": "marin"}}},
        {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}},
    ],
)
def test_the_answer_is_what_the_package_publishes(clock: Clock, session: Any) -> None:
    answer = ClientSecrets(clock).make({"session": session})
    parsed = ClientSecretCreateResponse.model_validate(answer, strict=True)
    assert parsed.expires_at == 1_800_000_600
    assert parsed.session.type == (session or {"type": "realtime"})["type"]


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"voice": "alloy"}, "unknown_parameter", "voice"),
        ({"session": 5}, "invalid_type", "session"),
        ({"session": {}}, "missing_required_parameter", "session.type"),
        ({"session": {"type": "live"}}, "invalid_value", "session.type"),
        ({"session": {"type": "realtime", "model": 5}}, "invalid_type", "session.model"),
        ({"session": {"type": "realtime", "voice": "a"}}, "unknown_parameter", "session.voice"),
        ({"expires_after": 60}, "invalid_type", "expires_after"),
        ({"expires_after": {"minutes": 1}}, "unknown_parameter", "expires_after.minutes"),
        ({"expires_after": {"anchor": "now"}}, "invalid_value", "expires_after.anchor"),
        ({"expires_after": {"seconds": 9}}, "integer_below_min_value", "expires_after.seconds"),
        ({"expires_after": {"seconds": 7_201}}, "integer_above_max_value", "expires_after.seconds"),
        ({"expires_after": {"seconds": "60"}}, "invalid_type", "expires_after.seconds"),
        ({"expires_after": {"seconds": True}}, "invalid_type", "expires_after.seconds"),
    ],
)
def test_what_can_not_be_is_refused(clock: Clock, body: Any, code: str, param: str) -> None:
    with pytest.raises(Refused) as refused:
        ClientSecrets(clock).make(body)
    problem = refused.value.problem
    assert (problem.code, problem.param) == (code, param)


def test_there_are_not_more_than_so_many_at_once(clock: Clock) -> None:
    secrets = ClientSecrets(clock)
    for _ in range(MOST_SECRETS):
        secrets.make({})
    with pytest.raises(Refused, match="client secrets are valid"):
        secrets.make({})
    clock.now_s += 601
    assert secrets.make({})["value"]
