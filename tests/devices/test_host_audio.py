from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.devices import host_audio, host_devices
from realtime_nb.devices.host_audio import HostMicrophone, HostSpeaker
from realtime_nb.devices.host_devices import list_devices
from realtime_nb.devices.host_streams import Block, Listener
from realtime_nb.errors import ConfigurationError
from realtime_nb.local.stt import load_stt
from realtime_nb.protocol.conversation import PlaybackReport
from tests.devices.fake_sounddevice import FakeSoundDevice
from tests.devices.jack import Jack, why_no_jack
from tests.paths import DATA

pytestmark = pytest.mark.live

BYTES_PER_MS = 48


def noise(ms: int, seed: int = 0) -> bytes:
    """Loud noise without a sample of silence."""
    generator = np.random.default_rng(seed)
    values = generator.integers(1_000, 8_000, ms * 24) * generator.choice([-1, 1], ms * 24)
    return bytes(values.astype("<i2").tobytes())


def samples(pcm: bytes) -> Any:
    return np.frombuffer(pcm, "<i2").astype(int)


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.002)


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
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    module = FakeSoundDevice()
    module.install(monkeypatch)
    return module


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
    monkeypatch.setattr(host_audio, "MAX_WAITING_MS", 200)
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


# --- what only a device that is played by the test can show ---


class Speaking:
    """A speaker whose device moves when the test says so, and session time with it."""

    def __init__(self, fake: FakeSoundDevice, **options: Any) -> None:
        self.fake = fake
        self.reports: list[PlaybackReport] = []
        self.played: list[tuple[str, bytes, float]] = []
        self.problems: list[str] = []
        self.speaker = HostSpeaker(
            lambda: fake.now_s - 100,
            self.reports.append,
            lambda item_id, pcm, t_s: self.played.append((item_id, pcm, t_s)),
            on_problem=self.problems.append,
            **options,
        )

    async def step(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.fake.step()
            await asyncio.sleep(0)  # the loop takes in what the device said
            await asyncio.sleep(0)

    def said(self) -> list[tuple[str, str, float, float]]:
        return [(r.item_id, r.kind, r.played_ms, r.t_s) for r in self.reports]


@pytest.fixture
async def speaking(fake: FakeSoundDevice) -> AsyncIterator[Speaking]:
    speaking = Speaking(fake)
    yield speaking
    await speaking.speaker.close()


async def test_times_are_those_of_the_ear(speaking: Speaking) -> None:
    pcm = noise(120)
    speaking.speaker.write("a", pcm)
    speaking.speaker.end("a")

    await speaking.step(2)
    assert speaking.reports == []  # on its way, and not heard
    await speaking.step(8)

    # The first block goes out at 0.02 s and is heard 40 ms later.
    assert speaking.said() == [("a", "started", 0.0, 0.06), ("a", "finished", 120.0, 0.18)]
    assert b"".join(pcm for _, pcm, _ in speaking.played) == pcm
    assert [round(t_s, 6) for _, _, t_s in speaking.played] == pytest.approx(
        [0.06, 0.08, 0.1, 0.12, 0.14, 0.16]
    )
    assert bytes(speaking.fake.heard[: len(pcm)]) == pcm


async def test_blocks_that_come_unevenly_were_played_without_a_gap(speaking: Speaking) -> None:
    speaking.speaker.write("a", noise(200))
    speaking.speaker.end("a")
    for late_s in (
        0.0,
        0.004,
        -0.003,
        0.002,
        -0.003,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ):
        speaking.fake.now_s += late_s
        await speaking.step()
    times = [t_s for _, _, t_s in speaking.played]
    assert len(times) == 10
    assert np.diff(times) == pytest.approx([0.02] * 9)


async def test_an_item_that_has_ended_may_be_written_again(speaking: Speaking) -> None:
    for seed in range(2):
        speaking.speaker.write("a", noise(130, seed))
        speaking.speaker.end("a")

    await speaking.step(20)

    assert [report.kind for report in speaking.reports] == ["started", "finished"] * 2
    assert bytes(speaking.fake.heard).strip(b"\0") == noise(130) + noise(130, seed=1)


async def test_a_device_that_tells_no_time_is_late_by_its_latency(fake: FakeSoundDevice) -> None:
    fake.tells_dac_time = False
    fake.latency_s = 0.1
    speaking = Speaking(fake)
    speaking.speaker.write("a", noise(120))
    speaking.speaker.end("a")

    await speaking.step(15)

    assert speaking.said() == [("a", "started", 0.0, 0.12), ("a", "finished", 120.0, 0.24)]
    await speaking.speaker.close()


async def test_playback_waits_for_enough_audio(speaking: Speaking) -> None:
    speaking.speaker.write("a", noise(100))
    await speaking.step(10)
    assert not any(speaking.fake.heard)

    speaking.speaker.write("a", noise(20))
    await speaking.step(1)
    assert speaking.fake.heard.endswith(noise(100)[: 20 * BYTES_PER_MS])


async def test_a_short_item_that_has_ended_is_played(speaking: Speaking) -> None:
    speaking.speaker.write("a", noise(30))
    speaking.speaker.end("a")

    await speaking.step(6)

    assert speaking.said() == [("a", "started", 0.0, 0.06), ("a", "finished", 30.0, 0.09)]


async def test_items_follow_each_other_without_a_gap(speaking: Speaking) -> None:
    first, second = noise(130), noise(130, seed=1)
    for item_id, pcm in (("a", first), ("b", second)):
        speaking.speaker.write(item_id, pcm)
        speaking.speaker.end(item_id)

    await speaking.step(20)

    assert bytes(speaking.fake.heard).strip(b"\0").startswith(first + second)
    assert [(r.item_id, r.kind, r.t_s) for r in speaking.reports] == [
        ("a", "started", 0.06),
        ("a", "finished", 0.19),
        ("b", "started", 0.19),
        ("b", "finished", 0.32),
    ]


async def test_an_underrun_is_reported_where_and_when_the_sound_stopped(speaking: Speaking) -> None:
    speaking.speaker.write("a", noise(130))
    await speaking.step(12)
    assert speaking.said()[1:] == [("a", "underrun", 130.0, 0.19)]
    assert speaking.speaker.underruns == 1

    speaking.speaker.write("a", noise(130, seed=1))
    await speaking.step(1)
    speaking.speaker.end("a")
    await speaking.step(12)

    # It goes on with the 13th block.
    assert speaking.said()[2:] == [("a", "finished", 260.0, 0.43)]
    assert [round(t_s, 6) for _, _, t_s in speaking.played][6:8] == pytest.approx([0.18, 0.3])


async def test_a_flush_fades_out(speaking: Speaking) -> None:
    pcm = noise(1_000)
    speaking.speaker.write("a", pcm)
    await speaking.step(10)

    flush = speaking.speaker.flush()
    await speaking.step(2)

    assert await flush == [("a", 205.0)]
    sound = bytes(speaking.fake.heard)
    until_flush, faded = 200 * BYTES_PER_MS, sound[200 * BYTES_PER_MS : 205 * BYTES_PER_MS]
    assert sound[:until_flush] == pcm[:until_flush]
    assert not any(sound[205 * BYTES_PER_MS :])
    gain = samples(faded) / samples(pcm[until_flush : 205 * BYTES_PER_MS])
    assert np.all(np.diff(gain) < 0.001)
    assert gain[0] == 1 and abs(gain[-1]) < 0.01
    # 0.22 + 0.04 + 0.005
    assert speaking.said()[-1] == ("a", "flushed", 205.0, 0.265)
    assert b"".join(pcm for _, pcm, _ in speaking.played) == sound[: 205 * BYTES_PER_MS]


async def test_what_is_on_its_way_to_the_ear_is_not_flushed(speaking: Speaking) -> None:
    speaking.speaker.write("a", noise(120))
    speaking.speaker.end("a")
    await speaking.step(7)
    assert speaking.speaker.playing

    flush = speaking.speaker.flush()
    await speaking.step()

    assert await flush == []
    assert [report.kind for report in speaking.reports] == ["started", "finished"]


async def test_two_flushes_in_a_row(speaking: Speaking) -> None:
    speaking.speaker.write("a", noise(500))
    await speaking.step(5)

    first = speaking.speaker.flush()
    speaking.speaker.write("b", noise(500))
    second = speaking.speaker.flush()
    await speaking.step()

    assert await first == [("a", 105.0)]
    assert await second == [("b", 0.0)]
    assert await speaking.speaker.flush() == []  # of a device that is not asked again


async def test_a_device_that_was_late_is_an_underrun(speaking: Speaking) -> None:
    speaking.speaker.write("a", noise(500))
    await speaking.step(3)
    speaking.fake.flags.output_underflow = True
    await speaking.step()
    speaking.fake.flags.output_underflow = False
    await speaking.step(4)

    assert [r.kind for r in speaking.reports] == ["started", "underrun"]
    assert speaking.reports[1].played_ms == 60
    assert speaking.speaker.underruns == 1


async def test_nothing_is_underrun_in_silence(speaking: Speaking) -> None:
    speaking.fake.flags.output_underflow = True
    await speaking.step(3)
    assert speaking.speaker.underruns == 0


async def test_odd_pieces_are_put_together(speaking: Speaking) -> None:
    pcm = noise(200)
    for start in range(0, len(pcm), 333):
        speaking.speaker.write("a", pcm[start : start + 333])
    speaking.speaker.end("a")

    await speaking.step(20)

    assert b"".join(piece for _, piece, _ in speaking.played) == pcm
    assert bytes(speaking.fake.heard[: len(pcm)]) == pcm


async def test_an_item_without_audio_says_nothing(speaking: Speaking) -> None:
    speaking.speaker.write("a", b"")
    speaking.speaker.end("a")
    await speaking.step(4)

    assert not speaking.speaker.playing
    assert speaking.reports == []


async def test_another_rate_is_resampled_and_counted_in_the_items_own(
    fake: FakeSoundDevice,
) -> None:
    fake.sample_rates = [44_100]
    speaking = Speaking(fake)
    tone = pcm_from_samples(0.5 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000))
    speaking.speaker.write("a", tone)
    speaking.speaker.end("a")

    await speaking.step(60)

    assert speaking.said()[-1][1:3] == ("finished", 1_000.0)
    assert speaking.said()[-1][3] == pytest.approx(1.06, abs=0.001)
    assert b"".join(piece for _, piece, _ in speaking.played) == tone
    spectrum = np.abs(np.fft.rfft(samples(bytes(fake.heard[: 44_100 * 2]))))
    assert np.argmax(spectrum) == 440
    await speaking.speaker.close()


async def test_a_speaker_that_is_gone_is_reported_and_keeps_nobody_waiting(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_devices, "LOOK_S", 0.05)
    speaking = Speaking(fake)
    speaking.speaker.write("b", noise(500))
    await until(lambda: not speaking.speaker.playing)

    assert speaking.problems == ["The speaker takes no audio any more. Is it still plugged in?"]
    assert speaking.said()[-1][:3] == ("b", "flushed", 0.0)
    await speaking.speaker.close()


async def test_a_flush_does_not_wait_for_a_device_that_has_stopped(
    speaking: Speaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_audio, "FLUSH_TIMEOUT_S", 0.02)
    speaking.speaker.write("a", noise(500))
    await speaking.step(5)

    stopped = await asyncio.wait_for(speaking.speaker.flush(), 1)

    assert stopped == [("a", 100.0)]
    assert speaking.problems == []


async def test_half_duplex_lasts_when_the_agent_goes_on(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_audio, "ECHO_TAIL_S", 0.05)
    loud: list[bool] = []
    speaking = Speaking(fake, half_duplex=loud.append)
    speaking.speaker.write("a", noise(120))
    await speaking.step(11)  # the tail begins
    speaking.speaker.write("a", noise(500))
    await speaking.step(1)

    await asyncio.sleep(0.1)  # longer than the tail

    assert loud == [True]
    await speaking.speaker.close()


async def test_a_flush_of_nothing_does_not_make_the_microphone_deaf(fake: FakeSoundDevice) -> None:
    """Each turn of the person begins with one: their words would have a hole."""
    loud: list[bool] = []
    speaking = Speaking(fake, half_duplex=loud.append)
    flush = speaking.speaker.flush()
    await speaking.step(2)

    assert await flush == []
    assert loud == []
    await speaking.speaker.close()


async def test_half_duplex_ends_after_the_echo(fake: FakeSoundDevice) -> None:
    loud: list[bool] = []
    speaking = Speaking(fake, half_duplex=loud.append)
    speaking.speaker.write("a", noise(120))
    await speaking.step(1)
    assert loud == [True]  # before the first sample is heard
    await speaking.step(10)
    assert loud == [True]

    await until(lambda: len(loud) == 2)
    assert loud == [True, False]
    speaking.speaker.write("a", noise(120))
    await speaking.step(1)
    assert loud == [True, False, True]

    await speaking.speaker.close()
    assert loud == [True, False, True, False]


async def test_close_frees_the_device_and_may_be_repeated(fake: FakeSoundDevice) -> None:
    speaking = Speaking(fake)
    speaking.speaker.write("a", noise(500))
    await speaking.step(5)
    flush = speaking.speaker.flush()

    await speaking.speaker.close()
    await speaking.speaker.close()

    assert await flush == [("a", 100.0)]
    assert fake.streams[0].closed
    assert not speaking.speaker.playing


async def test_close_says_how_far_what_is_being_played_was_heard(fake: FakeSoundDevice) -> None:
    speaking = Speaking(fake)
    speaking.speaker.write("a", noise(500))
    speaking.speaker.write("b", noise(500))
    await speaking.step(5)

    await speaking.speaker.close()

    kinds = [said[:3] for said in speaking.said()]
    assert kinds == [("a", "started", 0.0), ("a", "flushed", 100.0), ("b", "flushed", 0.0)]
    assert sum(len(pcm) for _, pcm, _ in speaking.played) == 100 * 48


# --- the microphone alone ---


class Listening:
    def __init__(self, fake: FakeSoundDevice, **options: Any) -> None:
        self.fake = fake
        self.chunks: list[bytes] = []
        self.problems: list[str] = []
        self.microphone = HostMicrophone(
            self._take,
            loop=asyncio.get_running_loop(),
            on_problem=self.problems.append,
            **options,
        )

    def _take(self, pcm: bytes, captured_s: float) -> None:
        self.chunks.append(pcm)

    def say(self, pcm: bytes) -> None:
        """Has the microphone hear that, and the loop not notice."""
        size = self.fake.sample_rates[0] // 50 * 2
        for start in range(0, len(pcm), size):
            self.fake.heard[:] = pcm[start : start + size]
            self.fake.step()


@pytest.fixture
async def listening(fake: FakeSoundDevice) -> AsyncIterator[Listening]:
    listening = Listening(fake)
    listening.microphone.start()
    yield listening
    listening.microphone.stop()


async def test_chunks_hold_what_was_recorded(listening: Listening) -> None:
    pcm = noise(500)
    listening.microphone.start()  # once more changes nothing
    listening.say(pcm)
    await asyncio.sleep(0)

    assert [len(chunk) for chunk in listening.chunks] == [40 * BYTES_PER_MS] * 12
    listening.microphone.stop()
    await until(lambda: len(listening.chunks) == 13)  # the 20 ms that make no chunk
    assert b"".join(listening.chunks) == pcm
    assert listening.problems == []
    assert listening.fake.streams[0].closed


async def test_it_starts_again_after_a_stop(listening: Listening) -> None:
    listening.microphone.stop()
    listening.microphone.start()
    listening.say(noise(40))
    await until(lambda: listening.chunks)
    assert listening.chunks == [noise(40)]
    assert listening.problems == []


async def test_a_stall_of_two_seconds_loses_nothing(listening: Listening) -> None:
    pcm = noise(2_000)
    listening.say(pcm)
    await asyncio.sleep(0)
    assert b"".join(listening.chunks) == pcm
    assert listening.microphone.dropped_ms == 0


async def test_after_a_longer_stall_the_oldest_is_dropped(listening: Listening) -> None:
    pcm = noise(2_300)
    listening.say(pcm)
    await asyncio.sleep(0)
    assert b"".join(listening.chunks) == pcm[300 * BYTES_PER_MS :]
    assert listening.microphone.dropped_ms == 300
    assert listening.problems == [
        "300 ms of microphone audio were dropped, because it was not taken for more than 2 s. "
        "Something blocks the event loop."
    ]


async def test_while_muted_there_is_silence_and_nothing_is_kept(listening: Listening) -> None:
    before, secret, after = noise(40), noise(80, seed=1), noise(40, seed=2)
    listening.say(before)
    await asyncio.sleep(0)
    listening.microphone.muted = True
    listening.say(secret)
    listening.microphone.muted = False  # before the loop has looked
    listening.say(after)
    await asyncio.sleep(0)
    assert listening.chunks == [before, bytes(1_920), bytes(1_920), after]
    assert listening.problems == []


async def test_what_waits_is_not_heard_once_it_is_muted(listening: Listening) -> None:
    listening.say(noise(80))
    listening.microphone.muted = True
    await asyncio.sleep(0)
    assert listening.chunks == [bytes(1_920), bytes(1_920)]


async def test_silenced_it_goes_on_with_silence(listening: Listening) -> None:
    listening.microphone.silence(True)
    listening.say(noise(80))
    listening.microphone.silence(False)
    listening.say(noise(40))
    await asyncio.sleep(0)
    assert listening.chunks == [bytes(1_920), bytes(1_920), noise(40)]


async def test_overflows_are_counted_and_told_now_and_then(listening: Listening) -> None:
    listening.fake.flags.input_overflow = True
    for _ in range(3):
        listening.say(noise(20))
        await asyncio.sleep(0)
    assert listening.microphone.overflows == 3
    assert listening.microphone.lost_ms == 0
    assert listening.problems == [
        "The microphone may have lost moments of audio (1 overrun counted). "
        "The computer is too busy for its sound system."
    ]


async def test_silence_stands_for_what_was_lost(listening: Listening) -> None:
    before, after = noise(400), noise(400, seed=1)
    listening.say(before)
    listening.fake.now_s += 0.06  # three blocks that never came
    listening.fake.flags.input_overflow = True
    listening.say(after[: 20 * BYTES_PER_MS])
    listening.fake.flags.input_overflow = False
    listening.say(after[20 * BYTES_PER_MS :])
    await asyncio.sleep(0)
    listening.microphone.stop()
    await until(lambda: listening.fake.streams[0].closed)
    await asyncio.sleep(0)

    heard = b"".join(listening.chunks)
    seen_after = 200 * BYTES_PER_MS  # less the block that came when it was due
    place = heard.index(bytes(60 * BYTES_PER_MS))
    assert len(heard) == 860 * BYTES_PER_MS
    assert heard.replace(bytes(60 * BYTES_PER_MS), b"") == before + after
    assert len(before) <= place <= len(before) + seen_after
    assert listening.microphone.lost_ms == pytest.approx(60)
    assert listening.problems == [
        "The microphone has lost 60 ms of audio (1 overrun counted), which silence stands for. "
        "The computer is too busy for its sound system."
    ]


async def test_a_stop_while_the_device_is_being_opened_ends_it(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, go_on = threading.Event(), threading.Event()

    def slowly(device: int | str | None, take: Callable[[Block], None]) -> Listener:
        opening.set()
        assert go_on.wait(5)
        return Listener(device, take)

    monkeypatch.setattr(host_audio, "open_listener", slowly)
    microphone = Listening(fake).microphone
    start = asyncio.create_task(asyncio.to_thread(microphone.start))
    assert await asyncio.to_thread(opening.wait, 5)
    stop = asyncio.create_task(asyncio.to_thread(microphone.stop))
    await asyncio.wait([stop], timeout=0.1)
    go_on.set()
    await asyncio.gather(start, stop)
    assert fake.streams[0].closed


async def test_a_microphone_of_another_rate(fake: FakeSoundDevice) -> None:
    fake.sample_rates = [48_000]
    listening = Listening(fake, chunk_ms=100)
    listening.microphone.start()
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    listening.say(pcm_from_samples(tone))
    listening.microphone.stop()
    await until(lambda: sum(map(len, listening.chunks)) == 48_000)
    heard = samples(b"".join(listening.chunks)) / 32_768
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)
    assert np.abs(heard - expected)[100:-100].max() < 0.001


async def test_a_microphone_that_is_gone_is_reported_once(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_devices, "LOOK_S", 0.01)
    listening = Listening(fake)
    listening.microphone.start()
    listening.say(noise(20))
    await until(lambda: listening.problems)
    await asyncio.sleep(0.05)  # several more looks
    listening.microphone.stop()
    assert listening.problems == [
        "The microphone delivers nothing any more. Is it still plugged in?"
    ]


@pytest.mark.parametrize(("told_s", "late_ms"), [(None, 0.0), (0.012, 12.0)])
async def test_it_knows_how_long_ago_a_chunk_was_recorded(
    fake: FakeSoundDevice, told_s: float | None, late_ms: float
) -> None:
    """The rest of a block that is not in the chunk is older than the block's end."""
    fake.input_latency_s = told_s
    late: list[float] = []
    microphone = HostMicrophone(
        lambda _, captured_s: late.append((fake.now_s - captured_s) * 1000),
        loop=asyncio.get_running_loop(),
        chunk_ms=30,
    )
    microphone.start()
    for _ in range(3):
        fake.step()
        await asyncio.sleep(0)
    assert late == pytest.approx([late_ms + 10, late_ms])
    microphone.stop()


@pytest.mark.parametrize("chunk_ms", [19, 101])
async def test_chunks_of_an_impossible_length(chunk_ms: int) -> None:
    with pytest.raises(ConfigurationError, match=f"chunk_ms is {chunk_ms}; give 20 to 100"):
        HostMicrophone(print, loop=asyncio.get_running_loop(), chunk_ms=chunk_ms)
