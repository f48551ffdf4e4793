"""Thresholds of one engine in terms of another's: their values are not comparable."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime_nb.errors import ConfigurationError

__all__ = ["threshold_like"]


def threshold_like(probabilities: npt.ArrayLike, threshold: float, others: npt.ArrayLike) -> float:
    """Returns the threshold at which another engine calls as much of the same audio speech.

    That is the same quantile of its probabilities, as close as can be: where many of them are
    equal, no threshold lies between them. What it says is how often both hear speech, not that
    they hear it in the same places.

    Args:
        probabilities: One engine's, of some audio, shape (n,).
        threshold: What they are compared to: speech is where they are at least as large.
        others: The other engine's, of the same audio.

    Returns:
        A threshold from 0 to 1; NaN where there is no audio to go by, and where the first engine
        hears speech in all of it or none, so that any extreme threshold would do.
    """
    first, second = np.asarray(probabilities, np.float64), np.asarray(others, np.float64)
    if not 0 <= threshold <= 1:
        raise ConfigurationError(f"threshold is {threshold}; from 0 to 1 is legal")
    if first.shape != second.shape or first.ndim != 1:
        raise ConfigurationError(
            f"probabilities have the shapes {first.shape} and {second.shape}; one per frame of the "
            "same audio is needed from both engines"
        )
    speech = int(np.count_nonzero(first >= threshold))
    if speech in (0, len(first)):
        return float("nan")
    ordered = np.sort(second)
    values = np.unique(ordered)
    counts = len(ordered) - np.searchsorted(ordered, values)  # of frames at or above each value
    best = int(np.argmin(np.abs(counts - speech)))
    below = values[best - 1] if best else values[best]
    return float((below + values[best]) / 2) if best else float(values[0])
