"""The figures by which voice agents are judged, each with how it was come by."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.recorded import Recorded

__all__ = ["METRIC_COLUMNS", "metrics"]

METRIC_COLUMNS = ("value", "unit", "n", "p50", "p90", "p95", "min", "max", "reason", "source")


def metrics(rec: Recorded) -> pd.DataFrame:
    """Return one row per metric, by name."""
    import pandas as pd

    return pd.DataFrame(columns=list(METRIC_COLUMNS))
