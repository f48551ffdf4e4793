"""Whatever ends a process, what it wrote so far can be loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from realtime_nb.audio.wav import read_wav_pcm
from realtime_nb.recordings.recording import load

FULL_DISK = """
import resource, sys
from realtime_nb.errors import ConfigurationError, RecordingError
from realtime_nb.archive.recorder import Recorder
from realtime_nb.protocol.wire import WireEvent

recorder = Recorder(sys.argv[1], {})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    for n in range(10**9):
        event = {"type": "response.create", "event_id": "e" * 1000}
        recorder.event(WireEvent("sent", event, n / 10))
except RecordingError as error:
    print(error)
    print(recorder.path)
    recorder.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits")
def test_file_that_may_not_grow(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60
    )

    message, path = done.stdout.splitlines()
    assert "has stopped: File too large" in message
    recording = load(path)
    assert not recording.complete
    assert [event.seq for event in recording.raw_events()] == list(
        range(sum(1 for _ in recording.raw_events()))
    )


NURSERY = """
import base64, os, random, sys, time
from realtime_nb.archive.recorder import Recorder
from realtime_nb.protocol.wire import WireEvent

def record(told):
    recorder = Recorder(sys.argv[1], {"dialect": "ga"})
    os.write(told, f"{recorder.path}\\n".encode())
    audio = base64.b64encode(bytes(960)).decode()
    event = {"type": "input_audio_buffer.append", "audio": audio}
    began_s = time.monotonic()  # a machine may have been on for longer than a session lasts
    for n in range(100_000):
        t_s = time.monotonic() - began_s
        recorder.event(WireEvent("sent", event, t_s, n.to_bytes(2, "little") * 480))
        os.write(told, f"{t_s:018.9f}\\n".encode())
        time.sleep(0.01)

def begin(number):
    told = os.open(f"{sys.argv[1]}/{number}.told", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    pid = os.fork()
    if pid == 0:
        try:
            record(told)
        finally:
            os._exit(1)
    while os.fstat(told).st_size < 120:  # until the first events were taken
        time.sleep(0.002)
    os.close(told)
    return time.monotonic() + moments.uniform(0.1, 1.4), pid

moments = random.Random(50)
for first in range(0, 50, 10):
    for at_s, pid in sorted(begin(number) for number in range(first, first + 10)):
        time.sleep(max(0.0, at_s - time.monotonic()))
        os.kill(pid, 9)
        os.waitpid(pid, 0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_at_any_of_50_moments_it_loads_and_is_at_most_a_second_short(
    tmp_path: Path,
) -> None:
    subprocess.run([sys.executable, "-c", NURSERY, str(tmp_path)], check=True, timeout=120)

    lengths = set()
    for told in sorted(tmp_path.glob("*.told")):
        # What was handed over, and when; the last line may be cut.
        path, *handed_over = told.read_text().split("\n")[:-1]
        recording = load(path)
        events = list(recording.raw_events())
        lengths.add(len(events))
        assert float(handed_over[-1]) - events[-1].t_s <= 1.0
        assert [event.seq for event in events] == list(range(len(events)))
        # The system may end a write between two pages; then it is said of the last line.
        torn = not (recording.path / "events.jsonl").read_bytes().endswith(b"\n")
        last = f"events.jsonl: line {len(events) + 1} can't be read and is left out."
        assert recording.problems == ([last] if torn else [])
        assert not recording.complete
        pcm, _ = read_wav_pcm(recording.path / "input.wav")
        assert len(pcm) >= 960 * len(events)
        assert pcm[: 960 * len(events) : 960] == bytes(n % 256 for n in range(len(events)))
    assert len(list(tmp_path.glob("*.told"))) == 50
    assert len(lengths) > 2
