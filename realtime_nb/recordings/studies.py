"""What can be asked of a recording, beyond its events, audio and tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from realtime_nb.analysis.recorded import Recorded

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from realtime_nb.analysis.checks import Checks
    from realtime_nb.analysis.clips import RecordingClip
    from realtime_nb.analysis.cost.costs import Cost
    from realtime_nb.analysis.cost.prices import PriceTable
    from realtime_nb.analysis.findings.findings import Findings

__all__ = ["RecordingStudies"]


class RecordingStudies:
    """The base of :class:`realtime_nb.recordings.recording.Recording`: each method hands it to its module.

    Figures and interruptions are computed when they are first asked for, and kept.
    """

    # --- figures and sentences ---

    def metrics(self) -> pd.DataFrame:
        """Returns one row per metric; see :func:`realtime_nb.analysis.metrics.metrics.metrics`."""
        return self._metrics.copy()

    @cached_property
    def _metrics(self) -> pd.DataFrame:
        from realtime_nb.analysis.metrics.metrics import metrics

        return metrics(cast("Recorded", self))

    def interruptions(self) -> pd.DataFrame:
        """Returns one row per interruption and per missed one; see
        :func:`realtime_nb.analysis.interruptions.interruptions`."""
        return self._interruptions.copy()

    @cached_property
    def _interruptions(self) -> pd.DataFrame:
        from realtime_nb.analysis.interruptions import interruptions

        return interruptions(cast("Recorded", self))

    def cost(self: Recorded, prices: PriceTable | None = None, model: str | None = None) -> Cost:
        """Returns what the session cost.

        Args:
            prices: prices by model, in addition to :data:`realtime_nb.analysis.cost.prices.PRICES` or
                in place of its entries.
            model: price it as if this model had answered, such as ``"gpt-realtime-2"`` for a
                session with the local server.
        """
        from realtime_nb.analysis.cost.costs import cost_summary

        return cost_summary(self, prices, model)

    def findings(self: Recorded, prices: PriceTable | None = None) -> Findings:
        """Returns what deserves a look, in sentences, worst first."""
        from realtime_nb.analysis.findings.findings import findings

        return findings(self, prices)

    def check(self: Recorded, prices: PriceTable | None = None) -> Checks:
        """Returns a context in which to state what a recording must be like; see
        :class:`realtime_nb.analysis.checks.Checks`."""
        from realtime_nb.analysis.checks import Checks

        return Checks(self, prices)

    def clip(self: Recorded, start_s: float, end_s: float) -> RecordingClip:
        """Returns what was heard between two moments, both voices on one time axis."""
        from realtime_nb.analysis.clips import RecordingClip

        return RecordingClip(self, start_s, end_s)

    # --- pictures ---

    def plot_waterfall(self: Recorded, ax: Axes | None = None) -> Axes:
        """Draws of which parts each turn's latency consists."""
        from realtime_nb.plots import plot_waterfall

        return plot_waterfall(self.latency, ax, simulated=self.simulated)

    def plot_latency(self: Recorded, ax: Axes | None = None) -> Axes:
        """Draws how the latency is distributed, turns with function calls apart."""
        from realtime_nb.plots import plot_latency

        return plot_latency(self.latency, ax, simulated=self.simulated)

    def plot_usage(self: Recorded, ax: Axes | None = None) -> Axes:
        """Draws the tokens of each response, cached ones apart."""
        from realtime_nb.plots import plot_usage

        return plot_usage(self.usage, ax)

    def plot_cost(
        self: Recorded,
        ax: Axes | None = None,
        prices: PriceTable | None = None,
        model: str | None = None,
    ) -> Axes:
        """Draws what each turn cost, and all up to it; arguments as for ``cost``."""
        from realtime_nb.analysis.cost.costs import costs
        from realtime_nb.plots import plot_cost

        return plot_cost(costs(self, prices, model), ax)

    def plot_lanes(self: Recorded, ax: Axes | None = None) -> Axes:
        """Draws when which kinds of events crossed the wire."""
        from realtime_nb.plots import plot_lanes

        return plot_lanes(self.events, ax)

    # --- for other tools ---

    def to_parquet(
        self: Recorded, folder: str | os.PathLike[str], tables: Sequence[str] | None = None
    ) -> list[Path]:
        """Writes tables as ``folder/<table>.parquet``; all of them unless named.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        from realtime_nb.analysis.exports import write_parquet, write_tables

        return write_tables(self, folder, tables, "parquet", write_parquet)

    def to_csv(
        self: Recorded, folder: str | os.PathLike[str], tables: Sequence[str] | None = None
    ) -> list[Path]:
        """Writes tables as ``folder/<table>.csv``; all of them unless named."""
        from realtime_nb.analysis.exports import write_csv, write_tables

        return write_tables(self, folder, tables, "csv", write_csv)

    def to_audacity(self: Recorded, path: str | os.PathLike[str]) -> Path:
        """Writes an Audacity label track that lies beside ``output.wav``."""
        from realtime_nb.analysis.exports import write_audacity

        write_audacity(self, path)
        return Path(path)

    def to_rttm(self: Recorded, path: str | os.PathLike[str]) -> Path:
        """Writes who spoke when, as RTTM."""
        from realtime_nb.analysis.exports import write_rttm

        write_rttm(self, path)
        return Path(path)

    def to_chrome_trace(self: Recorded, path: str | os.PathLike[str]) -> Path:
        """Writes a trace that Perfetto opens."""
        from realtime_nb.analysis.exports import write_chrome_trace

        write_chrome_trace(self, path)
        return Path(path)
