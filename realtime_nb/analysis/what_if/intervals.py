"""How sure a share of few turns is."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

__all__ = ["share_interval"]

_TAIL = 0.025


@lru_cache(maxsize=4096)
def share_interval(count: int, of: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share: the percentile bootstrap over turns.

    Drawing ``of`` turns anew, each with its own verdict, gives binomial counts, so their
    percentiles are worked out rather than drawn. Where none or all of the turns have it, every
    draw says the same; there the bound is the share that would do so in 2.5 % of the cases.

    Args:
        count: How many turns have it.
        of: How many there are.
    """
    if not of:
        return math.nan, math.nan
    if count == 0:
        return 0.0, 1 - _TAIL ** (1 / of)
    if count == of:
        return _TAIL ** (1 / of), 1.0
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, of + 1)))])
    draws = np.arange(of + 1)
    logs = factorials[of] - factorials[draws] - factorials[of - draws]
    logs += draws * math.log(count / of) + (of - draws) * math.log1p(-count / of)
    shares = np.cumsum(np.exp(logs))
    low, high = np.searchsorted(shares, [_TAIL, 1 - _TAIL])
    return float(low / of), float(high / of)
