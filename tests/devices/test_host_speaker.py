"""The speaker: what only a device that is played by the test can show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.devices import host_devices, host_speaker
from realtime_nb.devices.host_speaker import HostSpeaker
from realtime_nb.protocol.conversation import PlaybackReport
from tests.devices import host_sound
from tests.devices.fake_sounddevice import FakeSoundDevice
from tests.devices.host_sound import BYTES_PER_MS, noise, samples, until

pytestmark = pytest.mark.live

fake = host_sound.fake


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
    monkeypatch.setattr(host_speaker, "FLUSH_TIMEOUT_S", 0.02)
    speaking.speaker.write("a", noise(500))
    await speaking.step(5)

    stopped = await asyncio.wait_for(speaking.speaker.flush(), 1)

    assert stopped == [("a", 100.0)]
    assert speaking.problems == []


async def test_half_duplex_lasts_when_the_agent_goes_on(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_speaker, "ECHO_TAIL_S", 0.05)
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


async def test_the_device_holds_no_more_than_it_is_to_and_plays_all(
    speaking: Speaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written at once, as servers send it, with another item behind; a flush reaches both."""
    monkeypatch.setattr(host_speaker, "AHEAD_MS", 400)
    given = 0
    write = speaking.speaker._player.write

    def counted(number: int, pcm: bytes) -> None:
        nonlocal given
        given += len(pcm)
        write(number, pcm)

    monkeypatch.setattr(speaking.speaker._player, "write", counted)
    first, second = noise(1_000), noise(700, 1)
    for item, pcm in (("a", first), ("b", second)):
        speaking.speaker.write(item, pcm)
        speaking.speaker.end(item)
    assert given == 400 * BYTES_PER_MS
    for _ in range(70):
        await speaking.step()
        heard = sum(len(pcm) for _, pcm, _ in speaking.played)
        assert given - heard <= 400 * BYTES_PER_MS
    assert [(item, kind) for item, kind, *_ in speaking.said()] == [
        ("a", "started"),
        ("a", "finished"),
        ("b", "started"),
    ]
    told = speaking.speaker.flush()
    await speaking.step(3)
    ((item, played_ms),) = await told
    assert item == "b"
    assert b"".join(pcm for item, pcm, _ in speaking.played if item == "a") == first
    assert 300 < played_ms < 450
    assert speaking.speaker.underruns == 0
