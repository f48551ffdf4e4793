"""How sure a share, or a percentile, of few turns is."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["FEWEST", "percentile_places", "share_interval"]

_TAIL = 0.025
_Z = 1.959964  # of the standard normal distribution, that tail lies beyond it
FEWEST = 6
"""Of fewer values, the smallest and the largest have the median between them in less than 95 %."""


def share_interval(count: int, of: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share: Wilson's, of the shares with which the count that was
    seen lies no further off than 1.96 standard deviations.

    Of few turns a bootstrap promises too much (one of 32 would reach 9 %, and none of 32 nothing
    at all); this one grows with the count, and none of few is no certainty (Wilson 1927; Brown, Cai
    and DasGupta, "Interval estimation for a binomial proportion", 2001).

    Args:
        count: How many turns have it.
        of: How many there are.
    """
    if not of:
        return math.nan, math.nan
    share, spread = count / of, _Z**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / of + spread / 4 / of) / (1 + spread)
    return (middle - half if count else 0.0), (middle + half if count < of else 1.0)


def _binomial(of: int, share: float) -> npt.NDArray[np.float64]:
    """Returns how probable each count of so many draws is; the share is neither 0 nor 1."""
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, of + 1)))])
    draws = np.arange(of + 1)
    logs = factorials[of] - factorials[draws] - factorials[of - draws]
    logs += draws * math.log(share) + (of - draws) * math.log1p(-share)
    chances: npt.NDArray[np.float64] = np.exp(logs)
    return chances


@lru_cache(maxsize=256)
def percentile_places(percent: float, of: int) -> tuple[int, int]:
    """Returns between which of sorted values a percentile lies in 95 % of draws.

    The value at a place of ``of`` values drawn anew is at most the j-th of them as often as enough
    draws fall on the first j: a binomial count again, so that nothing is drawn here either. What
    is larger than all values was never seen, and the interval does not reach it.

    Args:
        percent: Which percentile.
        of: How many values there are, at least `FEWEST`.
    """
    place = round((of - 1) * percent / 100)

    def at_most(j: int) -> float:
        return float(_binomial(of, j / of)[place + 1 :].sum()) if j < of else 1.0

    counts = range(1, of + 1)
    low, high = (bisect_left(counts, share, key=at_most) for share in (_TAIL, 1 - _TAIL))
    return low, high
