"""Which of several figures differ between two settings, of which each pair was measured once.

Where the settings make no difference, either of a pair could as well have been the other's: the
differences of each pair may have their signs swapped, those of all figures together. So the largest
standardised difference that was found is compared with the largest under all swaps of signs (or,
beyond 14 pairs, under 8,192 of them): it counts where at most 2.5 % of the swaps give as much.
This is exact whatever the distribution, ties and heavy tails included, for all figures at once,
however they hang together, and it loses nothing to figures that say the same (E. J. G. Pitman,
"Significance tests which may be applied to samples from any populations", 1937; P. H. Westfall and
S. S. Young, "Resampling-Based Multiple Testing", 1993: single-step max-T).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FEWEST_PAIRS", "Floats", "Told", "added_up", "tell_apart"]

Floats = npt.NDArray[np.float64]

ERRORS = 0.025
"""In so many comparisons of equals, at most, any figure is called different. The other half of the
5 % that is promised is room for turns of one session that are not quite independent."""

FEWEST_PAIRS = 7
"""Of 6 differences all have one sign in 2 of 64 cases: that is more than 2.5 %."""

_ALL_SIGNS_UNTIL = 14
"""Pairs whose swaps are all looked at: 8,192, as the signs of one of them make no difference."""


@dataclass(frozen=True, slots=True)
class Told:
    """What can be said of a figure's mean difference.

    Attributes:
        low, high: the mean difference and as many standard errors around it as a difference needs
            to be told from none: no less than its 95 % interval; NaN where the pairs are too few
            to tell.
        differs: whether 0 lies outside.
    """

    low: float = math.nan
    high: float = math.nan
    differs: bool = False


def tell_apart(differences: Floats, seed: int = 0) -> list[Told]:
    """Returns what can be said of each figure, so that hardly a comparison of equals says of any
    that it differs (:data:`ERRORS`).

    Args:
        differences: (pairs, figures), NaN where a figure is not known of both of a pair.
        seed: of the swaps that are drawn.
    """
    pairs, figures = differences.shape
    counts = (~np.isnan(differences)).sum(axis=0)
    filled = np.nan_to_num(differences)
    signs = _signs(pairs, seed)
    scores = _scores(filled, counts, signs)
    able = (filled != 0).sum(axis=0) >= FEWEST_PAIRS  # with fewer, no swap is rare enough
    largest = scores[:, able].max(axis=1, initial=0.0)
    spare = int(ERRORS * len(signs))
    limit = float(np.sort(largest)[::-1][spare])
    differs = able & (scores[0] > limit)
    return [
        _told(filled[:, index], int(counts[index]), limit, bool(differs[index]))
        for index in range(figures)
    ]


def added_up(differences: Floats) -> Floats:
    """Returns what each pair adds to the mean of differences of which each goes on from the last.

    Where one answer is longer, all that follow read it again: what is new of each difference is
    what it has over the one before, and it counts in all that follow. The mean of what is returned
    is that of ``differences``.
    """
    found = differences.copy()
    known = np.flatnonzero(~np.isnan(differences))
    new = np.diff(differences[known], prepend=0.0)
    found[known] = new * np.arange(len(known), 0, -1)
    return found


def _signs(pairs: int, seed: int) -> Floats:
    """Returns swaps of signs (swaps, pairs), of which the first changes nothing."""
    if pairs <= _ALL_SIGNS_UNTIL:
        numbers = np.arange(2 ** max(pairs - 1, 0))[:, None]
        return np.asarray(1.0 - 2.0 * (numbers >> np.arange(pairs) & 1), np.float64)
    drawn = np.random.default_rng(seed).integers(0, 2, (2 ** (_ALL_SIGNS_UNTIL - 1), pairs))
    drawn[0] = 0
    return np.asarray(1.0 - 2.0 * drawn, np.float64)


def _scores(differences: Floats, counts: npt.NDArray[np.int_], signs: Floats) -> Floats:
    """Returns the mean difference under each swap, standardised so that figures of which more
    pairs are known than of others compare with them.

    That is Student's t by its equivalent of a normal distribution (D. L. Wallace, 1959); infinite
    where all differences are equal.
    """
    squares = counts * (differences**2).sum(axis=0)
    explained = (signs @ differences) ** 2 / np.where(squares > 0, squares, 1.0)
    explained = np.clip(np.round(explained, 12), 0.0, 1.0)  # ties are ties, whatever the rounding
    freedom = np.maximum(counts - 1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (8 * freedom + 1) / (8 * freedom + 3) * np.sqrt(-freedom * np.log1p(-explained))
    return np.asarray(np.where(freedom > 0, found, 0.0), float)


def _told(differences: Floats, count: int, limit: float, differs: bool) -> Told:
    if count < FEWEST_PAIRS or (math.isinf(limit) and differences.any()):
        return Told()
    freedom = count - 1
    mean = float(differences.sum() / count)
    scale = (8 * freedom + 3) / (8 * freedom + 1) * limit
    spread = max(0.0, float((differences**2).sum()) - count * mean**2)
    error = math.sqrt(spread / (freedom * count))
    reach = 0.0 if error == 0 else math.sqrt(freedom * math.expm1(scale**2 / freedom)) * error
    low, high = mean - reach, mean + reach
    return Told(low, high, True) if differs else Told(min(low, 0.0), max(high, 0.0))
