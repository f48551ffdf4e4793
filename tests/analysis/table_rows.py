"""A row of a table, and what is missing in it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from realtime_nb.analysis.columns.frames import records


def row(table: pd.DataFrame, index: int) -> dict[str, Any]:
    return records(table.round(6))[index]


def missing(value: Any) -> bool:
    return bool(pd.isna(value))
