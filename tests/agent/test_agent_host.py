"""An agent's audio on this computer's sound card; the conversation through it: test_host_agent."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from realtime_nb.agent.audio import HostAudio
from realtime_nb.agent.io_thread import IoThread
from realtime_nb.agent.options import HostAudioSettings
from realtime_nb.devices import host_speaker
from realtime_nb.devices.simulated import Speaker
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.session.session import Session
from realtime_nb.testing import tone
from tests.agent import agents
from tests.agent.agents import WAIT_S, Ears, on
from tests.devices.fake_sounddevice import FakeSoundDevice

thread = agents.thread


def _as_session(room: Any) -> Session:
    session: Session = room
    return session


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSoundDevice]:
    module = FakeSoundDevice()
    module.install(monkeypatch)
    with module.running():
        yield module


class Room(Ears):
    """A session whose clock and ears a sound card needs."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[PlaybackReport] = []
        self.noted: dict[str, object] = {}

    def note(self, **facts: object) -> None:
        self.noted |= facts

    def playback_report(self, report: PlaybackReport) -> None:
        self.reports.append(report)

    def audio_played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        pass


async def hear_the_agent(audio: HostAudio, room: Room) -> Speaker:
    """The agent speaks while the microphone is open, which is closed again after that."""
    speaker = audio.speaker(_as_session(room))
    await audio.start(_as_session(room))
    await audio.talk()
    speaker.write("a", tone(300))
    speaker.end("a")
    while speaker.playing:  # noqa: ASYNC110 - its end is reported on another thread
        await asyncio.sleep(0.005)
    await audio.hush()
    return speaker


def test_the_sound_card_hears_and_is_deaf_while_the_agent_speaks(
    thread: IoThread, sound: FakeSoundDevice
) -> None:
    problems: list[str] = []
    audio, room = HostAudio(thread, problems.append), Room()

    async def talk() -> None:
        speaker = await hear_the_agent(audio, room)
        heard = len(room.heard)
        await speaker.close()
        await audio.stop()
        assert len(room.heard) == heard > 0

    on(thread, talk())
    assert [report.kind for report in room.reports] == ["started", "finished"]
    assert any(sound.heard)
    assert not any(b"".join(room.heard))  # its own voice, which the cable brings back
    assert problems == []
    assert room.noted["microphone"] == {
        "source": "host", "lost_ms": 0, "overflows": 0, "dropped_ms": 0
    }  # fmt: skip
    assert all(stream.closed for stream in sound.streams)


def test_with_headphones_the_agent_can_be_interrupted_by_voice(
    thread: IoThread, sound: FakeSoundDevice
) -> None:
    audio = HostAudio(thread, print, HostAudioSettings(half_duplex=False, chunk_ms=20))
    room = Room()

    async def talk() -> None:
        speaker = await hear_the_agent(audio, room)
        await speaker.close()
        await audio.stop()

    on(thread, talk())
    assert any(b"".join(room.heard))
    assert {len(chunk) for chunk in room.heard[:-1]} == {20 * 48}


# --- a speaker that takes its time ---


class SlowDevice:
    """A player that is opened when the test says so."""

    sample_rate = 24_000

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opening = threading.Event()
        self.go = threading.Event()
        self.closed = threading.Event()
        monkeypatch.setattr(host_speaker, "open_player", self._open)

    def _open(self, device: object, tell: object) -> SlowDevice:
        self.opening.set()
        self.go.wait(WAIT_S)
        return self

    def close(self) -> None:
        self.closed.set()


def test_a_speaker_that_opens_slowly_holds_nobody_up(
    thread: IoThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, audio = SlowDevice(monkeypatch), HostAudio(thread, print)
    preparing = thread.run(audio.prepare())
    assert device.opening.wait(WAIT_S)
    ran = threading.Event()
    thread.call(ran.set)
    assert ran.wait(WAIT_S)  # the loop goes on
    assert not preparing.done()
    device.go.set()
    preparing.result(WAIT_S)

    async def play() -> None:
        speaker = audio.speaker(_as_session(Room()))
        assert not device.closed.is_set()
        await speaker.close()

    on(thread, play())
    assert device.closed.is_set()


@pytest.mark.parametrize("when", ["while it opens", "after it"])
def test_a_speaker_that_nobody_wants_any_more_is_freed(
    thread: IoThread, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    device, audio = SlowDevice(monkeypatch), HostAudio(thread, print)

    async def change_ones_mind() -> None:
        preparing = asyncio.create_task(audio.prepare())
        await asyncio.to_thread(device.opening.wait, WAIT_S)
        if when == "while it opens":
            preparing.cancel()
            await asyncio.wait([preparing])
            device.go.set()
        else:
            device.go.set()
            await preparing
        await audio.stop()

    on(thread, change_ones_mind())
    assert device.closed.wait(WAIT_S)


def test_what_the_sound_card_loses_is_said_and_recorded(
    thread: IoThread, sound: FakeSoundDevice
) -> None:
    problems: list[str] = []
    audio, room, later = HostAudio(thread, problems.append), Room(), Room()

    async def lose(room: Room) -> None:
        sound.flags.input_overflow = True
        await audio.start(_as_session(room))
        await audio.talk()
        while not room.heard:  # noqa: ASYNC110 - it comes from another thread
            await asyncio.sleep(0.005)
        await audio.hush()
        await audio.stop()

    async def talk() -> None:
        await lose(room)
        await lose(later)

    on(thread, talk())
    assert problems[0].startswith("The microphone may have lost moments of audio (1 overrun")
    counts = [cast("dict[str, int]", r.noted["microphone"])["overflows"] for r in (room, later)]
    assert min(counts) > 0
    assert sum(counts) == audio._microphone.overflows  # each session has its own


def test_without_a_sound_card_the_words_say_what_to_do(
    thread: IoThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise ConfigurationError("There is no microphone.")

    monkeypatch.setattr("realtime_nb.devices.host_microphone.open_listener", none)
    audio = HostAudio(thread, print)
    with pytest.raises(ConfigurationError, match="no microphone"):
        on(thread, audio.talk())
    on(thread, audio.stop())
    audio.mute(True)
    audio.close()
