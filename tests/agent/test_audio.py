from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.agent import audio as agent_audio
from realtime_nb.agent.audio import BrowserAudio, FileAudio
from realtime_nb.agent.io_thread import IoThread
from realtime_nb.audio.pcm import samples_from_pcm
from realtime_nb.errors import AudioError, ConfigurationError, SessionClosedError
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.session import Session
from realtime_nb.testing import MemoryServer, run_on_virtual_clock, tone
from realtime_nb.widgets.live import SelfTest
from tests.agent import agents
from tests.agent.agents import CHUNK, WAIT_S, Ears, on
from tests.widgets.conftest import FakePage

fake_comms, thread = agents.fake_comms, agents.thread


# --- the page ---


class Talking:
    """An agent's audio in a page that isn't there."""

    def __init__(self, thread: IoThread, start: bool = True) -> None:
        self.problems: list[str] = []
        self.ended = 0
        self.thread = thread
        self.audio = BrowserAudio(thread, self.problems.append, self._ended)
        self.page = FakePage(self.audio.microphone)
        self.ears = Ears()
        if start:
            on(thread, self.audio.start(self.ears))  # type: ignore[arg-type]

    def _ended(self) -> None:
        self.ended += 1

    def tell(self, status: str, error: str = "") -> None:
        state = {"status": status, "error": error, "devices": [], "applied": {}}
        self.page.send({"kind": "state", **state})

    def speak(self, position: int) -> None:
        chunk = {"capture": "c", "position": position}
        self.page.send({"kind": "audio", **chunk}, [CHUNK])

    def close(self) -> None:
        on(self.thread, self.audio.stop())
        self.audio.close()


@pytest.fixture
def talking(thread: IoThread) -> Iterator[Talking]:
    made = Talking(thread)
    yield made
    made.close()


def test_what_the_page_hears_gets_into_the_session(talking: Talking) -> None:
    talking.page.hello()
    talking.speak(0)  # nobody has asked it to
    on(talking.thread, talking.audio.talk())
    talking.tell("on")
    talking.speak(960)
    talking.speak(1920)
    hush = talking.thread.run(talking.audio.hush())
    _until(lambda: bool(talking.page.got("stop")))
    talking.tell("off")
    talking.speak(2880)  # was under way
    hush.result(WAIT_S)
    talking.speak(3840)
    assert len(talking.ears.heard) == 3
    assert len(talking.page.got("start")) == 1
    assert talking.ended == 1


def test_the_rest_of_the_last_chunk_is_waited_for_also_when_the_page_was_faster(
    talking: Talking,
) -> None:
    talking.page.hello()
    on(talking.thread, talking.audio.talk())
    talking.tell("on")
    talking.tell("off")  # the person pressed Stop there
    hush = talking.thread.run(talking.audio.hush())
    _until(lambda: bool(talking.page.got("stop")))
    talking.speak(0)
    hush.result(WAIT_S)
    assert len(talking.ears.heard) == 1


def test_what_is_said_while_it_connects_is_kept(thread: IoThread) -> None:
    talking = Talking(thread, start=False)
    talking.page.hello()
    on(thread, talking.audio.listen())
    talking.tell("on")
    talking.speak(0)
    talking.speak(960)
    on(thread, talking.audio.start(talking.ears))  # type: ignore[arg-type]
    assert (talking.audio.kept_ms, talking.ears.heard) == (80.0, [])
    on(thread, talking.audio.talk())
    talking.speak(1920)
    on(thread, talking.audio.hush())
    assert len(talking.ears.heard) == 3
    assert talking.page.got("start")
    talking.close()


def test_what_was_kept_is_sent_after_stop_or_forgotten(thread: IoThread) -> None:
    talking = Talking(thread)
    talking.page.hello()
    for position, end in ((0, talking.audio.send_kept), (960, talking.audio.hush)):
        on(thread, talking.audio.listen())
        on(thread, talking.audio.listen())
        talking.tell("on")
        talking.speak(position)
        talking.tell("off")
        on(thread, talking.audio.hush())
        assert talking.audio.kept_ms == 40
        on(thread, end())
        assert len(talking.ears.heard) == 1
        talking.audio.forget()
        assert talking.audio.kept_ms == 0
    talking.close()


def test_without_a_page_there_is_no_microphone(
    talking: Talking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_audio, "_PAGE_DUE_S", 0.1)
    with pytest.raises(ConfigurationError, match="No page shows this agent"):
        on(talking.thread, talking.audio.reachable())
    on(talking.thread, talking.audio.hush())


def test_a_microphone_that_goes_off_is_noticed_and_said_once(talking: Talking) -> None:
    talking.page.hello()
    on(talking.thread, talking.audio.talk())
    talking.tell("on")
    talking.tell("ended", "It was unplugged.")
    _until(lambda: talking.ended == 1)
    assert talking.audio.microphone.error == "It was unplugged."
    assert talking.problems == []  # the page says it itself


def test_muting_is_the_pages_affair(talking: Talking) -> None:
    talking.audio.mute(True)
    assert talking.audio.microphone.muted


@pytest.mark.parametrize(
    ("live", "said"),
    [(False, ["Audio will pause."]), (True, []), (None, [])],
    ids=["waits", "does not", "silent"],
)
def test_a_page_that_waits_for_cells_is_told_of(
    talking: Talking, monkeypatch: pytest.MonkeyPatch, live: bool | None, said: list[str]
) -> None:
    talking.page.hello()
    result = SelfTest(live, "MainThread", 1.0, None, "Audio will pause.")
    monkeypatch.setattr(talking.audio.microphone, "selftest", lambda: result)
    on(talking.thread, talking.audio.talk())
    _until(lambda: talking.audio._test is not None and talking.audio._test.done())
    assert talking.problems == said


def _until(condition: Callable[[], bool]) -> None:
    async def look() -> None:
        while not condition():  # noqa: ASYNC110 - it happens on another thread
            await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(look(), WAIT_S))


# --- a file ---


class Stage:
    """A session that files are spoken to, until it is told that they are over."""

    def __init__(self) -> None:
        self.clips: list[bytes] = []
        self.closed_microphones = 0
        self.end = asyncio.Event()
        self.error: Exception | None = None

    async def speak(self, pcm: bytes) -> None:
        self.clips.append(bytes(pcm))
        await self.end.wait()
        if self.error is not None:
            raise self.error

    async def close_microphone(self) -> None:
        self.closed_microphones += 1


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    path = tmp_path / "voice.wav"
    soundfile.write(path, samples_from_pcm(tone(400)), 24_000, subtype="PCM_16")
    return path


def test_a_file_is_spoken_whenever_it_is_asked_for(thread: IoThread, voice: Path) -> None:
    problems, ended, stage = list[str](), list[bool](), Stage()
    audio = FileAudio(voice, problems.append, lambda: ended.append(True))

    async def talk() -> None:
        await audio.talk()  # no session: nobody to talk to
        await audio.start(_as_session(stage))
        await audio.talk()
        await asyncio.sleep(0)
        await audio.talk()  # begins anew
        stage.end.set()
        await audio.spoken()
        assert ended == [True]
        stage.error = SessionClosedError("It is over.")
        await audio.talk()
        await audio.spoken()
        await audio.stop()

    on(thread, talk())
    assert stage.clips == [tone(400)] * 3
    assert stage.closed_microphones == 3
    assert problems == ["It is over."]


def test_a_file_with_two_channels_says_which_is_spoken(thread: IoThread, tmp_path: Path) -> None:
    problems, stage, path = list[str](), Stage(), tmp_path / "call.wav"
    left, right = (samples_from_pcm(tone(400, hz=hz)) for hz in (300, 700))
    soundfile.write(path, np.column_stack([left, right]), 24_000, subtype="PCM_16")
    audio = FileAudio(path, problems.append, lambda: None)

    async def talk() -> None:
        await audio.start(_as_session(stage))
        await audio.talk()
        stage.end.set()
        await audio.spoken()
        await audio.stop()

    on(thread, talk())
    assert stage.clips == [tone(400, hz=300)]
    assert [words for words in problems if "channel 0 (left) was taken" in words]


def test_a_file_is_silent_while_it_is_muted(thread: IoThread, voice: Path) -> None:
    audio = FileAudio(voice, print, lambda: None)

    async def talk(session: rt.Session) -> None:
        await audio.prepare()
        await audio.start(session)
        audio.mute(True)
        await audio.talk()
        await heard(session, 100)
        audio.mute(False)
        await heard(session, 250)
        audio.mute(True)
        await audio.spoken()
        await audio.stop()

    async def heard(session: rt.Session, ms: float) -> None:
        while session.conversation.input_ms < ms:  # noqa: ASYNC110 - on virtual time
            await asyncio.sleep(0.01)

    async def run() -> bytes:
        sent = Sent()
        async with (
            MemoryServer() as server,
            rt.connect(transport=server.transport) as session,
        ):
            session.observe(sent)
            await talk(session)
        return bytes(sent.pcm)

    pcm = run_on_virtual_clock(run())
    per_chunk = [any(pcm[at : at + 1920]) for at in range(0, 10 * 1920, 1920)]
    assert per_chunk[:3] == [False] * 3
    assert any(per_chunk[3:7])
    assert per_chunk[8:] == [False] * 2
    assert len(pcm) > len(tone(400))


class Sent:
    """Keeps the microphone's audio."""

    def __init__(self) -> None:
        self.pcm = bytearray()

    def event(self, event: WireEvent) -> None:
        if event.direction == "sent" and event.pcm is not None:
            self.pcm += event.pcm

    def playback(self, report: Any) -> None: ...

    def tool(self, report: Any) -> None: ...


def test_a_file_that_has_gone_is_told_to_who_wants_it_spoken(thread: IoThread, voice: Path) -> None:
    audio = FileAudio(voice, print, lambda: None)
    voice.unlink()

    async def talk() -> None:
        await audio.start(_as_session(Stage()))
        await audio.talk()

    with pytest.raises(AudioError, match="does not exist"):
        on(thread, talk())
    on(thread, audio.spoken())


def _as_session(stage: Any) -> Session:
    session: Session = stage
    return session
