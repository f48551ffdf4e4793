from __future__ import annotations

import numpy as np
import pytest

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.pcm import alaw_encode, pcm_from_samples, ulaw_encode
from realtime_nb.local.hearing import MIN_SPEECH_MS, hear
from realtime_nb.local.stt import load_stt
from realtime_nb.local.tts import load_tts
from realtime_nb.protocol.server import Transcribe
from realtime_nb.testing import LoudnessDetector, silence, tone
from tests.local.fake_engines import WatchedSTT
from tests.paths import DATA


def job(audio: bytes, format_type: str = "audio/pcm") -> Transcribe:
    return Transcribe("item_1", 1, audio, {"type": format_type})


@pytest.mark.parametrize(
    ("audio", "heard"),
    [
        (b"", False),
        (b"\0", False),
        (silence(3_000), False),
        (tone(MIN_SPEECH_MS - 32), False),
        (tone(MIN_SPEECH_MS + 64), True),
        (silence(5_000) + tone(MIN_SPEECH_MS + 64) + silence(5_000), True),
        (silence(990) + tone(MIN_SPEECH_MS + 64), True),  # across the seconds that it looks at
        (10 * (tone(32) + silence(100)), True),  # a voice with gaps is a voice
    ],
)
def test_there_must_be_somebody_speaking(audio: bytes, heard: bool) -> None:
    stt = WatchedSTT("words")
    assert hear(job(audio), stt, LoudnessDetector()) == ("words" if heard else "")
    assert stt.calls == ([(len(audio), 24_000)] if heard else [])


@pytest.mark.parametrize(
    ("format_type", "audio", "sample_rate"),
    [
        ("audio/pcm", tone(400), 24_000),
        ("audio/pcm", tone(400) + b"\0", 24_000),
        ("audio/pcmu", ulaw_encode(tone(400, sample_rate=8_000)), 8_000),
        ("audio/pcma", alaw_encode(tone(400, sample_rate=8_000)), 8_000),
    ],
)
def test_the_engine_gets_whole_samples(format_type: str, audio: bytes, sample_rate: int) -> None:
    stt = WatchedSTT("words")
    detector = LoudnessDetector({"type": format_type})
    assert hear(job(audio, format_type), stt, detector) == "words"
    assert stt.calls == [(2 * 400 * sample_rate // 1_000, sample_rate)]


def really_heard(audio: bytes) -> str:
    return hear(job(audio), load_stt(), FrameDetector())


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_words(seed: int) -> None:
    """Moonshine alone says "You" to these."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.03, 24_000)
    noise[8_000:10_000] += rng.normal(0, 0.3, 2_000)
    assert really_heard(pcm_from_samples(noise)) == ""


@pytest.mark.parametrize("voice", ["alloy", "shimmer"])
@pytest.mark.parametrize("word", ["Yes.", "No.", "Two.", "Stop."])
def test_short_words_are_words(word: str, voice: str) -> None:
    audio = silence(300) + load_tts().speak(word, voice, 1.2) + silence(200)
    assert really_heard(audio) != ""


def test_a_clip_is_heard() -> None:
    audio = pcm_from_samples(load_audio(DATA / "cards_003.wav"))
    assert really_heard(audio).lower().startswith("seven of clubs")
