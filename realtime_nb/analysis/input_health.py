"""Whether the microphone's level is fit for speech detection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.voices import TimeSpan, frame_levels_dbfs
from realtime_nb.audio.levels import DIGITAL_SILENCE_DBFS
from realtime_nb.audio.long_sound import LongSound, blocks

__all__ = ["InputHealth", "input_health"]

_FRAMES_PER_S = 50
_CLIPPED = 32_766 / 32_768
_BESIDE = 5
_STEADY_DB = 6.0
_FEWEST_FRAMES = 10
_HEARD_SHARE = 0.2  # what is heard in less of the pauses is the edges of something


@dataclass(frozen=True, slots=True)
class InputHealth:
    """Levels of a recorded microphone, in dBFS (0: a full-scale square wave); NaN where unknown.

    Attributes:
        level_dbfs: RMS of the voiced 20-ms frames.
        peak_dbfs: of the loudest sample.
        clipping_share: share of all samples that lie at full scale.
        noise_floor_dbfs: 10th percentile of the levels of unvoiced frames; -120 for digital
            silence.
        snr_db: the power of the voice alone, while it is active, over that of the noise; NaN where
            the unvoiced parts are digital silence. Active is what lies in the voiced spans, so
            that pauses under 200 ms count, as in ITU-T P.56. The noise is the mean power of the
            frames apart from speech but for those, as a cough, that rise 6 dB above their median;
            it is taken off the power of the voiced frames.
        voiced_frames, unvoiced_frames: how many frames these are from.
    """

    level_dbfs: float
    peak_dbfs: float
    clipping_share: float
    noise_floor_dbfs: float
    snr_db: float
    voiced_frames: int
    unvoiced_frames: int


def input_health(samples: LongSound, voiced_ms: Sequence[TimeSpan]) -> InputHealth:
    """Measures levels.

    Args:
        samples: float32 (n,) at 24 kHz.
        voiced_ms: where in it there is speech.
    """
    levels = frame_levels_dbfs(samples)
    voiced, beside = (_frames_in(voiced_ms, len(levels), more) for more in (0, _BESIDE))
    level_dbfs = _mean_level(levels[voiced])
    unvoiced = levels[~voiced]
    floor_dbfs = float(np.percentile(unvoiced, 10)) if len(unvoiced) else math.nan
    peak, clipped = _extremes(samples)
    return InputHealth(
        level_dbfs=level_dbfs,
        peak_dbfs=20 * math.log10(max(peak, 1e-6)) if len(samples) else math.nan,
        clipping_share=clipped / len(samples) if len(samples) else math.nan,
        noise_floor_dbfs=floor_dbfs,
        snr_db=_snr_db(level_dbfs, levels[~beside] if not beside.all() else unvoiced),
        voiced_frames=int(voiced.sum()),
        unvoiced_frames=len(unvoiced),
    )


def _frames_in(spans_ms: Sequence[TimeSpan], count: int, more: int) -> npt.NDArray[np.bool_]:
    """Returns which frames lie in spans, or not more than so many beside them."""
    inside = np.zeros(count, np.bool_)
    for start_ms, end_ms in spans_ms:
        start, end = start_ms / 1000 * _FRAMES_PER_S, end_ms / 1000 * _FRAMES_PER_S
        inside[max(0, math.floor(start) - more) : math.ceil(end) + more] = True
    return inside


def _snr_db(level_dbfs: float, apart_dbfs: npt.NDArray[np.float64]) -> float:
    """Returns the ratio of voice to noise by the level of both and those apart from speech."""
    heard = apart_dbfs[apart_dbfs >= DIGITAL_SILENCE_DBFS]  # not while it was muted
    if len(heard) < max(_FEWEST_FRAMES, _HEARD_SHARE * len(apart_dbfs)):
        return math.nan
    noise = 10 ** (_mean_level(heard[heard <= np.median(heard) + _STEADY_DB]) / 10)
    voice = 10 ** (level_dbfs / 10) - noise
    return 10 * math.log10(voice / noise) if voice > 0 else math.nan


def _mean_level(levels_dbfs: npt.NDArray[np.float64]) -> float:
    if not len(levels_dbfs):
        return math.nan
    return 10 * math.log10(float(np.mean(10 ** (levels_dbfs / 10))))


def _extremes(samples: LongSound) -> tuple[float, int]:
    """Returns the largest magnitude, and how many samples lie at full scale; block by block."""
    peak, clipped = 0.0, 0
    for block in blocks(samples):
        magnitudes = np.abs(block)
        peak = max(peak, float(magnitudes.max()))
        if peak >= _CLIPPED:
            clipped += int(np.count_nonzero(magnitudes >= _CLIPPED))
    return peak, clipped
