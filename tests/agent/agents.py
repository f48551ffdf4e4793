"""Agents for tests: a server without models, and pages that aren't there.

A test module takes the fixtures in by name: ``make = agents.make``.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import comm
import pytest
import soundfile
from websockets.asyncio.server import ServerConnection

from realtime_nb.agent.agent import Agent
from realtime_nb.agent.audio import BrowserAudio
from realtime_nb.agent.io_thread import IoThread, io_thread
from realtime_nb.audio.pcm import samples_from_pcm
from realtime_nb.errors import SessionClosedError
from realtime_nb.local.llm import Call, Reply, ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.testing import FakeTTS, fake_engines, silence, tone
from tests.widgets.conftest import FakeComm, FakePage

KEY = "sk-a-key-that-nobody-may-see"
WAIT_S = 20.0
CHUNK = bytes(1920)
MakeAgent = Callable[..., Agent]


class Ears:
    """A session as far as a microphone needs it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.captured_s: list[float] = []
        self.closed = False
        self.free = asyncio.Event()
        self.free.set()

    def clock(self) -> float:
        return time.monotonic()

    async def append(self, pcm: bytes, captured_s: float) -> None:
        if self.closed:
            raise SessionClosedError("It is over.")
        await self.free.wait()
        self.heard.append(pcm)
        self.captured_s.append(captured_s)


@pytest.fixture
def thread() -> Iterator[IoThread]:
    made = IoThread("test-io")
    yield made
    made.stop()


def on(thread: IoThread, work: Any) -> Any:
    return thread.run(work).result(WAIT_S)


class Server:
    """The local server without models, on the agents' thread."""

    def __init__(
        self,
        session_s: float = 3_600.0,
        replies: Sequence[Reply] = (
            *("Hello.", Call("add", '{"a": 2, "b": 3}'), "It is five.", "Well."),
        ),
        word_ms: float = 400,
    ) -> None:
        engines = fake_engines(ScriptedLLM([*replies]), tts=FakeTTS(word_ms))
        self.local = LocalServer(
            engines, port=0, token=KEY, pace=SpeechPace(), session_s=session_s, max_connections=9
        )
        io_thread().run(self.local.__aenter__()).result(WAIT_S)

    @property
    def sockets(self) -> list[ServerConnection]:
        """Those of its clients."""
        return [connection._socket for connection in self.local._connections]

    def close(self) -> None:
        io_thread().run(self.local.__aexit__(None, None, None)).result(WAIT_S)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def fake_comms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", FakeComm)


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """A file with somebody humming in it."""
    path = tmp_path / "voice.wav"
    pcm = silence(100) + tone(400) + silence(100)
    soundfile.write(path, samples_from_pcm(pcm), 24_000, subtype="PCM_16")
    return path


@pytest.fixture
def make(server: Server, voice: Path, tmp_path: Path) -> Iterator[MakeAgent]:
    made: list[Agent] = []

    def agent(**settings: Any) -> Agent:
        given = {"audio": voice, "api_key": KEY, "record": tmp_path / "recordings", **settings}
        made.append(Agent(given.pop("endpoint", server.local.url), **given))
        return made[-1]

    yield agent
    for one in made:
        one.close()


def until(condition: Callable[[], bool], what: str = "") -> None:
    """Waits for something that happens on another thread."""
    gone, until_s = threading.Event(), time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until_s, what
        gone.wait(0.01)


def press(agent: Agent, name: str, value: Any = None) -> None:
    FakePage(agent.panel).send({"kind": "command", "name": name, "value": value})


def said(agent: Agent) -> list[tuple[str, str]]:
    return [(role, text) for role, text in agent.conversation.transcript()]


class SlowlyConnecting:
    """An agent in a page whose connecting takes until it is told to go on."""

    def __init__(self, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
        assert isinstance(agent._audio, BrowserAudio)
        self.agent = agent
        self.microphone = FakePage(agent._audio.microphone)
        self.microphone.hello()
        self.position = 0
        self._go = threading.Event()
        connect = agent._connect

        async def slowly() -> Any:
            await asyncio.to_thread(self._go.wait, WAIT_S)
            return await connect()

        monkeypatch.setattr(agent, "_connect", slowly)

    def tell(self, status: str) -> None:
        state = {"status": status, "error": "", "devices": [], "applied": {}}
        self.microphone.send({"kind": "state", "t": time.time() * 1000, **state})

    def speak(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), 1920):
            facts = {"capture": "c", "position": self.position}
            now = {"t": time.time() * 1000}
            self.microphone.send({"kind": "audio", **facts, **now}, [pcm[at : at + 1920]])
            self.position += 960

    def stop(self) -> None:
        """As the page does when Stop is pressed."""
        self.tell("off")
        press(self.agent, "stop")

    def go(self) -> None:
        self._go.set()
