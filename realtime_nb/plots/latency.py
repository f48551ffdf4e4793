"""How long users waited for answers: every turn, or the distribution of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from realtime_nb.plots import style
from realtime_nb.protocol.words import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

__all__ = ["plot_latency"]

FEWEST_OF_A_DISTRIBUTION = 20
"""With fewer turns every one is shown: percentiles of so few say little."""

_BAND = 0.78
"""Height of a group's drawing; the rest of its row is space."""
_LOW_ROW_PT = 40.0
"""In a lower row there is room for the names of two percentiles only."""
_LAST_STEP_PT = 4.5
_LEAST_SHARE = 0.5
"""Of the width, for what lies before a point that is written to at its right."""
_MARKS = ((50, "right"), (90, "right"), (95, "left"))
"""Percentiles, and how their names are aligned: over the curve, where nothing is drawn."""


@style.on_any_page
def plot_latency(latency: pd.DataFrame, ax: Axes | None = None, *, simulated: bool = False) -> Axes:
    """Draws the latencies of turns with function calls and of those without, apart.

    Fewer than 20 turns of a kind are shown one by one, interrupted ones hollow, with their median.
    From 20 on it is the share of turns that were answered within a time, with p50, p90 and p95.

    Args:
        latency: Columns as in :func:`realtime_nb.analysis.tables.latency`.
        ax: Where to draw; without it, a new figure.
        simulated: Whether to say that the latencies are the local server's.
    """
    known = latency[latency["latency_ms"].notna()]
    called = known["had_calls"].to_numpy(bool)
    groups = [
        (name, colour, table)
        for name, colour, table in (
            ("without calls", style.AGENT_COLOUR, known[~called]),
            ("with calls", style.CALL_COLOUR, known[called]),
        )
        if len(table)
    ]
    ax = style.axes_or_new(ax, 1.3 * max(1, len(groups)))
    reach_ms = max(1.0, float(known["latency_ms"].max()) if len(known) else 0.0)
    ax.set_xlim(min(0.0, float(known["latency_ms"].min()) if len(known) else 0.0), reach_ms * 1.12)
    ax.set_ylim(-0.12, max(1, len(groups)) - 0.02)
    ax.set_yticks(
        [row + _BAND / 2 for row in range(len(groups))],
        [f"{name}\nn = {len(table)}" for name, _, table in reversed(groups)],
    )
    style.strip_frame(ax, grid="x")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    style.settle(ax)
    style.x_label(ax, "time from the end of the user's speech to the answer's first sound (ms)")
    _explain_hollow(ax, groups)
    if not groups:
        style.nothing(ax, "no turn has a latency")
    style.caption(ax, [style.SIMULATED if simulated else "", _not_counted(latency)])
    style.settle(ax)
    for row, (_, colour, table) in enumerate(reversed(groups)):
        if len(table) < FEWEST_OF_A_DISTRIBUTION:
            _draw_points(ax, table, row, colour)
        else:
            _draw_distribution(ax, np.sort(table["latency_ms"].to_numpy(float)), row, colour)
    return ax


def _draw_points(ax: Axes, table: pd.DataFrame, row: int, colour: str) -> None:
    """Draws every turn, shifted up or down so that equal ones stay apart; always the same way."""
    values_ms = table["latency_ms"].to_numpy(float)
    shifts = np.modf(np.arange(1, len(values_ms) + 1) * 0.618034)[0]  # evenly spread, in any number
    heights = row + _BAND * (0.2 + 0.6 * shifts)
    hollow = table["interrupted"].to_numpy(bool)
    face = [ax.get_facecolor() if empty else colour for empty in hollow]
    ax.scatter(
        values_ms, heights, s=36, facecolors=face, edgecolors=colour, linewidths=1.4, zorder=3
    )
    median_ms = float(np.median(values_ms))
    ax.vlines(median_ms, row, row + _BAND, colors=colour, linewidth=1.2, alpha=0.8)
    _write(ax, f"median {median_ms:,.0f} ms", median_ms, row + _BAND, 3, "bottom")
    slowest = int(np.argmax(values_ms))
    if len(values_ms) > 2:
        name = f"turn {int(table['turn'].iloc[slowest])}"
        written = _write(ax, name, values_ms[slowest], float(heights[slowest]), 7, "center")
        written.set_alpha(style.muted())


def _write(
    ax: Axes,
    text: str,
    at_ms: float,
    height: float,
    aside_pt: float,
    edge: str,
    side: str = "left",
    up_pt: float = 0.0,
) -> Annotation:
    """Writes small type beside a point; the axis is made longer where there is no room for it."""
    if side == "left":
        letter_px, (width_px, _) = style.letter_px(ax), style.size_px(ax)
        left_ms, right_ms = ax.get_xlim()
        room_px = (len(text) + 1) * letter_px + aside_pt * ax.figure.dpi / 72
        least_ms = (at_ms - left_ms) / max(_LEAST_SHARE, 1 - room_px / width_px)
        ax.set_xlim(left_ms, max(right_ms, left_ms + least_ms))
    return ax.annotate(
        text,
        (at_ms, height),
        xytext=(aside_pt if side == "left" else -aside_pt, up_pt),
        textcoords="offset points",
        ha=side,
        va=edge,
        fontsize="small",
    )


def _explain_hollow(ax: Axes, groups: list[tuple[str, str, pd.DataFrame]]) -> None:
    """Explains hollow points in a legend, where there are any."""
    from matplotlib.lines import Line2D

    hollow = [
        colour
        for _, colour, table in groups
        if len(table) < FEWEST_OF_A_DISTRIBUTION and table["interrupted"].any()
    ]
    if hollow:
        mark = Line2D(
            [],
            [],
            marker="o",
            markersize=6,
            markeredgewidth=1.4,
            markerfacecolor="none",
            color=hollow[0],
            linestyle="",
            label="interrupted",
        )
        style.legend_above(ax, [mark])


def _draw_distribution(ax: Axes, values_ms: npt.NDArray[np.float64], row: int, colour: str) -> None:
    """Draws the empirical distribution function of sorted values, filled."""
    count = len(values_ms)
    shares = row + _BAND * np.arange(count + 1) / count
    edges_ms = np.concatenate([values_ms[:1], values_ms])
    ax.fill_between(edges_ms, row, shares, step="post", facecolor=colour, alpha=0.18, linewidth=0)
    ax.plot(edges_ms, shares, drawstyle="steps-post", color=colour, linewidth=1.6)
    row_pt = style.size_px(ax)[1] / float(np.ptp(ax.get_ylim())) * 72 / ax.figure.dpi
    low = row_pt < _LOW_ROW_PT
    left_ms = ax.get_xlim()[0]
    for percentile, side in _MARKS:
        at_ms = float(np.percentile(values_ms, percentile))
        height = row + _BAND * percentile / 100
        ax.vlines(at_ms, row, height, colors=colour, linewidth=1, linestyles=(0, (2, 2)))
        ax.plot([at_ms], [height], marker="o", markersize=5, color=colour)
        text = f"p{percentile} {at_ms:,.0f} ms"
        room_px = (at_ms - left_ms) / np.ptp(ax.get_xlim()) * style.size_px(ax)[0]
        if percentile != 95 or not low:
            if percentile == 50 and room_px < (len(text) + 2) * style.letter_px(ax):
                side = "left"  # there is no room before it
            edge = "bottom" if side == "right" or percentile == 95 else "top"
            edge = "center" if low and percentile == 50 else edge
            up_pt = _LAST_STEP_PT if percentile == 95 else 0.0  # the curve goes on under it
            _write(ax, text, at_ms, height, 6, edge, side, up_pt)


def _not_counted(latency: pd.DataFrame) -> str:
    reasons = style.why_no_latency(latency)
    words = ", ".join(f"{reason} ({count})" for reason, count in reasons.items())
    return f"Not counted: {counted(sum(reasons.values()), 'turn')}: {words}." if words else ""
