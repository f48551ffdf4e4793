"""A spoken turn is in the new server's conversation once, whenever the connection was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.testing import Drop, run_on_virtual_clock, silence, tone
from realtime_nb.testing.faults import Fault
from tests.session.lost_connections import Servers, Thinking, text_of

SPOKEN = silence(500) + tone(800) + silence(1_200)
Dialect = Literal["ga", "beta"]


class Measuring:
    """Hears how long the sound in the audio is."""

    name = "measuring"

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        sounding = np.flatnonzero(np.frombuffer(pcm, "<i2"))
        span = sounding[-1] - sounding[0] + 1 if len(sounding) else 0
        return f"{round(1_000 * span / sample_rate)} ms"


async def talk(
    *faults: Fault, by_hand: bool = False, dialect: Dialect = "ga", **options: Any
) -> tuple[rt.Session, Thinking, Any]:
    llm = Thinking()
    servers = Servers(llm, list(faults), stt=Measuring(), dialect=dialect)
    endpoint = rt.Endpoint("ws://127.0.0.1:1", dialect=dialect)
    if by_hand:
        options["turn_detection"] = None
    policy = rt.Reconnect(first_s=0.3, jitter=False)
    async with (
        servers,
        rt.connect(endpoint, transport=servers.dial, reconnect=policy, **options) as session,
    ):
        for start in range(0, len(SPOKEN), 4_800):
            await session.append(SPOKEN[start : start + 4_800])
        if by_hand:
            await session.commit()
            await session.create_response()
        await session._driver.until(lambda: False, 5)
        await session._driver.until(lambda: not session.reconnecting, 30)
        await session.settled()
    return session, llm, servers.transports


def boundaries(by_hand: bool, dialect: Dialect) -> list[tuple[str, str, bool]]:
    """By each event, from where the turn is over: its name, and whether it still passes."""
    transport = run_on_virtual_clock(talk(by_hand=by_hand, dialect=dialect))[2][0]
    received = [name for name in transport.passed.received if not name.startswith("session.")]
    if not by_hand:
        received = received[received.index("input_audio_buffer.speech_stopped") :]
    found = [("received", name, passes) for name in received for passes in (False, True)]
    if by_hand:
        found = [("sent", "input_audio_buffer.commit", passes) for passes in (False, True)] + found
        found += [("sent", "response.create", passes) for passes in (False, True)]
    else:
        found.remove(("received", "input_audio_buffer.speech_stopped", False))
    return found


@pytest.mark.parametrize("dialect", ["ga", "beta"])
@pytest.mark.parametrize("by_hand", [False, True], ids=["detected", "by hand"])
def test_whenever_it_is_dropped_the_turn_is_there_once(by_hand: bool, dialect: Dialect) -> None:
    said = "800 ms"
    as_audio = 0
    every = boundaries(by_hand, dialect)
    assert len(every) > 20
    for way, name, passes in every:
        where = (way, name, passes)
        moment = getattr(rt.testing, way)(name)
        session, llm, _ = run_on_virtual_clock(
            talk(Drop(moment, passes=passes), by_hand=by_hand, dialect=dialect)
        )
        users = [item for item in llm.requests[-1].items if item.get("role") == "user"]
        assert [text_of(item) for item in users] == [said], where
        talked = session.conversation.transcript()
        assert [text for role, text in talked if role == "user"] == [said], where
        assert [role for role, _ in talked][-1] == "assistant", where
        (gap,) = session.reconnections
        assert gap.not_restored == {}, where
        as_audio += len(gap.restored_as_audio)
        assert session.conversation.errors == [], where
    assert as_audio >= 4


@pytest.mark.parametrize("history", ["items", "summary"])
def test_it_is_never_live_speech_and_its_transcript_comes_from_the_new_server(
    history: Any, tmp_path: Path
) -> None:
    committed = rt.testing.received("input_audio_buffer.committed")

    async def check() -> tuple[rt.Session, Any]:
        servers = Servers(Thinking(), [Drop(committed, passes=True)], stt=Measuring())
        policy = rt.Reconnect(first_s=0.3, jitter=False, history=history)
        async with (
            servers,
            rt.connect(transport=servers.dial, reconnect=policy, record=tmp_path) as session,
        ):
            await session.append(SPOKEN)
            await session.wait_for("connection.reconnected")
            await session.settled()
        return session, servers.transports

    session, transports = run_on_virtual_clock(check())
    (gap,) = session.reconnections
    assert gap.restored == gap.restored_as_audio
    assert transports[1].passed.sent_audio_ms == 0
    (item_id,) = gap.restored
    item = session.conversation.items[item_id]
    assert (item.text, item.transcript) == ("800 ms", "completed")
    assert item.transcript_s is not None
    assert item.transcript_s > gap.lost_s
    assert session.recording is not None
    recording = rt.load(session.recording)
    assert recording.conversation.reconnections == session.reconnections
    assert recording.conversation.transcript() == session.conversation.transcript()
    events = (session.recording / "events.jsonl").read_text()
    assert max(map(len, events.splitlines())) < 10_000  # its audio is not there once more


def test_what_is_too_long_for_an_item_is_counted() -> None:
    committed = rt.testing.received("input_audio_buffer.committed")

    async def check() -> rt.Session:
        servers = Servers(Thinking(), [Drop(committed, passes=True)], stt=Measuring())
        async with servers, rt.connect(transport=servers.dial) as session:
            for _ in range(20):
                await session.append(tone(1_000))
            await session.append(silence(1_000))
            await session.wait_for("connection.reconnected")
        return session

    (gap,) = run_on_virtual_clock(check()).reconnections
    assert gap.restored_as_audio == []
    assert list(gap.not_restored.values()) == ["audio without a transcript"]
