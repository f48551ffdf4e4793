"""What the cells of tables are worked out with: numbers that may be missing."""

from __future__ import annotations

import math

__all__ = ["between_ms", "or_nan", "rest_ms"]

_SLACK_S = 1e-5
"""Times are kept in microseconds."""


def between_ms(earlier: float | None, later: float | None) -> float:
    """Returns the milliseconds between two moments in seconds; NaN where one is unknown, or where
    they are in the wrong order, so that one can't be right."""
    passed_s = or_nan(later) - or_nan(earlier)
    return passed_s * 1000 if passed_s >= -_SLACK_S else math.nan


def or_nan(value: float | None) -> float:
    """Returns a number, NaN for None."""
    return math.nan if value is None else float(value)


def rest_ms(whole_ms: float, part_ms: float) -> float:
    """Returns what a part leaves of the whole, never less than 0; NaN where either is unknown."""
    return max(whole_ms - part_ms, 0.0)  # in this order: of NaN and a number, max keeps the first
