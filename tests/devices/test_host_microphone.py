"""The microphone alone, on a device that is played by the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.devices import host_devices, host_microphone
from realtime_nb.devices.host_microphone import HostMicrophone
from realtime_nb.devices.host_streams import Block, Listener
from realtime_nb.errors import ConfigurationError
from tests.devices import host_sound
from tests.devices.fake_sounddevice import FakeSoundDevice
from tests.devices.host_sound import BYTES_PER_MS, noise, samples, until

pytestmark = pytest.mark.live

fake = host_sound.fake


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

    monkeypatch.setattr(host_microphone, "open_listener", slowly)
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
