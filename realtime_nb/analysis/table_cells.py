"""What the tables of a session are made with: numbers that may be missing, and columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["between_ms", "number", "table"]

_NAN = math.nan


def between_ms(earlier: float | None, later: float | None) -> float:
    """Returns the milliseconds between two moments in seconds; NaN where one is unknown."""
    return (number(later) - number(earlier)) * 1000


def number(value: float | None) -> float:
    """NaN for None."""
    return _NAN if value is None else float(value)


def table(rows: list[dict[str, object]], blank: dict[str, object]) -> pd.DataFrame:
    """Returns a table that has the columns of a blank row even when it has no rows."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(blank))
