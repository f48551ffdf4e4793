"""A whole conversation through PortAudio: an agent on this machine's sound, and somebody else.

The other one is a process of its own with a microphone and a loudspeaker, which JACK leads to the
agent's.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import SAMPLE_RATE, pcm_from_samples
from realtime_nb.local.stt import load_stt
from tests.devices.jack import Jack, why_no_jack
from tests.paths import DATA

pytestmark = [pytest.mark.live, pytest.mark.alone]

PERSON_CLIENT = "PortAudio-01"  # the first one is this process's, which names the devices
AGENT_CLIENTS = r"PortAudio-0[2-9]"
DEVICE_RATE = 48_000  # as most sound cards have it: everything is resampled on both ways

# Says what it is told the files of, and keeps all that it hears; PCM16 without a header.
PERSON = """
import sys
import sounddevice

to_say, heard = bytearray(), bytearray()

def callback(indata, outdata, frames, times, status):
    heard.extend(bytes(indata))
    piece = bytes(to_say[:len(outdata)])
    del to_say[:len(outdata)]
    outdata[:] = piece.ljust(len(outdata), b"\\0")

rate = int(sys.argv[1])
with sounddevice.RawStream(rate, rate // 50, channels=1, dtype="int16", callback=callback):
    print("ready", flush=True)
    for line in sys.stdin:
        to_say.extend(open(line.strip(), "rb").read())
open(sys.argv[2], "wb").write(heard)
"""


class Person:
    """Somebody with a microphone and a loudspeaker in another process."""

    def __init__(self, sample_rate: int, folder: Path) -> None:
        self._sample_rate = sample_rate
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-c", PERSON, str(sample_rate), str(folder / "heard.pcm")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def say(self, name: str) -> None:
        path = self._folder / f"{name}.pcm"
        speech = pcm_from_samples(load_audio(DATA / name, self._sample_rate))
        path.write_bytes(bytes(self._sample_rate) + speech)  # half a second of silence before
        assert self._process.stdin is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()

    def leave(self) -> bytes:
        """Hangs up. Returns what was heard, from the first to the last sound."""
        self._process.communicate(timeout=15)
        path = self._folder / "heard.pcm"
        pcm = np.frombuffer(path.read_bytes() if path.exists() else b"", "<i2")
        sound = np.flatnonzero(pcm)
        return pcm[sound[0] : sound[-1] + 1].tobytes() if len(sound) else b""


@pytest.fixture
def jack(tmp_path: Path) -> Iterator[Jack]:
    if why := why_no_jack():
        pytest.skip(why)
    jack = Jack(DEVICE_RATE, tmp_path)
    yield jack
    jack.close()


@pytest.fixture
def person(jack: Jack, tmp_path: Path) -> Iterator[Person]:
    person = Person(DEVICE_RATE, tmp_path)
    yield person
    person.leave()


def until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z']+", text.lower().replace("-", " ")))


def assert_understood(said: str, understood: str) -> None:
    """The words came through, but for one in seven that the ear may get wrong."""
    missing = words(said) - words(understood)
    assert len(missing) <= 0.15 * len(words(said)), (said, understood)


def test_a_voice_is_answered_through_portaudio(jack: Jack, person: Person, tmp_path: Path) -> None:
    agent = rt.Agent("local", audio="host", record=tmp_path / "recordings")
    try:
        agent.talk().result(30)
        jack.lead(PERSON_CLIENT, AGENT_CLIENTS)
        jack.lead(AGENT_CLIENTS, PERSON_CLIENT)
        person.say("austen_0880.wav")
        until(lambda: len(agent.conversation.transcript()) >= 2)
        assert agent.settled(30).result(40)
        (_, said), (_, answer) = agent.conversation.transcript()[:2]
        problem = agent.panel.error
    finally:
        agent.close()
    heard = person.leave()

    assert problem == "" or problem.startswith("The microphone")  # a busy machine
    assert_understood("He was not an ill disposed young man", said)
    assert_understood(answer, load_stt("moonshine").transcribe(heard, DEVICE_RATE))
    assert agent.recording is not None
    recording = rt.load(agent.recording)
    assert recording.complete
    noted = recording.header["microphone"]
    assert noted["source"] == "host" and noted["dropped_ms"] == 0
    assert problem == "" or noted["overflows"] > 0
    finished = [line for line in recording.playback if line.kind == "finished"]
    assert len(finished) == 1
    output, _ = soundfile.read(agent.recording / "output.wav", dtype="int16")
    played_ms = len(np.trim_zeros(output)) / SAMPLE_RATE * 1000
    heard_ms = len(heard) / 2 / DEVICE_RATE * 1000
    assert abs(heard_ms - played_ms) < 0.05 * played_ms
