"""What a recording hands out: plots, and files for other tools."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from realtime_nb.analysis.recorded import Recorded
from realtime_nb.archive.lines import RecordedEvent
from realtime_nb.errors import at_call
from realtime_nb.protocol.races import Races

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from realtime_nb.analysis.cost.prices import PriceTable
    from realtime_nb.analysis.timeline import TimelineData

__all__ = ["HandedOut"]


@at_call
class HandedOut(Recorded):
    """The part of :class:`realtime_nb.recordings.recording.Recording` that draws and exports."""

    @property
    def timeline_data(self) -> TimelineData:
        """What :meth:`plot_timeline` draws."""
        raise NotImplementedError

    def rows(self) -> Iterator[RecordedEvent]:
        """Yields the events, and what the session told of its connection."""
        raise NotImplementedError

    # --- plots ---

    def plot_timeline(
        self,
        ax: Axes | None = None,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        turn: int | None = None,
    ) -> Axes:
        """Draws who spoke when, what turn detection heard, and which functions ran.

        Args:
            ax: Where to draw; without it, into a figure of its own.
            start_s: The first moment that is shown.
            end_s: The last one.
            turn: The number of the turn to show, instead of both.

        Raises:
            ConfigurationError: There is no such turn, or nothing lies there.
        """
        from realtime_nb.plots import plot_timeline

        return plot_timeline(self.timeline_data.part(start_s, end_s, turn), ax)

    def plot_waterfall(self, ax: Axes | None = None, *, stages: bool = False) -> Axes:
        """Draws of which parts each turn's latency consists.

        Args:
            ax: Where to draw; without it, into a figure of its own.
            stages: Whether these are the stages of the server that told them (:attr:`stages`),
                instead of what the session saw of it.
        """
        from realtime_nb.plots import plot_stages, plot_waterfall

        if stages:
            return plot_stages(self.stages, self.latency, ax, simulated=self.simulated)
        return plot_waterfall(self.latency, ax, simulated=self.simulated)

    def plot_latency(self, ax: Axes | None = None) -> Axes:
        """Draws how the latency is distributed, turns with function calls apart."""
        from realtime_nb.plots import plot_latency

        return plot_latency(self.latency, ax, simulated=self.simulated)

    def plot_usage(self, ax: Axes | None = None) -> Axes:
        """Draws the tokens of each response, cached ones apart."""
        from realtime_nb.plots import plot_usage

        return plot_usage(self.usage, ax)

    def plot_cost(
        self,
        ax: Axes | None = None,
        prices: PriceTable | None = None,
        model: str | None = None,
    ) -> Axes:
        """Draws what each turn cost, and all up to it; arguments as for ``cost``."""
        from realtime_nb.analysis.cost.costs import costs
        from realtime_nb.plots import plot_cost

        return plot_cost(costs(self, prices, model), ax)

    def plot_lanes(self, ax: Axes | None = None) -> Axes:
        """Draws when which kinds of events crossed the wire."""
        from realtime_nb.plots import plot_lanes

        races = Races()
        lost = [one.seq for one in self.rows() if races.crossed(one.direction == "sent", one.event)]
        return plot_lanes(self.events, ax, lost)

    # --- for other tools ---

    def to_parquet(
        self, folder: str | os.PathLike[str], tables: Sequence[str] | None = None
    ) -> list[Path]:
        """Writes tables as ``folder/<table>.parquet``; all of them unless named.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        from realtime_nb.analysis.exports import write_parquet, write_tables

        return write_tables(self, folder, tables, "parquet", write_parquet)

    def to_csv(
        self, folder: str | os.PathLike[str], tables: Sequence[str] | None = None
    ) -> list[Path]:
        """Writes tables as ``folder/<table>.csv``; all of them unless named."""
        from realtime_nb.analysis.exports import write_csv, write_tables

        return write_tables(self, folder, tables, "csv", write_csv)

    def to_audacity(self, path: str | os.PathLike[str]) -> Path:
        """Writes an Audacity label track that lies beside ``output.wav``."""
        from realtime_nb.analysis.exports import write_audacity

        write_audacity(self, path)
        return Path(path)

    def to_rttm(self, path: str | os.PathLike[str]) -> Path:
        """Writes who spoke when, as RTTM."""
        from realtime_nb.analysis.exports import write_rttm

        write_rttm(self, path)
        return Path(path)

    def to_chrome_trace(self, path: str | os.PathLike[str]) -> Path:
        """Writes a trace that Perfetto opens."""
        from realtime_nb.analysis.exports import write_chrome_trace

        write_chrome_trace(self, path)
        return Path(path)
