"""Calibration on human speech, whose level and noise are made here and so are known."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from realtime_nb.analysis.vad_lab.calibration import Fires, calibrate
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples, samples_from_pcm
from realtime_nb.errors import ConfigurationError
from tests.paths import DATA

RATE = 24_000
Samples = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def voice() -> Samples:
    """Five seconds of a man reading, with the loudest sample at −6 dBFS."""
    samples = load_audio(DATA / "austen_0870.wav")[: 5 * RATE]
    return np.asarray(samples / np.abs(samples).max() / 2, np.float32)


def noise(seconds: float, dbfs: float, seed: int = 1) -> Samples:
    """White noise of that level."""
    random = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return np.asarray(random * 10 ** (dbfs / 20), np.float32)


def test_levels_are_those_that_were_made(voice: Samples) -> None:
    found = calibrate(noise(3, -60), voice + noise(5, -60, 2))
    assert found.noise_floor_dbfs == pytest.approx(-60, abs=1)
    assert found.peak_dbfs == pytest.approx(-6, abs=0.3)
    assert found.snr_db == pytest.approx(found.speech_level_dbfs + 60, abs=0.5)
    assert found.clipping_share == 0
    assert found.problems == ()
    assert found.threshold == 0.5
    assert found.sentence.startswith("Keep 0.50: ")
    assert len(found.words) >= 3


def test_noises_that_fire_raise_the_threshold_with_the_count_that_argues_for_it(
    voice: Samples,
) -> None:
    words = voice + noise(5, -60, 2)
    quiet = noise(3, -60)
    # Three snatches of the voice, as short as a click: what a detector may well take for speech.
    for at_s in (0.6, 1.4, 2.2):
        at = round(at_s * RATE)
        quiet[at : at + 2400] += voice[RATE : RATE + 2400] * np.hanning(2400)
    found = calibrate(quiet, words, threshold=0.1)
    fired = sum(noise >= 0.1 for noise in found.noises)
    assert found.at_current == Fires(0.1, fired, len(found.words))
    assert fired >= 1
    assert found.threshold > max(found.noises)
    assert found.at_proposed == Fires(found.threshold, 0, len(found.words))
    assert f"At 0.10, {fired} of {len(found.noises)} noises fire; at " in found.sentence
    assert found.sentence.endswith(f"all {len(found.words)} stretches of your voice still fire.")


@pytest.mark.parametrize(
    ("gain_db", "words"),
    [(-40, "Peak −46 dBFS: raise the input first"), (20, "clipped: lower the input first")],
)
def test_a_bad_level_is_not_hidden_behind_a_threshold(
    voice: Samples, gain_db: float, words: str
) -> None:
    bad = np.clip(voice * 10 ** (gain_db / 20), -1, 32767 / 32768).astype(np.float32)
    found = calibrate(noise(3, -75), bad)
    assert math.isnan(found.threshold)
    assert words in found.sentence
    assert found.reasons["threshold"] == found.problems[0]


def test_what_is_wrong_is_said(voice: Samples) -> None:
    def problem(quiet: Samples, speech: Samples) -> str:
        found = calibrate(quiet, speech)
        assert math.isnan(found.threshold)
        return found.sentence

    assert "digital silence" in problem(
        np.zeros(3 * RATE, np.float32), np.zeros(5 * RATE, np.float32)
    )
    assert "hardly any voice" in problem(noise(3, -60), noise(5, -40))
    assert "silence are a voice" in problem(voice[: 3 * RATE], voice)
    assert "above the noise" in problem(noise(3, -24), voice + noise(5, -24, 2))


def test_a_gate_leaves_no_noise_to_compare_with(voice: Samples) -> None:
    found = calibrate(np.zeros(3 * RATE, np.float32), voice)
    assert math.isnan(found.snr_db)
    assert "gate" in found.reasons["snr_db"]
    assert found.threshold == 0.5


def test_what_the_browser_applied_stands_beside_it(voice: Samples) -> None:
    applied = {"echo_cancellation": True, "noise_suppression": False}
    assert calibrate(noise(3, -60), voice, applied=applied).applied == applied


@pytest.mark.parametrize("threshold", [-0.1, 1.5, True, math.nan])
def test_a_threshold_that_is_none_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigurationError, match=r"threshold is .* from 0 to 1"):
        calibrate(noise(1, -60), noise(1, -60), threshold=threshold)


def test_too_little_audio_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"quiet has 0\.5 s"):
        calibrate(noise(0.5, -60), noise(5, -60))
    with pytest.raises(ConfigurationError, match=r"speech has 0\.0 s"):
        calibrate(noise(3, -60), b"")


def test_pcm_and_samples_are_the_same(voice: Samples) -> None:
    quiet, spoken = pcm_from_samples(noise(3, -50)), pcm_from_samples(voice)
    assert calibrate(quiet, spoken) == calibrate(samples_from_pcm(quiet), samples_from_pcm(spoken))
