"""How loud a sound is at most, and how much of it is cut off there."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.pcm import Samples

__all__ = ["DIGITAL_SILENCE_DBFS", "QUIET_PEAK_DBFS", "UNSCALED_DBFS", "PeakMeter"]

QUIET_PEAK_DBFS = -30.0
"""A microphone whose loudest moment is below this is turned down, or far away."""

DIGITAL_SILENCE_DBFS = -90.0
"""Below the smallest step of 16 bits."""

UNSCALED_DBFS = 6.0
"""Beyond full scale by so much is no peak of a loud recording."""

_FULL_SCALE = 32_766 / 32_768
_COARSE_FULL_SCALE = 0.975
"""The largest value of G.711 and of 8 bits is above it, the second largest of G.711 is not."""
_LOUD = 0.1
"""A sound whose flat tops are lower is so quiet that its neighbours are often equal."""
_FLAT = 3


class PeakMeter:
    """The largest magnitude of a sound, and how many samples lie flat there, block by block.

    Clipped are three samples in a row, or more, that all have the largest value (or the smallest)
    that there is; also where that is less than full scale, as after turning down what was clipped
    before.

    Args:
        coarse: The samples are of so few values that neighbours may be equal below full scale.
    """

    def __init__(self, coarse: bool = False) -> None:
        self._lowest = _COARSE_FULL_SCALE if coarse else _LOUD
        self._tops = [0.0, 0.0]  # upwards and downwards
        self._flat = [0, 0]
        self._peak = 0.0
        self._range = [math.inf, -math.inf]

    def take(self, samples: Samples) -> None:
        """Takes the next samples."""
        if not len(samples):
            return
        lowest, highest = float(samples.min()), float(samples.max())
        self._range = [min(self._range[0], lowest), max(self._range[1], highest)]
        self._peak = max(abs(value) for value in self._range)
        for side, sign in enumerate((1, -1)):
            upright = np.minimum(sign * samples, np.float32(_FULL_SCALE))
            top = float(upright.max())
            if top > self._tops[side]:
                self._tops[side], self._flat[side] = top, 0
            if top >= max(self._tops[side], self._lowest):
                self._flat[side] += _in_long_runs(upright == np.float32(top))

    @property
    def peak_dbfs(self) -> float:
        """The loudest sample; −inf where there is only silence, above 0 beyond full scale."""
        return 20 * math.log10(self._peak) if self._peak else -math.inf

    @property
    def clipped_samples(self) -> int:
        """How many samples are clipped; none of a constant."""
        return sum(self._flat) if self._range[0] < self._range[1] else 0


def _in_long_runs(flags: npt.NDArray[np.bool_]) -> int:
    """Counts the true values that are in runs of three or more."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= _FLAT].sum())
