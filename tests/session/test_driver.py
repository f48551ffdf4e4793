"""How a session ends: by its server, by its user, by cancellation, by a failure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import realtime_nb as rt
from realtime_nb.devices.simulated import SimulatedSpeaker
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.testing import MemoryServer, ScriptedServer, silence, tone
from tests.session.session_fakes import LONG_ANSWER, scripted, turns
from tests.virtual import virtual


@virtual
async def test_when_the_server_vanishes_everybody_who_waits_learns_it(tmp_path: Path) -> None:
    async with MemoryServer(ScriptedLLM([LONG_ANSWER])) as server:
        session = await rt.connect(transport=server.transport, record=tmp_path)
        await session.say("Talk")
        await session.wait_for("response.output_audio.delta")

        async def read() -> None:
            async for _ in session:
                pass

        waiting: list[Awaitable[object]] = [
            session.wait_for("never"),
            session.settled(),
            session.speak(tone(20_000)),
            read(),
        ]
        tasks = [asyncio.ensure_future(work) for work in waiting]
        await asyncio.sleep(1)
        updating = asyncio.create_task(session.update(instructions="Be brief."))
        await asyncio.sleep(0)
        await server.vanish(1006)
        errors = await asyncio.gather(*tasks, updating, return_exceptions=True)
        assert [type(error) for error in errors] == [rt.SessionClosedError] * 5
        assert {getattr(error, "close_code", None) for error in errors} == {1006}
        assert session.closed
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: session.say("Hi"),
            lambda: session.append(silence(20)),
            lambda: session.send({"type": "response.create"}),
            lambda: session.update(instructions=""),
            lambda: session.wait_for("error"),
            lambda: session.interrupt(),
            lambda: session.speak(silence(20)),
        ]
        for call in calls:
            with pytest.raises(rt.SessionClosedError):
                await call()
        await session.close()
    recording = session.recording
    assert recording is not None
    loaded = rt.load(recording)
    written = json.loads((recording / "session.json").read_text())
    assert (written["complete"], written["close_code"]) == (True, 1006)
    assert ("user", "Talk") in loaded.conversation.transcript()


@virtual
async def test_a_normal_close_by_the_server_just_ends_the_events() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        await server.vanish(1000)
        assert [event.type async for event in session] == ["session.created", "session.updated"]
        with pytest.raises(rt.SessionClosedError):
            await session.say("Hi")
        await session.close()


@pytest.mark.feature("expiry", "client")
@virtual
async def test_expiry_is_an_end_with_a_reason() -> None:
    async with MemoryServer(session_s=60) as server:
        session = await rt.connect(transport=server.transport)
        with pytest.raises(rt.SessionClosedError, match="maximum duration") as ended:
            await session.wait_for("never", timeout_s=100)
        assert ended.value.close_code == 1001
        await session.close()


@virtual
async def test_closing_leaves_no_task_and_may_be_done_twice() -> None:
    async with MemoryServer(ScriptedLLM([LONG_ANSWER])) as server:
        session = await rt.connect(transport=server.transport)
        speaking = asyncio.create_task(session.speak(tone(5_000)))
        await session.say("Talk")
        await session.wait_for("response.output_audio.delta")
        await asyncio.gather(session.close(), session.close())
        await session.close()
        with pytest.raises((rt.SessionClosedError, asyncio.CancelledError)):
            await speaking
        assert repr(session) == "<Session local ws://memory closed>"
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_what_was_said_last_still_leaves() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        await session.say("Bye")
        await session.close()
        await server.expect("conversation.item.create")
        await server.expect("response.create")


@virtual
async def test_a_body_that_raises_closes_the_session() -> None:
    async with MemoryServer() as server:
        with pytest.raises(ZeroDivisionError):
            async with rt.connect(transport=server.transport) as session:
                raise ZeroDivisionError
        assert session.closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_a_body_that_is_cancelled_closes_the_session() -> None:
    opened: list[rt.Session] = []

    async def talk(server: MemoryServer) -> None:
        async with rt.connect(transport=server.transport) as session:
            opened.append(session)
            await session.speak(tone(60_000))

    async with MemoryServer() as server:
        talking = asyncio.create_task(talk(server))
        await asyncio.sleep(3)
        talking.cancel()
        await asyncio.sleep(0)
        talking.cancel()  # in the middle of closing
        with pytest.raises(asyncio.CancelledError):
            await talking
        assert opened[0].closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_opening_that_is_cancelled_leaves_nothing_open() -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(rt.connect(transport=server.transport).__aenter__())
        await turns()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    assert asyncio.all_tasks() == {asyncio.current_task()}


class BrokenSpeaker(SimulatedSpeaker):
    def write(self, item_id: str, pcm: bytes) -> None:
        raise OSError("the device is gone")


@virtual
async def test_a_speaker_that_fails_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async with MemoryServer(ScriptedLLM([LONG_ANSWER])) as server:
        session = await rt.connect(
            transport=server.transport,
            speaker=lambda s: BrokenSpeaker(s.clock, s.pace, s.playback_report, s.audio_played),
        )
        await session.say("Talk")
        with pytest.raises(rt.RealtimeError, match="the device is gone"):
            await session.settled()
        await session.close()
    assert [record.name for record in caplog.records] == ["realtime_nb.session.driver"]


@virtual
async def test_a_speaker_that_cannot_be_made_leaves_nothing_open() -> None:
    def no_device(session: rt.Session) -> SimulatedSpeaker:
        raise OSError("no device")

    async with MemoryServer() as server:
        with pytest.raises(OSError, match="no device"):
            await rt.connect(transport=server.transport, speaker=no_device)
        with pytest.raises(rt.SessionClosedError):
            await server.transport.send({})
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_a_recording_that_fails_ends_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with MemoryServer(ScriptedLLM([LONG_ANSWER]), pace=SpeechPace(1_000)) as server:
        session = await rt.connect(transport=server.transport, record=tmp_path)

        def full(*args: object) -> None:
            raise rt.RecordingError("The disk is full. Make room.")

        await session.say("Talk")
        never: list[Awaitable[object]] = [session.wait_for("never"), session.settled(100)]
        waiting = [asyncio.ensure_future(work) for work in never]
        await asyncio.sleep(1)
        monkeypatch.setattr(session._driver.writing.recorder, "event", full)
        for task in waiting:
            with pytest.raises(rt.RecordingError, match="Make room"):
                await task
        with pytest.raises(rt.RecordingError, match="Make room"):
            await session.say("Hi")
        with pytest.raises(rt.RecordingError, match="Make room"):
            async for _ in session:
                pass
        await session.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
