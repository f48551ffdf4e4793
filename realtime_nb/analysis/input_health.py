"""Whether the microphone's level is fit for speech detection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.voices import TimeSpan, frame_levels_dbfs
from realtime_nb.audio.pcm import Samples

__all__ = ["InputHealth", "input_health"]

_FRAMES_PER_S = 50
_CLIPPED = 32_766 / 32_768
_DIGITAL_SILENCE_DBFS = -100.0
"""Below it nothing at all is heard between the words, as of a muted microphone."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class InputHealth:
    """Levels of a recorded microphone, in dBFS (0: a full-scale square wave); NaN where unknown.

    Attributes:
        level_dbfs: RMS of the voiced 20-ms frames.
        peak_dbfs: of the loudest sample.
        clipping_share: share of all samples that lie at full scale.
        noise_floor_dbfs: 10th percentile of the levels of unvoiced frames; -120 for digital
            silence.
        snr_db: level over noise floor; NaN where the unvoiced parts are digital silence.
        voiced_frames, unvoiced_frames: how many frames these are from.
    """

    level_dbfs: float
    peak_dbfs: float
    clipping_share: float
    noise_floor_dbfs: float
    snr_db: float
    voiced_frames: int
    unvoiced_frames: int


def input_health(samples: Samples, voiced_ms: Sequence[TimeSpan]) -> InputHealth:
    """Measures levels.

    Args:
        samples: float32 (n,) at 24 kHz.
        voiced_ms: where in it there is speech.
    """
    levels = frame_levels_dbfs(samples)
    voiced = np.zeros(len(levels), np.bool_)
    for start_ms, end_ms in voiced_ms:
        start, end = start_ms / 1000 * _FRAMES_PER_S, end_ms / 1000 * _FRAMES_PER_S
        voiced[math.floor(start) : math.ceil(end)] = True
    level_dbfs = _mean_level(levels[voiced])
    unvoiced = levels[~voiced]
    floor_dbfs = float(np.percentile(unvoiced, 10)) if len(unvoiced) else math.nan
    peak, clipped = _extremes(samples)
    return InputHealth(
        level_dbfs=level_dbfs,
        peak_dbfs=20 * math.log10(max(peak, 1e-6)) if len(samples) else math.nan,
        clipping_share=clipped / len(samples) if len(samples) else math.nan,
        noise_floor_dbfs=floor_dbfs,
        snr_db=level_dbfs - floor_dbfs if floor_dbfs >= _DIGITAL_SILENCE_DBFS else math.nan,
        voiced_frames=int(voiced.sum()),
        unvoiced_frames=len(unvoiced),
    )


def _mean_level(levels_dbfs: npt.NDArray[np.float64]) -> float:
    if not len(levels_dbfs):
        return math.nan
    return 10 * math.log10(float(np.mean(10 ** (levels_dbfs / 10))))


def _extremes(samples: Samples) -> tuple[float, int]:
    """Returns the largest magnitude, and how many samples lie at full scale; block by block."""
    peak, clipped = 0.0, 0
    for start in range(0, len(samples), _BLOCK):
        magnitudes = np.abs(samples[start : start + _BLOCK])
        peak = max(peak, float(magnitudes.max()))
        if peak >= _CLIPPED:
            clipped += int(np.count_nonzero(magnitudes >= _CLIPPED))
    return peak, clipped
