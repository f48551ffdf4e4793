"""What was said lies where it was said: under a span of speech are the words of that span.

The truth is what was put into the microphone; who reads it is the local speech to text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import pytest

from realtime_nb.analysis.clips import RecordingClip, cut
from realtime_nb.analysis.exports import marks
from realtime_nb.analysis.timeline import timeline_data
from realtime_nb.analysis.voices import find_voices
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import Samples, pcm_from_samples
from realtime_nb.local.stt import load_stt
from tests.made_recording import MadeRecording
from tests.paths import DATA

CHUNK = 960  # samples: 40 ms
CARDS, HIMSELF = "seven of hearts", "amiable himself"

Take = tuple[float, float, Samples]
"""When a chunk was captured and when it was sent, in seconds, and its samples."""


def read(*names: str) -> Samples:
    gap = np.zeros(24 * 600, np.float32)
    return np.concatenate([part for name in names for part in (gap, load_audio(DATA / name), gap)])


def taken(samples: Samples, begin_s: float, late_s: float = 0.02) -> Iterator[Take]:
    """What a device takes from ``begin_s`` on; nothing is sent before 0.4 s."""
    for at in range(0, len(samples), CHUNK):
        captured_s = begin_s + (at + CHUNK) / 24_000
        yield captured_s, max(0.4, captured_s + late_s), samples[at : at + CHUNK]


def talk_then_connect() -> Iterator[Take]:
    yield from taken(read("cards_005.wav", "austen_0930.wav"), -4.0)


def connect_then_talk() -> Iterator[Take]:
    yield from taken(read("cards_005.wav", "austen_0930.wav"), 2.0)


def reload_while_talking() -> Iterator[Take]:
    """The page is gone for 1.3 s; the new one's clock is 30 ms off, and what it takes is late."""
    yield from taken(read("cards_005.wav"), -1.0)
    yield from taken(read("austen_0930.wav"), 5.05 - 0.03, late_s=0.5)


def mute_between() -> Iterator[Take]:
    yield from taken(read("cards_005.wav"), 0.5)
    yield from taken(read("austen_0930.wav"), 20.0)


def recorded(takes: Iterator[Take]) -> MadeRecording:
    rec = MadeRecording()
    said = []
    for captured_s, sent_s, samples in takes:
        audio = base64.b64encode(pcm_from_samples(samples)).decode()
        rec.sent(sent_s, "input_audio_buffer.append", captured_s, audio=audio)
        said.append(samples)
    rec.input = np.concatenate(said)
    rec.voices = find_voices(rec)
    return rec


def words(samples: Samples) -> str:
    room = np.zeros(24 * 300, np.float32)
    heard = np.concatenate([room, samples, room])
    return re.sub(r"[^a-z ]", "", load_stt().transcribe(pcm_from_samples(heard), 24_000).lower())


@pytest.mark.skipif(find_spec("moonshine_voice") is None, reason="no speech to text")
@pytest.mark.parametrize(
    ("takes", "begin_s"),
    [
        (talk_then_connect, -4.0),
        (connect_then_talk, 2.0),
        (reload_while_talking, -1.0),
        (mute_between, 0.5),
    ],
)
def test_under_a_span_are_its_words(takes: Callable[[], Iterator[Take]], begin_s: float) -> None:
    rec = recorded(takes())

    spans = [(mark.start_s, mark.end_s) for mark in marks(rec) if mark.lane == "user"]

    assert spans == rec.voices.user
    assert spans[0][0] == pytest.approx(begin_s + 0.6 + 0.25, abs=0.15)
    (first, *_, last) = spans
    data = timeline_data(rec, {})
    assert data.begin_s == min(0.0, begin_s)
    for (start_s, end_s), said in ((first, CARDS), (last, HIMSELF)):
        around = start_s - 0.05, end_s + 0.15
        clip = RecordingClip(rec, *around)
        assert said in words(clip.user)
        drawn = cut(((one.start_s, one.samples) for one in data.user), *around)
        assert np.array_equal(drawn, clip.user)


def test_a_clip_begins_when_the_first_word_was_said() -> None:
    rec = recorded(talk_then_connect())
    assert RecordingClip(rec, -4.0, 0.0).duration_s == 4
    with pytest.raises(Exception, match=r"goes from -4\.000 s to 60\.000 s"):
        RecordingClip(rec, -4.5, 0.0)
