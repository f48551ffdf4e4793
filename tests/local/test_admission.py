from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from realtime_nb.local import admission
from realtime_nb.local.admission import capacity_for, measured_capacity
from tests.local.fake_engines import WatchedSTT, WatchedTTS, fake_engines, fake_server
from tests.local.raw_client import become_true, joined
from tests.local.test_server import TOKEN, refused


@pytest.mark.parametrize(
    ("speak_s", "hear_s", "speech_s", "threads", "capacity"),
    [
        # Of ten seconds of speech one is worked at; half of a conversation is speech: 5 % each,
        # and two threads that are busy for 60 % of the time carry 24 of them.
        (0.5, 0.5, 10.0, 2, 24),
        (0.5, 0.5, 10.0, 1, 12),
        (2.0, 2.0, 10.0, 2, 6),
        (20.0, 20.0, 10.0, 2, 2),
        (0.0, 0.0, 10.0, 2, 200),
        (0.5, 0.5, 0.0, 2, 200),
    ],
)
def test_capacity(
    speak_s: float, hear_s: float, speech_s: float, threads: int, capacity: int
) -> None:
    assert capacity_for(speak_s, hear_s, speech_s, threads) == capacity


async def test_beyond_the_measured_capacity_sessions_are_refused_in_words() -> None:
    server = fake_server(max_connections=None)
    async with server:
        server.capacity = 2
        async with joined(server), joined(server) as two:
            error, code, _ = await refused(server, "?model=m", additional_headers=TOKEN)
            assert (error["code"], code) == ("rate_limit_exceeded", 1013)
            assert "2 conversations" in error["message"]
            assert (await two.ask())["status"] == "completed"
        await become_true(lambda: server.connections == 0)
        async with joined(server) as client:
            assert (await client.ask())["status"] == "completed"


class Remote:
    """Waits for another machine; asked to block, it fails."""

    name, sample_rate = "remote", 24_000

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        raise AssertionError

    async def transcribe_async(self, pcm: bytes, sample_rate: int) -> str:
        return "hello"

    def speak(self, text: str, voice: str, speed: float = 1.0) -> bytes:
        raise AssertionError

    async def speak_async(self, text: str, voice: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        yield b""


def test_what_waits_for_another_machine_is_not_asked() -> None:
    assert measured_capacity(fake_engines(stt=Remote(), tts=Remote())) == 200
    stt = WatchedSTT()
    measured_capacity(fake_engines(stt=stt, tts=Remote()))
    ((size, sample_rate),) = stt.calls
    assert size / 2 / sample_rate > 2  # seconds of speech
    measured_capacity(fake_engines(stt=Remote(), tts=(tts := WatchedTTS())))
    assert len(tts.calls) == 1


async def test_engines_that_cannot_be_measured_are_told_of_and_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stt: Any = WatchedSTT(lambda pcm: None)  # type: ignore[arg-type, return-value]
    async with fake_server(stt=stt, max_connections=None) as server, joined(server) as client:
        assert server.capacity is None
        assert (await client.ask())["status"] == "completed"
    assert "could not be measured. The speech recognition 'fake-stt' gave NoneType" in caplog.text


async def test_while_work_waits_for_engines_nobody_is_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "MAX_WAIT_S", 0.0)
    gate = threading.Event()
    async with fake_server(stt=WatchedSTT()) as server, joined(server) as client:
        hearing = server.engines.hearing
        for _ in range(2):
            hearing.submit(gate.wait, 20)
        late = hearing.submit(str)
        await asyncio.sleep(0.002)
        error, _, _ = await refused(server, "?model=m", additional_headers=TOKEN)
        assert error["code"] == "rate_limit_exceeded"
        assert "wait" in error["message"]
        gate.set()
        await asyncio.wrap_future(late)
        assert (await client.ask())["status"] == "completed"
        async with joined(server):
            pass
