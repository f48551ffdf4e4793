"""How much of what the microphone heard was the agent itself."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.long_sound import LongSound
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples

__all__ = ["echo_score"]

_DECIMATION = 3
_RATE = SAMPLE_RATE // _DECIMATION
_LONGEST_LAG_S = 0.5
_EARLIEST_LAG_S = -0.1
"""By so much may the two clocks disagree."""
_LONGEST_S = 1.0
_SHORTEST_S = 0.1


def echo_score(heard: Samples, played: LongSound, start_s: float) -> float:
    """Returns how well what was heard matches what was played a little earlier, from 0 to 1.

    That is the largest normalised cross-correlation (of the first second, at 8 kHz, with the
    high frequencies raised) over lags from -100 to 500 ms. A plain copy scores 1, whatever its
    loudness, and an echo in a room about 0.5; unrelated speech of 400 ms stays below 0.25.

    Args:
        heard: the microphone's audio, float32 (n,) at 24 kHz, from ``start_s`` on.
        played: all that was played, float32 (m,) at 24 kHz, from 0 s on.
        start_s: when the first sample of ``heard`` was captured.

    Returns:
        NaN where there are less than 100 ms to compare; 0 where either is silent.
    """
    x = _decimated(heard[: round(_LONGEST_S * SAMPLE_RATE)])
    if len(x) < _SHORTEST_S * _RATE or math.isnan(start_s):
        return math.nan
    lags = round((_LONGEST_LAG_S - _EARLIEST_LAG_S) * _RATE)
    y = _excerpt(played, round((start_s - _LONGEST_LAG_S) * SAMPLE_RATE), len(x) + lags)
    size = 1 << (len(x) + len(y) - 1).bit_length()
    spectrum = np.conj(np.fft.rfft(x, size)) * np.fft.rfft(y, size)
    products = np.fft.irfft(spectrum, size)[: lags + 1]
    sums = np.concatenate([[0.0], np.cumsum(y * y)])
    energies = sums[len(x) : len(x) + lags + 1] - sums[: lags + 1]
    norms = np.sqrt(float(x @ x) * np.maximum(energies, 0.0))
    audible = norms > 1e-6 * len(x)
    return float(min(1.0, np.max(np.abs(products[audible]) / norms[audible], initial=0.0)))


def _excerpt(samples: LongSound, start: int, length: int) -> npt.NDArray[np.float64]:
    """Returns ``length`` samples at 8 kHz from a position at 24 kHz on, silence where none are."""
    stop = start + length * _DECIMATION
    inside = samples[max(0, start) : max(0, stop)]
    before = min(length * _DECIMATION, max(0, -start))
    return _decimated(np.pad(inside, (before, length * _DECIMATION - before - len(inside))))


def _decimated(samples: Samples) -> npt.NDArray[np.float64]:
    """Returns means of three, then their differences: else any two voiced sounds are alike."""
    whole = len(samples) // _DECIMATION * _DECIMATION
    means = np.zeros(whole // _DECIMATION)
    for phase in range(_DECIMATION):
        means += samples[phase:whole:_DECIMATION]
    return np.diff(means / _DECIMATION, prepend=means[:1] / _DECIMATION)
