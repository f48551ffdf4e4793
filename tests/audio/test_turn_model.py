from __future__ import annotations

import hashlib
import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from realtime_nb.audio import turn_model as module
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import Samples, encode, pcm_from_samples
from realtime_nb.audio.turn_model import (
    MODEL_PATH,
    SmartTurn,
    SpokenAudio,
    log_mel,
    turn_model,
)
from realtime_nb.protocol.semantic_turns import TurnQuestion
from tests.paths import DATA, ROOT


@pytest.fixture(scope="module")
def model() -> SmartTurn:
    made = turn_model()
    assert made is not None
    return made


def speech(name: str, rate: int = 16_000) -> Samples:
    samples: Samples = soxr.resample(load_audio(DATA / name), 24_000, rate)
    return samples


# --- features ---


def mel(hertz: float) -> float:
    """Slaney's scale."""
    return 3 * hertz / 200 if hertz < 1_000 else 15 + 27 * math.log(hertz / 1_000) / math.log(6.4)


def hertz(mels: float) -> float:
    return 200 * mels / 3 if mels < 15 else 1_000 * math.exp((mels - 15) * math.log(6.4) / 27)


def triangle(at: float, low: float, peak: float, high: float) -> float:
    height = 2 / (high - low)
    if low < at <= peak:
        return height * (at - low) / (peak - low)
    return height * (high - at) / (high - peak) if peak < at < high else 0.0


def log_mel_by_definition(samples: Samples) -> npt.NDArray[np.float64]:
    """Whisper's features as its paper and its published code define them, without an FFT."""
    padded = np.concatenate([np.zeros(max(0, 128_000 - len(samples))), samples])[-128_000:]
    scaled = (padded - np.mean(padded)) / math.sqrt(np.var(padded) + 1e-7)
    mirrored = np.concatenate([scaled[200:0:-1], scaled, scaled[-2:-202:-1]])
    n = np.arange(400)
    window = np.sin(np.pi * n / 400) ** 2
    waves = np.exp(-2j * np.pi * np.outer(n, np.arange(201)) / 400)
    starts = range(0, 128_000, 160)
    powers = np.abs(np.array([mirrored[s : s + 400] * window for s in starts]) @ waves) ** 2
    corners = [hertz(mel(8_000) * i / 81) for i in range(82)]
    weights = [
        [triangle(40.0 * k, *corners[band : band + 3]) for k in range(201)] for band in range(80)
    ]
    levels = np.log10(np.maximum(powers @ np.array(weights).T, 1e-10))
    result: npt.NDArray[np.float64] = (np.maximum(levels, levels.max() - 8).T + 4) / 4
    return result


@pytest.mark.parametrize("what", ["short", "long", "noise", "silence", "hum"])
def test_what_the_model_hears_is_what_whisper_s_definition_says(what: str) -> None:
    rng = np.random.default_rng(5)
    samples = {
        "short": speech("cards_003.wav"),
        "long": np.concatenate([speech("austen_0870.wav"), speech("austen_0890.wav")]),
        "noise": rng.normal(0, 0.3, 128_000),
        "silence": np.zeros(4_000),
        "hum": 0.5 * np.sin(np.arange(30_000) * 2 * np.pi * 50 / 16_000) + 0.1,
    }[what].astype(np.float32)
    heard = log_mel(samples)
    assert heard.shape == (80, 800)
    assert heard.dtype == np.float32
    assert np.abs(heard - log_mel_by_definition(samples)).max() < 2e-3  # float32 against float64
    assert np.abs(heard - log_mel_by_definition(samples)).mean() < 1e-5


# Said by pipecat-ai 1.14.0's LocalSmartTurnAnalyzerV3 (its own features, its own session) of the
# same samples at 16 kHz.
BY_PIPECAT = {
    "austen_0870.wav": 0.98364,
    "austen_0880.wav": 0.05751,  # the sentence goes on in the book
    "austen_0890.wav": 0.94032,
    "austen_0930.wav": 0.05339,
    "cards_001.wav": 0.98933,
    "cards_005.wav": 0.98891,
}


@pytest.mark.parametrize("name", BY_PIPECAT)
def test_the_model_says_what_it_says_where_it_comes_from(model: SmartTurn, name: str) -> None:
    # Its integers are multiplied in other ways on other processors.
    assert model.completeness(speech(name)) == pytest.approx(BY_PIPECAT[name], abs=0.03)


# --- the model ---


def test_the_model_is_the_published_one_and_comes_with_its_licence() -> None:
    script = (ROOT / "scripts" / "extract_smart_turn.py").read_text()
    assert hashlib.sha256(MODEL_PATH.read_bytes()).hexdigest() in script
    licence = (MODEL_PATH.parent / "LICENSE-smart-turn").read_text()
    assert licence.startswith("BSD 2-Clause License")
    assert "Daily" in licence


def test_only_the_last_eight_seconds_count(model: SmartTurn) -> None:
    rng = np.random.default_rng(0)
    end = speech("austen_0870.wav")
    before = rng.normal(0, 0.1, 40_000).astype(np.float32)
    eight = np.concatenate([before, end])[-128_000:]
    assert model.completeness(np.concatenate([before, before, end])) == model.completeness(eight)


def test_several_threads_get_the_answers_of_one(model: SmartTurn) -> None:
    clips = [speech(name) for name in ("cards_001.wav", "austen_0880.wav", "austen_0870.wav")]
    alone = [model.completeness(clip) for clip in clips]
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(model.completeness, clips)) == alone


@pytest.mark.parametrize("format_type", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_telephone_audio_is_judged_alike(model: SmartTurn, format_type: str) -> None:
    rate = 24_000 if format_type == "audio/pcm" else 8_000
    for name, whole in (("cards_001.wav", True), ("austen_0880.wav", False)):
        audio = encode(format_type, pcm_from_samples(speech(name, rate)))
        assert (model.completeness_of(audio, format_type) > 0.5) == whole


@pytest.mark.parametrize("samples", [0, 1, 159])
def test_next_to_no_audio_has_an_answer(model: SmartTurn, samples: int) -> None:
    assert 0 <= model.completeness(np.full(samples, 0.1, np.float32)) <= 1
    assert 0 <= model.completeness_of(bytes(2 * samples)) <= 1


def test_a_question_is_put_to_the_model_once(model: SmartTurn) -> None:
    audio = load_audio(DATA / "cards_001.wav")
    asked = []

    class Counted(SmartTurn):
        def completeness_of(self, audio: bytes, format_type: str = "audio/pcm") -> float:
            asked.append(audio)
            return super().completeness_of(audio, format_type)

    spoken = SpokenAudio(audio, Counted())
    question = TurnQuestion(100, 1_000)
    first = spoken.completeness(question)
    assert spoken.completeness(TurnQuestion(100, 1_000)) == first
    assert asked == [pcm_from_samples(audio[2_400:24_000])]
    assert first == model.completeness_of(asked[0])


def test_without_onnxruntime_there_is_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert turn_model() is None
    assert "pip install 'realtime_nb[local]'" in module.NO_TURN_MODEL


def test_the_model_is_loaded_once(model: SmartTurn) -> None:
    assert turn_model() is model
    assert "onnxruntime" in sys.modules
