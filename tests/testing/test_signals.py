from __future__ import annotations

import base64
from collections.abc import Callable

import numpy as np
import pytest

from realtime_nb.audio.pcm import alaw_encode, samples_from_pcm, ulaw_encode
from realtime_nb.testing import CountingIds, LoudnessDetector, appends, silence, tone


def test_ids_count_by_prefix() -> None:
    ids = CountingIds()
    assert [ids("item"), ids("item"), ids("resp")] == ["item_1", "item_2", "resp_1"]


def test_signals_have_the_length_and_level_that_was_asked_for() -> None:
    assert silence(20) == bytes(960)
    assert len(silence(10, sample_rate=8_000)) == 160
    samples = samples_from_pcm(tone(1_000, hz=1_000, level=0.5))
    assert samples.shape == (24_000,)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=1e-3)
    assert np.argmax(np.abs(np.fft.rfft(samples))) == 1_000


@pytest.mark.parametrize("law", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_the_detector_hears_loud_frames_however_they_are_cut(law: str) -> None:
    encoders: dict[str, Callable[[bytes], bytes]] = {
        "audio/pcm": bytes,
        "audio/pcmu": ulaw_encode,
        "audio/pcma": alaw_encode,
    }
    encode = encoders[law]
    rate = 24_000 if law == "audio/pcm" else 8_000
    audio = encode(silence(64, sample_rate=rate) + tone(64, sample_rate=rate) + bytes(20))
    detector = LoudnessDetector({"type": law})
    assert detector.push(audio) == [0.0, 0.0, 1.0, 1.0]
    detector.reset()
    cut = [p for i in range(0, len(audio), 7) for p in detector.push(audio[i : i + 7])]
    assert cut == [0.0, 0.0, 1.0, 1.0]


def test_appends_cut_audio_into_events() -> None:
    events = list(appends(tone(50), piece_bytes=1_001))
    assert b"".join(base64.b64decode(event["audio"]) for event in events) == tone(50)
    assert {event["type"] for event in events} == {"input_audio_buffer.append"}
    assert len(events) == 3
