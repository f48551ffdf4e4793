"""What the tables of a session are made with: numbers that may be missing, and columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["between_ms", "or_nan", "rest_ms", "table"]


def between_ms(earlier: float | None, later: float | None) -> float:
    """Returns the milliseconds between two moments in seconds; NaN where one is unknown."""
    return (or_nan(later) - or_nan(earlier)) * 1000


def or_nan(value: float | None) -> float:
    """Returns a number, NaN for None."""
    return math.nan if value is None else float(value)


def rest_ms(whole_ms: float, part_ms: float) -> float:
    """Returns what a part leaves of the whole, never less than 0; NaN where either is unknown."""
    return max(whole_ms - part_ms, 0.0)  # in this order: of NaN and a number, max keeps the first


def table(rows: list[dict[str, object]], blank: dict[str, object]) -> pd.DataFrame:
    """Returns a table that has the columns of a blank row even when it has no rows."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(blank))
