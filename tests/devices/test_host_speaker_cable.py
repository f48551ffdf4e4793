from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.devices import host_microphone
from realtime_nb.devices.host_devices import list_devices
from realtime_nb.devices.host_microphone import HostMicrophone
from realtime_nb.devices.host_speaker import HostSpeaker
from realtime_nb.errors import ConfigurationError
from realtime_nb.local.stt import load_stt
from realtime_nb.protocol.conversation import PlaybackReport
from tests.devices import host_sound
from tests.devices.fake_sounddevice import FakeSoundDevice
from tests.devices.host_sound import BYTES_PER_MS, noise, samples, until
from tests.devices.jack import Jack, why_no_jack
from tests.paths import DATA

pytestmark = pytest.mark.live

fake = host_sound.fake

# --- the cable: speaker to microphone, in memory and through PortAudio ---


class Cable:
    """A speaker whose sound is what a microphone hears."""

    def __init__(self, connect: Callable[[], Awaitable[None]]) -> None:
        self.reports: list[PlaybackReport] = []
        self.played: list[tuple[str, bytes, float]] = []
        self.problems: list[str] = []
        self.loud: list[bool] = []
        self.recorded = bytearray()
        self.speaker: HostSpeaker
        self.microphone: HostMicrophone
        self._connect = connect

    async def open(self, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        self.microphone = HostMicrophone(
            self._take, loop=loop, chunk_ms=20, on_problem=self.problems.append
        )
        self.speaker = HostSpeaker(
            loop.time,
            self.reports.append,
            lambda item_id, pcm, t_s: self.played.append((item_id, pcm, t_s)),
            on_problem=self.problems.append,
            **options,
        )
        self.microphone.start()
        await self._connect()
        await until(lambda: self.recorded)

    def _take(self, pcm: bytes, captured_s: float) -> None:
        self.recorded += pcm

    async def close(self) -> None:
        if hasattr(self, "speaker"):
            await self.speaker.close()
        if hasattr(self, "microphone"):
            self.microphone.stop()

    def kinds(self, item_id: str) -> list[str]:
        return [report.kind for report in self.reports if report.item_id == item_id]

    def last(self, item_id: str) -> PlaybackReport:
        return [report for report in self.reports if report.item_id == item_id][-1]

    def sound(self) -> bytes:
        """What was recorded, from its first to its last sample that is not silent."""
        loud = np.flatnonzero(samples(bytes(self.recorded)))
        return bytes(self.recorded[loud[0] * 2 : loud[-1] * 2 + 2]) if loud.size else b""

    async def hear(self, ms: float) -> None:
        """Waits until that much more was recorded."""
        wanted = len(self.recorded) + ms * BYTES_PER_MS
        await until(lambda: len(self.recorded) >= wanted)


@pytest.fixture(scope="module", params=["fake", "portaudio", "portaudio 48 kHz"])
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str | Jack]:
    if request.param == "fake":
        yield "fake"
        return
    if why := why_no_jack():
        pytest.skip(why)
    jack = Jack(48_000 if "48" in request.param else 24_000, tmp_path_factory.mktemp("jack"))
    yield jack
    jack.close()


@pytest.fixture
async def cable(host: str | Jack, request: pytest.FixtureRequest) -> AsyncIterator[Cable]:
    if isinstance(host, Jack):
        cable = Cable(host.connect)
        yield cable
        await cable.close()
        return
    module: FakeSoundDevice = request.getfixturevalue("fake")
    with module.running():
        cable = Cable(lambda: asyncio.sleep(0))
        yield cable
        await cable.close()


# --- what holds for every host ---


async def test_what_is_said_is_heard_and_accounted_for(cable: Cable) -> None:
    pcm = noise(600)
    await cable.open()
    before_s = asyncio.get_running_loop().time()

    for start in range(0, len(pcm), 4_800):
        cable.speaker.write("a", pcm[start : start + 4_800])
    cable.speaker.end("a")
    assert cable.speaker.playing
    await until(lambda: not cable.speaker.playing)
    await cable.hear(150)

    kinds = [kind for kind in cable.kinds("a") if kind != "underrun"]  # a busy machine's
    assert kinds == ["started", "finished"]
    assert cable.last("a").played_ms == 600
    started_s, finished_s = cable.reports[0].t_s, cable.last("a").t_s
    assert 0 < started_s - before_s < 0.5
    assert 0.58 < finished_s - started_s < 0.75
    assert b"".join(piece for _, piece, _ in cable.played) == pcm
    assert abs(len(cable.sound()) / BYTES_PER_MS - 600) < 45  # a busy machine may lose a block


async def test_speech_survives_the_way_round(cable: Cable) -> None:
    speech = load_audio(DATA / "austen_0930.wav")
    await cable.open()

    cable.speaker.write("a", pcm_from_samples(speech))
    cable.speaker.end("a")
    await until(lambda: not cable.speaker.playing)
    await cable.hear(300)

    heard = await asyncio.to_thread(load_stt("moonshine").transcribe, bytes(cable.recorded), 24_000)
    assert heard == "He might even have been made amiable himself."


async def test_flush_stops_at_once_and_says_where(cable: Cable) -> None:
    await cable.open()
    cable.speaker.write("a", noise(3_000))
    cable.speaker.write("b", noise(500))
    await until(lambda: len(cable.sound()) >= 700 * BYTES_PER_MS)

    heard_before = len(cable.sound())
    flush = cable.speaker.flush()
    assert not cable.speaker.playing
    stopped = await flush
    await cable.hear(200)

    recorded_ms = len(cable.sound()) / BYTES_PER_MS
    assert recorded_ms - heard_before / BYTES_PER_MS <= 60
    assert [item_id for item_id, _ in stopped] == ["a", "b"]
    assert stopped[1][1] == 0
    assert abs(stopped[0][1] - recorded_ms) < 40
    assert cable.last("a").kind == "flushed"
    assert cable.last("a").played_ms == stopped[0][1]
    passed_on = b"".join(pcm for _, pcm, _ in cable.played)
    assert len(passed_on) / BYTES_PER_MS == pytest.approx(stopped[0][1], abs=0.1)


async def test_what_is_written_after_a_flush_is_played(cable: Cable) -> None:
    await cable.open()
    cable.speaker.write("a", noise(3_000))
    await until(lambda: cable.kinds("a"))

    flush = cable.speaker.flush()
    cable.speaker.write("a", noise(200, seed=1))
    cable.speaker.end("a")
    assert cable.speaker.playing
    stopped = await flush
    await until(lambda: not cable.speaker.playing)

    kinds = [kind for kind in cable.kinds("a") if kind != "underrun"]
    assert kinds == ["started", "flushed", "started", "finished"]
    assert stopped[0][1] < 1_000
    assert cable.last("a").played_ms == 200


async def test_running_dry_is_counted_and_playback_goes_on(cable: Cable) -> None:
    await cable.open()
    cable.speaker.write("a", noise(200))
    # Resampling holds back its filter's length until it knows what comes next. A busy machine may
    # have its own underruns before.
    await until(lambda: any(r.kind == "underrun" and r.played_ms > 170 for r in cable.reports))
    assert cable.last("a").played_ms <= 200
    assert cable.speaker.playing

    cable.speaker.write("a", noise(200, seed=1))
    cable.speaker.end("a")
    await until(lambda: cable.last("a").kind == "finished")

    assert cable.kinds("a")[-1] == "finished"
    assert cable.speaker.underruns == cable.kinds("a").count("underrun") >= 1
    assert cable.last("a").played_ms == 400


async def test_half_duplex_silences_the_microphone_while_the_agent_speaks(cable: Cable) -> None:
    def silence(on: bool) -> None:
        cable.loud.append(on)
        cable.microphone.silence(on)

    await cable.open(half_duplex=silence)
    cable.speaker.write("a", noise(500))
    cable.speaker.end("a")
    await until(lambda: not cable.speaker.playing)
    assert cable.loud == [True]
    ended_s = asyncio.get_running_loop().time()
    await until(lambda: len(cable.loud) == 2)

    assert cable.loud == [True, False]
    assert 0.15 < asyncio.get_running_loop().time() - ended_s < 2
    # The loop is told of the first block when the cable has carried it already (a room takes
    # longer, and so do real devices), and later on a busy machine.
    assert len(cable.sound()) < 250 * BYTES_PER_MS


async def test_a_stalled_loop_drops_the_oldest_and_says_so(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_microphone, "MAX_WAITING_MS", 200)
    await cable.open()

    time.sleep(0.6)  # noqa: ASYNC251 (this is the stall)
    await until(lambda: cable.microphone.dropped_ms)

    assert cable.microphone.dropped_ms <= 600
    words = f"{cable.microphone.dropped_ms} ms of microphone audio were dropped"
    assert any(problem.startswith(words) for problem in cable.problems)


async def test_no_such_device(cable: Cable) -> None:
    loop = asyncio.get_running_loop()
    for device in ("nonesuch", 99):
        words = f"No one speaker fits {device!r}. Choose one by number or name: [01] '"
        with pytest.raises(ConfigurationError, match=words):
            HostSpeaker(loop.time, lambda _: None, lambda *_: None, device=device)
        with pytest.raises(ConfigurationError, match=f"No one microphone fits {device!r}"):
            HostMicrophone(lambda *_: None, loop=loop, device=device).start()


async def test_devices_are_listed(cable: Cable, host: str | Jack) -> None:
    devices = list_devices()
    assert any(device.inputs and device.is_default in ("input", "both") for device in devices)
    assert any(device.outputs and device.is_default in ("output", "both") for device in devices)
    assert {device.host_api for device in devices} == {
        "Fake" if host == "fake" else "JACK Audio Connection Kit"
    }
