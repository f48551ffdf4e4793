"""A minute of microphone audio, followed from the page's worklet to the server's copy of it.

The path is ours from the capture worklet on: what it is given, what it sends, what crosses the wire
and what the server keeps are compared byte by byte. What lies before the worklet is Chromium's fake
microphone; where it slips is told beside it.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.commands.bench.lab_page import LabPage
from tests.e2e.conftest import OpenPage
from tests.e2e.sound_tap import Given, Stretch, given, stretches, tap_capture
from tests.e2e.test_audio_path import DEVICE_RATE, speech_with_noise

BUFFER = DEVICE_RATE // 100  # Chromium's fake microphone hands out 10 ms at a time

# A machine that does many things at once may be late: what is asked is whether all arrives.
AGENT = """
import base64, time
from pathlib import Path
import realtime_nb as rt
from realtime_nb.agent.io_thread import io_thread

agent = rt.Agent("local", push_to_talk=True)
microphone = agent._audio.microphone
microphone._stale_ms = 20_000
microphone.echo_cancellation = microphone.noise_suppression = microphone.auto_gain_control = False
sent_ms = lambda: agent.conversation.uncommitted_ms
"""

# The server's own copy of what was committed, asked for over the wire.
RETRIEVE = """
class Kept:
    items, raw = [], {}
    def event(self, event):
        raw = event.raw
        if raw["type"] == "input_audio_buffer.committed":
            self.items.append(raw["item_id"])
        elif raw["type"] == "conversation.item.retrieved":
            self.raw = raw["item"]
    def playback(self, report):
        pass
    def tool(self, report):
        pass

kept = Kept()
io_thread().call(agent._session.observe, kept)
"""


def microphone_wav(folder: Path, seconds: float) -> Path:
    path = folder / "microphone.wav"
    soundfile.write(path, speech_with_noise(seconds), DEVICE_RATE, subtype="PCM_16")
    return path


def speak_for_a_minute(page: LabPage) -> None:
    """Holds the key for a minute: at rest, while a cell sleeps and while one computes."""
    talk = page.page.get_by_role("button", name="Talk", exact=True)
    talk.hover()
    page.page.mouse.down()
    page.wait_for("sent_ms() > 1000")
    page.page.wait_for_timeout(30_000)
    page.run("before = sent_ms()\ntime.sleep(8)\nasleep = sent_ms() - before")
    page.run(
        "before, until = sent_ms(), time.monotonic() + 8\n"
        "while time.monotonic() < until: sum(range(1000))\n"
        "computing = sent_ms() - before"
    )
    page.wait_for("sent_ms() > 60_500", timeout_s=60)
    page.page.mouse.up()
    talk.wait_for()


def fetch_servers_copy(page: LabPage, folder: Path) -> bytes:
    page.wait_for("len(kept.items) == 1")
    page.run("agent.send({'type': 'conversation.item.retrieve', 'item_id': kept.items[0]})")
    page.wait_for("kept.raw")
    path = folder / "server.pcm"
    page.run(
        "(audio,) = (part['audio'] for part in kept.raw['content'])\n"
        f"Path({str(path)!r}).write_bytes(base64.b64decode(audio))"
    )
    return path.read_bytes()


@pytest.mark.timeout(240)
@pytest.mark.long
def test_a_minute_arrives_at_the_server_to_the_sample(open_page: OpenPage, tmp_path: Path) -> None:
    wav = microphone_wav(tmp_path, 66)
    page = open_page(wav, own=True)
    tap_capture(page.page)
    page.run(AGENT)
    page.show("agent")
    page.page.get_by_role("button", name="Connect", exact=True).click()
    page.page.get_by_text("ready", exact=True).wait_for()
    page.run(RETRIEVE)
    speak_for_a_minute(page)

    at_server = fetch_servers_copy(page, tmp_path)
    page.run("agent.disconnect().result(20)")
    recording = Path(page.run("print(agent.recording.absolute())").strip())
    on_the_wire, sample_rate = soundfile.read(recording / "input.wav", dtype="int16")
    in_the_page = given(page.page)

    assert sample_rate == SAMPLE_RATE
    assert len(on_the_wire) >= 60 * SAMPLE_RATE
    # Nothing lost, nothing repeated, nothing changed: neither on the way ...
    assert in_the_page.pcm == on_the_wire.tobytes()
    # ... nor at its end.
    assert at_server == on_the_wire.tobytes()
    assert_resampled_in_step(in_the_page, on_the_wire)
    assert_from_the_file(in_the_page, wav)
    assert page.run("print(microphone.statistics.stale_dropped_ms)").strip() == "0.0"
    assert float(page.run("print(asleep)")) >= 6400  # of 8000 ms: live, not afterwards
    assert float(page.run("print(computing)")) >= 6400


def assert_resampled_in_step(
    heard: Given, sent: np.ndarray[tuple[int], np.dtype[np.int16]]
) -> None:
    """What was sent is what the worklet was given at another rate, says somebody else's resampler,
    sample by sample: a slip by one anywhere would show from there to the end."""
    assert heard.sample_rate == DEVICE_RATE
    expected = soxr.resample(heard.samples, heard.sample_rate, SAMPLE_RATE)
    count = min(len(expected), len(sent))
    assert abs(len(expected) - len(sent)) <= 64  # the filter's end
    difference = np.abs(expected[:count] - sent[:count] / 32768)[: count - 64]
    slipped = np.abs(expected[1:count] - sent[: count - 1] / 32768)[: count - 64]
    print(f"largest difference {difference.max():.5f}, one sample off {slipped.max():.5f}")
    assert difference.max() < 0.006 < slipped.max() / 10  # two filters differ at their edges


def assert_from_the_file(heard: Given, wav: Path) -> None:
    """What the worklet was given is the file, but for whole 10-ms buffers.

    Those Chromium's fake microphone leaves out or repeats on a busy machine, and silence comes
    where it delivers nothing: all before the page has it, and no fault of the path. They are
    counted and told.
    """
    file, _ = soundfile.read(wav, dtype="int16")
    found = stretches(heard.samples, file)
    from_file = [stretch for stretch in found if stretch.file_start is not None]
    silent = [stretch for stretch in found if stretch.file_start is None]
    file_slips = [
        (after.file_start or 0) - (before.file_start or 0) - (before.end - before.start)
        for before, after in pairwise(from_file)
    ]
    missing = sum(slip for slip in file_slips if slip > 0) // BUFFER
    again = -sum(slip for slip in file_slips if slip < 0) // BUFFER
    print(
        f"Chromium's fake microphone: {missing} buffers of 10 ms missing, {again} repeated, "
        f"{sum(one.end - one.start for one in silent)} samples of silence in {len(silent)} places; "
        f"frames that were not rendered: {heard.skipped}"
    )
    assert all(slip % BUFFER == 0 for slip in file_slips), file_slips


def test_a_lost_a_repeated_and_a_changed_sample_are_found() -> None:
    file = np.random.default_rng(1).integers(-9000, 9000, 5000).astype("<i2")

    def taken_apart(*pieces: np.ndarray[tuple[int], np.dtype[np.int16]]) -> list[Stretch]:
        return stretches((np.concatenate(pieces) / 32768).astype(np.float32), file)

    silence = np.zeros(300, "<i2")
    assert taken_apart(silence, file[100:900]) == [Stretch(300, 1100, 100)]
    assert taken_apart(file[:800], file[801:]) == [Stretch(0, 800, 0), Stretch(800, 4999, 801)]
    assert taken_apart(file[:800], file[799:]) == [Stretch(0, 800, 0), Stretch(800, 5001, 799)]
    assert taken_apart(file[:800], silence, file[800:]) == [
        Stretch(0, 800, 0),
        Stretch(800, 1100, None),
        Stretch(1100, 5300, 800),
    ]
    with pytest.raises(AssertionError, match="sample 800 is not from the file"):
        taken_apart(file[:800], file[800:801] + 1, file[801:])
