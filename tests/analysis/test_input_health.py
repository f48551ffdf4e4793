from __future__ import annotations

import math

import numpy as np
import pytest

from realtime_nb.analysis.input_health import input_health
from realtime_nb.analysis.voices import find_voices
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import Samples
from tests.made_recording import MadeRecording
from tests.paths import DATA


def steady(ms: int, dbfs: float) -> Samples:
    return np.full(24 * ms, 10 ** (dbfs / 20), np.float32)


def test_levels_by_hand() -> None:
    samples = np.concatenate([steady(900, -60), steady(100, -50), steady(1_000, -20)])
    samples[-24:-12] = 1.0  # 12 of 48,000 samples clip
    health = input_health(samples, [(1_000.0, 2_000.0)])

    # 12 samples of 24,000 at full scale: 0.01 becomes 0.010495.
    assert health.level_dbfs == pytest.approx(10 * math.log10(0.01 + 0.99 * 12 / 24_000), abs=1e-3)
    assert health.peak_dbfs == 0
    assert health.clipping_share == 12 / 48_000
    assert health.noise_floor_dbfs == pytest.approx(-60, abs=1e-3)
    # What is 10 dB louder for a moment is no noise; 0.01 of voice and noise, 1e-6 of noise.
    voice = 10 ** (health.level_dbfs / 10) - 1e-6
    assert health.snr_db == pytest.approx(10 * math.log10(voice / 1e-6), abs=1e-3)
    assert (health.voiced_frames, health.unvoiced_frames) == (50, 50)


def test_digital_silence_has_no_ratio() -> None:
    health = input_health(
        np.concatenate([np.zeros(24_000, np.float32), steady(1_000, -20)]), [(1_000.0, 2_000.0)]
    )

    assert health.noise_floor_dbfs < -100
    assert health.noise_floor_dbfs == -120
    assert math.isnan(health.snr_db)
    assert health.level_dbfs == pytest.approx(-20, abs=1e-3)


def test_a_voice_without_a_pause_and_a_pause_without_a_voice() -> None:
    voiced = input_health(steady(1_000, -20), [(0.0, 1_000.0)])
    silent = input_health(steady(1_000, -50), [])

    assert math.isnan(voiced.noise_floor_dbfs) and math.isnan(voiced.snr_db)
    assert not voiced.noise_floor_dbfs < -100
    assert math.isnan(silent.level_dbfs) and math.isnan(silent.snr_db)
    assert silent.noise_floor_dbfs == pytest.approx(-50, abs=1e-3)


def test_nothing_was_recorded() -> None:
    health = input_health(np.zeros(0, np.float32), [])

    assert all(
        math.isnan(value)
        for value in (health.level_dbfs, health.peak_dbfs, health.clipping_share, health.snr_db)
    )


def pink(count: int, rng: np.random.Generator) -> Samples:
    """Noise of 0 dBFS whose power falls by 3 dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / 24_000)
    shaped = np.fft.irfft(np.where(hertz < 20, 0, spectrum / np.sqrt(np.maximum(hertz, 20))), count)
    noise: Samples = (shaped / np.sqrt(np.mean(shaped**2))).astype(np.float32)
    return noise


def active_dbfs(samples: Samples) -> float:
    """The active speech level of ITU-T P.56: what is within 15.9 dB, 200 ms after it included.

    The envelope is the magnitude, smoothed twice with 30 ms, here of every millisecond.
    """
    magnitudes = np.abs(samples[: len(samples) // 24 * 24], dtype=np.float64)
    kept, once, twice = math.exp(-1 / 30), 0.0, 0.0
    envelope = []
    for magnitude in magnitudes.reshape(-1, 24).mean(axis=1).tolist():
        once = kept * once + (1 - kept) * magnitude
        twice = kept * twice + (1 - kept) * once
        envelope.append(twice)
    energy = float(np.sum(np.square(samples, dtype=np.float64)))
    for threshold_dbfs in np.arange(-10, -90, -0.25):
        above = np.array(envelope) >= 10 ** (threshold_dbfs / 20)
        active_ms = np.count_nonzero(np.convolve(above, np.ones(200))[: len(above)])
        level_dbfs = 10 * math.log10(energy / (24 * active_ms)) if active_ms else math.inf
        if level_dbfs - threshold_dbfs >= 15.9 and active_ms:
            return level_dbfs
    raise AssertionError("it is silent")


@pytest.mark.parametrize("snr_db", [20, 10, 5, 0])
@pytest.mark.parametrize("names", [("austen_0890", "cards_005", "austen_0930"), ("austen_0870",)])
def test_the_ratio_of_a_voice_in_noise(names: tuple[str, ...], snr_db: int) -> None:
    pause = np.zeros(24 * 1_200, np.float32)
    parts = [part for name in names for part in (pause, load_audio(DATA / f"{name}.wav"))]
    speech = np.concatenate([*parts, pause])
    noise = pink(len(speech), np.random.default_rng(snr_db))
    heard = speech + 10 ** ((active_dbfs(speech) - snr_db) / 20) * noise
    rec = MadeRecording(input=heard)

    found = input_health(heard, find_voices(rec).user_ms).snr_db

    assert found == pytest.approx(snr_db, abs=2)


def test_while_it_was_muted_there_was_no_noise() -> None:
    heard = np.concatenate([steady(400, -40), steady(1_000, -20), steady(400, -40)])
    muted = np.concatenate([heard, np.zeros(24 * 600, np.float32)])
    ratios = [input_health(one, [(400.0, 1_400.0)]).snr_db for one in (heard, muted)]
    assert ratios[1] == pytest.approx(ratios[0])


def test_a_voice_that_does_not_stand_out() -> None:
    assert math.isnan(input_health(steady(2_000, -40), [(500.0, 1_000.0)]).snr_db)
