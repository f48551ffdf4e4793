from __future__ import annotations

import math

import numpy as np
import pytest

from realtime_nb.analysis.input_health import input_health
from realtime_nb.audio.pcm import Samples


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
    assert health.snr_db == pytest.approx(health.level_dbfs + 60, abs=1e-3)
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
