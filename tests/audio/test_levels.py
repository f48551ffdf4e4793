from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio.levels import PeakMeter
from realtime_nb.audio.pcm import Samples, pcm_from_samples, samples_from_pcm, ulaw_encode
from realtime_nb.audio.pcm import ulaw_decode as decoded

TIME_S = np.arange(24_000) / 24_000
SINE: Samples = np.sin(2 * np.pi * 220 * TIME_S).astype(np.float32)


def measured(samples: object, coarse: bool = False, pieces: int = 1) -> PeakMeter:
    meter = PeakMeter(coarse)
    for piece in np.array_split(np.asarray(samples, np.float32), pieces):
        meter.take(piece)
    return meter


def as_pcm16(samples: Samples) -> Samples:
    return samples_from_pcm(pcm_from_samples(samples))


@pytest.mark.parametrize("level", [0.5, 0.1, 0.001])
def test_the_peak(level: float) -> None:
    assert measured(level * SINE).peak_dbfs == pytest.approx(20 * math.log10(level), abs=0.01)
    assert measured(-4 * np.maximum(SINE, 0)).peak_dbfs == pytest.approx(12.04, abs=0.01)
    assert measured(0 * SINE).peak_dbfs == -math.inf


@pytest.mark.parametrize("gain", [1.5, 2.0, 10.0])
@pytest.mark.parametrize("then", [1.0, 0.5, 0.2])
def test_what_was_clipped_is_counted(gain: float, then: float) -> None:
    clipped = as_pcm16(np.clip(gain * SINE, -0.9, 0.9) * np.float32(then))
    # A sine is beyond its share x of the peak for 2·acos(x) of each half period.
    expected = 24_000 * 2 * math.acos(0.9 / gain) / math.pi
    assert measured(clipped).clipped_samples == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("samples", [SINE, 0.999 * SINE, 0.3 * SINE, 0.001 * SINE, 0 * SINE])
def test_what_was_not_clipped_is_not(samples: Samples) -> None:
    assert measured(as_pcm16(np.asarray(samples, np.float32))).clipped_samples <= 12
    assert measured(as_pcm16(np.asarray(0.9 * samples, np.float32))).clipped_samples == 0


def test_a_constant_is_not_clipped() -> None:
    assert measured(np.full(24_000, 0.25)).clipped_samples == 0


@pytest.mark.parametrize(("gain", "clips"), [(0.9, False), (0.5, False), (3.0, True)])
def test_telephone_audio_clips_at_its_own_top(gain: float, clips: bool) -> None:
    samples = samples_from_pcm(decoded(ulaw_encode(pcm_from_samples(gain * SINE))))
    assert (measured(samples, coarse=True).clipped_samples > 1_000) == clips


@given(st.integers(1, 40))
def test_the_cut_into_blocks_hardly_matters(pieces: int) -> None:
    clipped = np.clip(3 * SINE, -1, 1)
    whole, cut = measured(clipped), measured(clipped, pieces=pieces)
    assert cut.peak_dbfs == whole.peak_dbfs
    assert abs(cut.clipped_samples - whole.clipped_samples) <= 4 * pieces
