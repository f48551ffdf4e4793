"""Recorded sessions whose connection is lost, on virtual time through a FaultyTransport."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import realtime_nb as rt
from realtime_nb.audio.files import read_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.local.llm import Reply, ScriptedLLM
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.testing import run_on_virtual_clock, silence
from realtime_nb.testing.faults import Fault
from tests.paths import DATA
from tests.session.lost_connections import Servers

ANSWER = " ".join(["word"] * 60)  # 15 s of the scripted voice
PAUSE = silence(700)
WAIT_S = 2.0

Meanwhile = Callable[[rt.Session, Servers], Awaitable[None]]


def voice() -> bytes:
    """Returns "seven of clubs", said once."""
    return pcm_from_samples(read_audio(DATA / "cards_001.wav", 24_000).samples)


def lost(
    folder: Path,
    before: Meanwhile,
    meanwhile: Meanwhile | None = None,
    *,
    fault: Fault | None = None,
    tools: Sequence[Callable[..., Any]] = (),
    replies: Sequence[Reply] = (ANSWER,) * 9,
    refusals: tuple[Exception, ...] = (),
    afterwards: bytes = b"",
    **policy: Any,
) -> rt.Recording:
    """Records a session whose connection is lost after ``before``, for two seconds.

    Args:
        folder: of the recording.
        before: what happens until then.
        meanwhile: what happens once it is lost.
        fault: that loses it, instead of the server.
        tools: the agent's.
        replies: what its model says, one after the other.
        refusals: of the attempts to come back.
        afterwards: what the user says when it is back.
        policy: what else ``rt.Reconnect`` takes.
    """

    async def record() -> Path:
        pace = SpeechPace(lead_ms=1_000)  # so that something of an answer is still to come
        servers = Servers(ScriptedLLM(replies), [fault] if fault else [], pace=pace)
        servers.refusals = list(refusals)
        reconnect = rt.Reconnect(first_s=WAIT_S, jitter=False, **policy)
        session = await rt.connect(
            transport=servers.dial, record=folder, reconnect=reconnect, tools=tools
        )
        try:
            await before(session, servers)
            if fault is None:
                await servers.vanish()
            await session._driver.until(lambda: session.reconnecting, 5)
            if meanwhile is not None:
                await meanwhile(session, servers)
            if not session.closed:
                await session._driver.until(lambda: not session.reconnecting, 60)
            if not session.closed:
                await session.speak(afterwards + PAUSE)
                await session.settled()
        finally:
            await session.close()
            await servers.__aexit__()
        assert session.recording is not None
        return session.recording

    return rt.load(run_on_virtual_clock(record()))


async def answered(session: rt.Session, servers: Servers) -> None:
    """Asks, and hears 3 s of the answer."""
    await session.speak(voice() + PAUSE)
    await session._driver.until(lambda: bool(sounding(session)), 30)
    began_s = sounding(session)[0]
    await asyncio.sleep(began_s + 3.0 - session.clock())


async def asked(session: rt.Session, servers: Servers) -> None:
    """Asks, for an answer that does not come."""
    await session.speak(voice() + PAUSE)


async def speaking(session: rt.Session, servers: Servers) -> None:
    """Says the first 600 ms of it."""
    await session.append(voice()[: 600 * 48])
    await session.wait_for("input_audio_buffer.speech_started")


async def breathes(session: rt.Session, servers: Servers) -> None:
    """Is silent for a second, with the microphone open."""
    await session.append(silence(1_000))


async def says_it_again(session: rt.Session, servers: Servers) -> None:
    """Says it while nobody hears."""
    await session.append(voice())


def sounding(session: rt.Session) -> list[float]:
    items = session.conversation.items.values()
    return [item.played_s for item in items if item.played_s is not None]
