"""What the cells of tables are worked out with: numbers that may be missing."""

from __future__ import annotations

import math

__all__ = ["between_ms", "or_nan", "rest_ms"]


def between_ms(earlier: float | None, later: float | None) -> float:
    """Returns the milliseconds between two moments in seconds; NaN where one is unknown."""
    return (or_nan(later) - or_nan(earlier)) * 1000


def or_nan(value: float | None) -> float:
    """Returns a number, NaN for None."""
    return math.nan if value is None else float(value)


def rest_ms(whole_ms: float, part_ms: float) -> float:
    """Returns what a part leaves of the whole, never less than 0; NaN where either is unknown."""
    return max(whole_ms - part_ms, 0.0)  # in this order: of NaN and a number, max keeps the first
