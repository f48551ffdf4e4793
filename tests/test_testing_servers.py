"""The fakes that stand in for servers and for time are strict themselves."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.testing import (
    FakeSTT,
    FakeTTS,
    MemoryServer,
    ScriptedServer,
    run_on_virtual_clock,
    tone,
)
from tests.virtual import virtual

# --- time ---


def test_waiting_takes_no_time_and_keeps_its_order() -> None:
    async def sleepers() -> list[str]:
        done = []

        async def sleep(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            done.append(f"{name} at {asyncio.get_running_loop().time():.3f}")

        await asyncio.gather(sleep("c", 3_600), sleep("a", 0.5), sleep("b", 60))
        return done

    began = time.monotonic()
    assert run_on_virtual_clock(sleepers()) == ["a at 0.500", "b at 60.000", "c at 3600.000"]
    assert time.monotonic() - began < 1


def test_blocking_work_is_done_at_once() -> None:
    async def work() -> tuple[object, ...]:
        thread = await asyncio.to_thread(threading.current_thread)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)
        return thread, asyncio.get_running_loop().time()

    assert run_on_virtual_clock(work()) == (threading.current_thread(), 0.0)


def test_a_wait_for_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_nb.testing._PATIENCE_S", 0.01)

    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="can't happen any more"):
        run_on_virtual_clock(forever())


def test_other_threads_still_reach_the_loop() -> None:
    async def wait() -> str:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[str] = loop.create_future()
        threading.Thread(target=loop.call_soon_threadsafe, args=(told.set_result, "hi")).start()
        return await told

    assert run_on_virtual_clock(wait()) == "hi"


# --- engines ---


def test_the_fake_ear_hears_its_texts_in_turn_and_stays_at_the_last() -> None:
    ear = FakeSTT("one", "two")
    assert [ear.transcribe(b"", 24_000) for _ in range(3)] == ["one", "two", "two"]


def test_the_fake_voice_takes_its_time_for_every_word() -> None:
    assert len(FakeTTS(100).speak("one two three", "any")) == len(tone(300))
    assert len(FakeTTS(100).speak("one two three", "any", speed=2.0)) == len(tone(150))


# --- servers ---


@virtual
async def test_a_script_fails_on_another_event_than_it_expects() -> None:
    async with ScriptedServer() as server:
        await server.transport.send({"type": "response.create", "response": {"x": 1}})
        with pytest.raises(AssertionError, match=r"Expected response\.cancel, got"):
            await server.expect("response.cancel")
        await server.transport.send({"type": "response.create", "response": {"x": 1}})
        with pytest.raises(AssertionError, match="'x': 2"):
            await server.expect("response.create", response={"x": 2})
        await server.transport.send({"type": "response.create", "response": {"x": 1}})
        assert await server.expect("response.create", response={"x": 1})


@virtual
async def test_a_script_fails_when_nothing_comes() -> None:
    async with ScriptedServer() as server:
        with pytest.raises(AssertionError, match=r"sent no response\.create"):
            await server.expect("response.create")


@virtual
async def test_a_script_fails_on_events_that_are_left_over() -> None:
    with pytest.raises(AssertionError, match="did not expect"):
        async with ScriptedServer() as server:
            await server.transport.send({"type": "response.create"})
            await asyncio.sleep(0)
    async with ScriptedServer() as server:
        server.forgive("response.create")
        await server.transport.send({"type": "response.create"})
        await asyncio.sleep(0)


@virtual
async def test_a_script_does_not_hide_the_error_of_the_test() -> None:
    with pytest.raises(ZeroDivisionError):
        async with ScriptedServer() as server:
            await server.transport.send({"type": "response.create"})
            await asyncio.sleep(0)
            raise ZeroDivisionError


@virtual
async def test_the_server_in_memory_speaks_beta_too() -> None:
    async with MemoryServer(ScriptedLLM(["Yes."]), dialect="beta") as server:
        endpoint = rt.Endpoint("ws://memory", dialect="beta")
        names = []
        async with rt.connect(endpoint, transport=server.transport) as session:
            await session.say("Hi")
            assert await session.settled()
            assert session.conversation.transcript() == [("user", "Hi"), ("assistant", "Yes.")]
            assert session.conversation.errors == []
            await session.close()
            names = [event.type async for event in session]
        assert "response.output_audio.delta" in names
        assert "response.audio.delta" not in names
