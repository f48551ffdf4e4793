"""Samples as users give them: checked, scaled, and at the rate that is needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.levels import UNSCALED_DBFS
from realtime_nb.audio.pcm import Resampler, Samples
from realtime_nb.errors import AudioError, ConfigurationError

__all__ = ["check_sample_rate", "given_samples"]


def check_sample_rate(sample_rate: object, name: str = "sample_rate") -> None:
    """Raises a ConfigurationError for what is no rate of samples."""
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, int) or sample_rate < 1:
        raise ConfigurationError(f"{name} is {sample_rate!r}; give samples per second.")


def given_samples(given: npt.ArrayLike, sample_rate: int, target_rate: int, name: str) -> Samples:
    """Returns samples that a user gave, as floats at another rate.

    Args:
        given: Shape (n,), n > 0: floats in −1..1, or whole numbers, whose type gives the scale.
        sample_rate: Their rate.
        target_rate: That of the result.
        name: What the user calls them.

    Raises:
        AudioError: They are no samples of one channel, or not scaled.
        ConfigurationError: sample_rate is none.
    """
    check_sample_rate(sample_rate)
    array = np.asarray(given)
    if array.ndim != 1:
        raise AudioError(
            f"{name} has the shape {array.shape}; give one channel, shape (n,), such as "
            "samples[:, 0]."
        )
    if not array.size:
        raise AudioError(f"{name} holds no samples.")
    samples = _scaled(array, name)
    return Resampler(sample_rate, target_rate).process(samples, last=True)


def _scaled(array: npt.NDArray[Any], name: str) -> Samples:
    if array.dtype.kind == "i":
        return array.astype(np.float32) / np.float32(2.0 ** (8 * array.itemsize - 1))
    if array.dtype.kind != "f":
        raise AudioError(f"{name} holds {array.dtype}; give floats in −1..1, or int16.")
    samples = array.astype(np.float32, copy=False)
    loudest = float(max(samples.max(), -samples.min()))
    if not np.isfinite(loudest):
        raise AudioError(f"{name} holds samples that are not finite numbers; record it again.")
    if loudest > 10 ** (UNSCALED_DBFS / 20):
        raise AudioError(
            f"The loudest sample of {name} is {loudest:g}; give floats in −1..1, or 16-bit samples "
            "as int16."
        )
    return samples
