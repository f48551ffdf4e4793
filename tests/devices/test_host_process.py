"""Devices in processes of their own, with real ones: PortAudio and a JACK server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import pytest

from realtime_nb.devices import host_process
from realtime_nb.devices.host_microphone import HostMicrophone
from realtime_nb.devices.host_process import open_listener, open_player
from realtime_nb.devices.host_speaker import HostSpeaker
from realtime_nb.devices.host_streams import Block, TrackMark
from realtime_nb.errors import ConfigurationError
from realtime_nb.local.stt import load_stt
from realtime_nb.local.tts import load_tts
from tests.devices.jack import Jack, why_no_jack

pytestmark = pytest.mark.live

RATE = 24_000
STRESS_S = 20
RAMP = 4_000

# Plays a ramp whose every sample tells its place, as soon as it is told to, and then silence.
SOURCE = """
import sys
import numpy
import sounddevice

rate, ramp, seconds = map(int, sys.argv[1:])
pcm = (numpy.arange(rate * seconds) % ramp * 8 + 100).astype("<i2").tobytes()
place = -1

def callback(outdata, frames, times, status):
    global place
    if place < 0:
        outdata[:] = bytes(len(outdata))
        return
    outdata[:] = pcm[place:place + len(outdata)].ljust(len(outdata), b"\\0")
    place += len(outdata)

with sounddevice.RawOutputStream(rate, rate // 50, channels=1, dtype="int16", callback=callback):
    print("ready", flush=True)
    sys.stdin.readline()
    place = 0
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def jack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jack]:
    if why := why_no_jack():
        pytest.skip(why)
    jack = Jack(RATE, tmp_path_factory.mktemp("jack"))
    yield jack
    jack.close()


def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def process_of(device: object) -> subprocess.Popen[bytes]:
    return cast("subprocess.Popen[bytes]", device._process)  # type: ignore[attr-defined]


def test_what_is_refused_there_is_said_here(jack: Jack) -> None:
    with pytest.raises(ConfigurationError, match="No one microphone fits 'nonesuch'"):
        open_listener("nonesuch", lambda _: None)
    with pytest.raises(ConfigurationError, match="No one speaker fits 'nonesuch'"):
        open_player("nonesuch", lambda _: None)


def test_a_library_that_crashes_takes_no_kernel_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_process, "_START", "import os; os._exit(1)")
    with pytest.raises(ConfigurationError, match="PortAudio crashed or did not answer"):
        open_listener(None, lambda _: None)


def test_a_library_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_process, "_START", "import time; time.sleep(60)")
    monkeypatch.setattr(host_process, "_OPEN_TIMEOUT_S", 0.2)
    with pytest.raises(ConfigurationError, match="PortAudio crashed or did not answer"):
        open_player(None, lambda _: None)


def test_blocks_come_one_after_the_other_until_it_is_closed(jack: Jack) -> None:
    blocks: list[Block] = []
    listener = open_listener(None, blocks.append)
    until(lambda: len(blocks) >= 10)
    process_of(listener).send_signal(signal.SIGINT)  # a kernel's interrupt is not for it
    seen = len(blocks)
    until(lambda: len(blocks) >= seen + 10)
    listener.close()

    assert [block.number for block in blocks] == list(range(len(blocks)))
    assert {len(block.pcm) for block in blocks} == {RATE // 50 * 2}
    assert listener.sample_rate == RATE
    assert process_of(listener).returncode == 0


def test_a_player_lives_tells_and_ends(jack: Jack) -> None:
    calls: list[list[TrackMark | int]] = []
    player = open_player(None, calls.append)
    until(lambda: len(calls) >= 5)  # though nothing is played
    player.write(1, bytes(RATE // 5 * 2))
    player.end(1)
    until(lambda: any(isinstance(m, TrackMark) and m.kind == "end" for c in calls for m in c))
    player.flush(1)
    until(lambda: [1] in calls)
    player.close()

    marks = [mark for call in calls for mark in call if isinstance(mark, TrackMark)]
    assert sum(mark.frames for mark in marks) == RATE // 5
    assert {mark.track for mark in marks} == {1}
    assert abs(marks[-1].at_s - marks[0].at_s - 0.2) < 0.05
    assert process_of(player).returncode == 0


def gone(problems: list[str]) -> list[str]:
    """Those that tell of a device that is gone; a busy machine loses audio besides."""
    return [problem for problem in problems if "plugged in" in problem]


async def test_a_process_that_is_killed_is_a_device_that_is_gone(jack: Jack) -> None:
    problems: list[str] = []
    loop = asyncio.get_running_loop()
    microphone = HostMicrophone(lambda *_: None, loop=loop, on_problem=problems.append)
    microphone.start()
    speaker = HostSpeaker(loop.time, lambda _: None, lambda *_: None, on_problem=problems.append)
    speaker.write("a", bytes(48_000))
    for device in (microphone._listener, speaker._player):
        process_of(device).kill()
    async with asyncio.timeout(10):
        while len(gone(problems)) < 2 or speaker.playing:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.01)
    await speaker.close()
    microphone.stop()

    assert sorted(gone(problems)) == [
        "The microphone delivers nothing any more. Is it still plugged in?",
        "The speaker takes no audio any more. Is it still plugged in?",
    ]


class Load:
    """A kernel that has much to do: speech engines, and a computation in pure Python."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._stt, self._tts = load_stt("moonshine"), load_tts()
        self._threads = [threading.Thread(target=run) for run in (self._converse, self._compute)]
        for thread in self._threads:
            thread.start()

    def _converse(self) -> None:
        while not self._ended.is_set():
            pcm = self._tts.speak("He was not an ill disposed young man.", "alloy")
            self._stt.transcribe(pcm, self._tts.sample_rate)

    def _compute(self) -> None:
        value = 1
        while not self._ended.is_set():
            value = value * 3 % 1_000_003

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def source(jack: Jack) -> Iterator[Callable[[], None]]:
    """Somebody else who plays a ramp on the sound system, once that is called."""
    process = subprocess.Popen(
        [sys.executable, "-c", SOURCE, str(RATE), str(RAMP), str(STRESS_S)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    stdin = process.stdin

    def begin() -> None:
        stdin.write(b"\n")
        stdin.flush()

    assert process.stdout.readline() == b"ready\n"
    yield begin
    process.communicate(b"\n", timeout=10)


@pytest.mark.alone
async def test_nothing_is_lost_beside_a_busy_kernel(jack: Jack, source: Callable[[], None]) -> None:
    heard, problems = bytearray(), list[str]()
    microphone = HostMicrophone(
        lambda pcm, _: heard.extend(pcm),
        loop=asyncio.get_running_loop(),
        on_problem=problems.append,
    )
    speaker = HostSpeaker(asyncio.get_running_loop().time, lambda _: None, lambda *_: None)
    load = await asyncio.to_thread(Load)
    try:
        microphone.start()
        await asyncio.to_thread(jack.lead, "PortAudio-01", "PortAudio-0[2-9]")
        source()
        await asyncio.sleep(STRESS_S + 1.0)  # the sound itself takes that long
    finally:
        load.end()
        microphone.stop()
        await speaker.close()

    samples = np.frombuffer(bytes(heard), "<i2").astype(int)
    loud = np.flatnonzero(samples > 50)
    places = (samples[loud[0] : loud[-1] + 1] - 100 + 4) // 8
    followed = int(np.count_nonzero(np.diff(places) % RAMP == 1)) + 1
    lost_ms = (STRESS_S * RATE - followed) * 1000 / RATE
    print(f"lost {lost_ms:g} ms, {microphone.overflows} overflows, load {os.getloadavg()[0]:.1f}")
    assert microphone.dropped_ms == 0
    # Without real time, JACK itself skips a period when the machine has not enough cores; it says
    # so, and so must we.
    assert lost_ms == 0 or (problems and lost_ms < STRESS_S * 10)
