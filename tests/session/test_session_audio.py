"""Talking and listening in a session, on fast and on slow connections."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.audio.pcm import pcm_from_samples, samples_from_pcm
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.queues import MAX_UNSENT_APPENDS
from realtime_nb.session.transport import MemoryTransport
from realtime_nb.testing import MemoryServer, ScriptedServer, silence, tone
from tests.session.session_fakes import LONG_ANSWER, scripted, turns
from tests.virtual import virtual

# --- talking ---


@virtual
async def test_what_is_said_while_the_agent_speaks_is_answered_after_it() -> None:
    async with (
        MemoryServer(ScriptedLLM([LONG_ANSWER, "Two."])) as server,
        rt.connect(transport=server.transport, typing="waits") as session,
    ):
        await session.say("One?")
        await session.wait_for("response.output_audio.delta")
        await session.say("Two?")
        assert await session.settled()
        texts = [text for _, text in session.conversation.transcript()]
        assert texts == ["One?", LONG_ANSWER, "Two?", "Two."]
        assert session.conversation.errors == []


@virtual
async def test_of_a_file_with_two_channels_one_is_spoken_and_named(tmp_path: Path) -> None:
    left, right = (samples_from_pcm(tone(500, hz=hz)) for hz in (300, 700))
    soundfile.write(tmp_path / "call.wav", np.column_stack([left, right]), 24_000)

    async def spoken(**options: Any) -> bytes:
        sent = Sent()
        async with (
            MemoryServer(ScriptedLLM(["Yes."])) as server,
            rt.connect(transport=server.transport) as session,
        ):
            session.observe(sent)
            await session.play(tmp_path / "call.wav", **options)
        return bytes(sent.pcm[: 2 * len(left)])

    with pytest.warns(UserWarning, match=r"call\.wav: Its 2 channels differ: channel 0 \(left\)"):
        assert await spoken() == pcm_from_samples(left)
    assert await spoken(channel="right") == pcm_from_samples(right)


class Sent:
    """Keeps the microphone's audio."""

    def __init__(self) -> None:
        self.pcm = bytearray()

    def event(self, event: WireEvent) -> None:
        if event.direction == "sent" and event.pcm is not None:
            self.pcm += event.pcm

    def playback(self, report: PlaybackReport) -> None: ...

    def tool(self, report: ToolReport) -> None: ...


@virtual
async def test_while_the_input_format_changes_no_audio_is_sent() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        updating = asyncio.create_task(session.update(input_format="g711_ulaw"))
        update = (await server.expect("session.update"))["session"]
        appending = asyncio.create_task(session.append(silence(60)))
        await asyncio.sleep(1)
        assert not appending.done()
        server.session["audio"]["input"] |= update["audio"]["input"]
        await server.emit({"type": "session.updated", "session": server.session})
        await updating
        await appending
        append = await server.expect("input_audio_buffer.append")
        assert len(append["audio"]) == 60 * 8 * 4 // 3
        await session.close()


@virtual
async def test_a_format_that_nobody_here_speaks_is_said_so() -> None:
    async with ScriptedServer() as server:
        server.session["audio"]["input"]["format"] = {"type": "audio/pcm", "rate": 16_000}
        server.session["audio"]["output"] = {"format": {"type": "audio/opus"}}
        session = await scripted(server)
        with pytest.raises(rt.ConfigurationError, match="16000 Hz"):
            await session.append(silence(100))
        await server.emit({"type": "response.output_audio.delta", "delta": "AAAA", "item_id": "a"})
        with pytest.raises(rt.ConfigurationError, match="audio/opus"):
            await session.wait_for("response.done")
        await session.close()


# --- slow connections ---


class BlockedTransport(MemoryTransport):
    """A connection that takes nothing until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, event: JsonObject) -> None:
        await self.open.wait()
        await super().send(event)


@virtual
async def test_a_slow_connection_slows_the_microphone_down_and_loses_nothing() -> None:
    async with ScriptedServer() as server:
        blocked = BlockedTransport()
        server.attach(blocked)
        session = await scripted(server)
        blocked.open.clear()
        appended = 0

        async def microphone() -> None:
            nonlocal appended
            for _ in range(MAX_UNSENT_APPENDS + 50):
                await session.append(silence(20))
                appended += 1

        recording = asyncio.create_task(microphone())
        await asyncio.sleep(5)
        assert appended == MAX_UNSENT_APPENDS + 1
        blocked.open.set()
        await recording
        for _ in range(MAX_UNSENT_APPENDS + 50):
            await server.expect("input_audio_buffer.append")
        await session.close()


@virtual
async def test_who_waits_to_append_learns_that_the_session_is_over() -> None:
    async with ScriptedServer() as server:
        blocked = BlockedTransport()
        server.attach(blocked)
        session = await scripted(server)
        blocked.open.clear()
        for _ in range(MAX_UNSENT_APPENDS + 1):
            await session.append(silence(20))
        waiting = asyncio.create_task(session.append(silence(20)))
        await turns()
        await server.vanish()
        with pytest.raises(rt.SessionClosedError):
            await waiting
        await session.close()
