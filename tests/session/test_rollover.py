"""A session that would expire moves to another server while nobody speaks."""

from __future__ import annotations

import asyncio

import pytest

import realtime_nb as rt
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.session.rollover import seconds_left
from tests.paths import ROOT
from tests.session.lost_connections import Servers, Thinking, users
from tests.virtual import virtual

CARDS = pcm_from_samples(load_audio(ROOT / "realtime_nb/samples/cards_005.wav"))


@pytest.mark.feature("expiry", "client")
@virtual
@pytest.mark.parametrize("pause_s", [0.5, 1.5, 3.0])
async def test_nothing_that_is_said_is_lost_when_it_moves(pause_s: float) -> None:
    """Somebody talks on and on, and the session may last a minute."""
    servers = Servers(ScriptedLLM(["Yes."] * 99), session_s=60.0)
    policy = rt.Reconnect(before_expiry_s=25.0)
    async with servers, rt.connect(transport=servers.dial, reconnect=policy) as session:
        while session.clock() < 100:
            await session.speak(CARDS)
            await asyncio.sleep(pause_s)
        assert await session.settled()
        said = session.conversation

    assert [gap.planned for gap in session.reconnections] == [True] * len(servers.transports[1:])
    assert len(servers.transports) >= 2
    assert all(gap.audio_lost_ms == 0 for gap in session.reconnections)
    reached_ms = sum(one.passed.sent_audio_ms for one in servers.transports)
    assert reached_ms == pytest.approx(said.input_ms, abs=500)  # the last may be held back
    assert said.errors == []
    assert all(heard.stopped_s is not None for heard in said.speech)
    assert all(response.status == "completed" for response in said.responses.values())


@virtual
async def test_it_moves_while_nobody_has_a_microphone() -> None:
    llm = Thinking()
    servers = Servers(llm, session_s=60.0)
    async with servers, rt.connect(transport=servers.dial) as session:
        await session.say("My name is Ada.")
        assert await session.settled()
        await session.wait_for("connection.reconnected", timeout_s=59)
        await session.say("Who am I?")
        assert await session.settled()
    assert users(llm.requests[-1].items) == ["My name is Ada.", "Who am I?"]
    assert session.reconnections[0].planned


@virtual
async def test_where_no_other_server_answers_it_comes_back_after_its_end() -> None:
    servers = Servers(Thinking(), session_s=60.0)
    servers.refusals = [rt.ConnectionFailedError("nobody there") for _ in range(5)]
    async with servers, rt.connect(transport=servers.dial) as session:
        await session.wait_for("connection.reconnected", timeout_s=120)
        (gap,) = session.reconnections
        assert not gap.planned
        assert gap.code == 1001


@pytest.mark.parametrize(
    ("expires_at", "left_s"),
    [
        (1_060, 60),
        (1_060.5, 60.5),
        (1_000, None),
        (900, None),
        (1_000 + 90_000, None),
        (None, None),
        ("1060", None),
        (True, None),
    ],
)
def test_how_long_a_session_lasts(expires_at: object, left_s: float | None) -> None:
    assert seconds_left(expires_at, 1_000.0) == left_s
