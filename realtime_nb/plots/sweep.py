"""What settings of turn detection would have done: a figure over two of them, and cut-offs against
waiting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.columns.frames import notes_of, records
from realtime_nb.analysis.what_if.candidates import DEFAULT, IN_USE, SERVER_DEFAULT
from realtime_nb.analysis.what_if.scores import OPEN_LOOP
from realtime_nb.errors import ConfigurationError
from realtime_nb.plots import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["pareto_front", "plot_sweep_heatmap", "plot_sweep_tradeoff"]

_MARKS = {
    IN_USE: ("o", style.AGENT_COLOUR, 230),
    DEFAULT: ("s", style.CALL_COLOUR, 110),
    SERVER_DEFAULT: ("D", style.ERROR_COLOUR, 50),
}
"""Marks, colours, and sizes of which each holds the next: one setting may have several."""
_SHADES = "cividis"
_ROW_IN = 0.42
_MOST_WRITTEN = 240
"""Cells; more have no room for their figures."""
_COLUMNS = {
    "split_share": "labelled turns split",
    "false_start_share": "false starts of the turns taken",
    "missed_share": "labelled turns missed",
    "turns": "turns taken",
    "endpoint_wait_p50_ms": "median endpoint wait (ms)",
    "endpoint_wait_p95_ms": "endpoint wait, p95 (ms)",
    "hour_usd": "audio sent, USD an hour",
}


@style.on_any_page
def plot_sweep_heatmap(
    table: pd.DataFrame,
    value: str = "split_share",
    ax: Axes | None = None,
    *,
    engine: str | None = None,
    prefix_padding_ms: float | None = None,
) -> Axes:
    """Draws one figure over thresholds and silences, with the settings in use and the defaults.

    Args:
        table: That of a sweep.
        value: One of its columns of numbers.
        ax: Where to draw; without it, a new figure.
        engine, prefix_padding_ms: Which rows; unless given, those with the first row's.

    Raises:
        ConfigurationError: There is no such column, or no such rows.
    """
    kinds = {name: told["unit"] for name, told in notes_of("sweep").items()}
    if not kinds.get(value):
        numbers = ", ".join(name for name, unit in kinds.items() if unit)
        raise ConfigurationError(f"value is {value!r}; choose from {numbers}.")
    grid = [row for row in records(table) if not row["eagerness"]]  # which has no place in it
    rows, of = _part(grid, engine, prefix_padding_ms)
    thresholds = sorted({row["threshold"] for row in rows})
    silences = sorted({row["silence_duration_ms"] for row in rows})
    cells = np.full((len(thresholds), len(silences)), np.nan)
    marks: dict[tuple[int, int], list[str]] = {}
    for row in rows:
        at = thresholds.index(row["threshold"]), silences.index(row["silence_duration_ms"])
        cells[at] = math.nan if row[value] is None else row[value]
        if row["mark"]:
            marks[at] = row["mark"].split(", ")
    ax = style.axes_or_new(ax, 1.5 + _ROW_IN * len(thresholds))
    ax.set_yticks(range(len(thresholds)), [f"{one:g}" for one in thresholds])
    ax.set_xticks(range(len(silences)), [f"{one:g}" for one in silences])
    ax.set_ylabel("threshold")
    ax.set_xlabel("silence_duration_ms")
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    name = _COLUMNS.get(value, value)
    known = cells[~np.isnan(cells)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    ax.imshow(cells, cmap=_SHADES, vmin=low, vmax=high or 1.0, aspect="auto", origin="lower")
    ax.set_xlim(-0.5, len(silences) - 0.5)
    ax.set_ylim(-0.5, len(thresholds) - 0.5)
    if not len(known):
        style.nothing(ax, f"{name}: {rows[0]['note'] or 'not known'}")
    handles = [_frame(ax, at, names) for at, names in marks.items()] if len(known) else []
    style.settle(ax)
    style.legend_above(ax, [one for found in handles for one in found])
    style.caption(ax, [f"{name[0].upper()}{name[1:]}{of}.", _labelled(rows), OPEN_LOOP])
    style.settle(ax)
    _write_cells(ax, cells, low, high, value)
    return ax


def _part(
    rows: Sequence[dict[str, Any]], engine: str | None, padding_ms: float | None
) -> tuple[list[dict[str, Any]], str]:
    """Returns the rows of one engine and padding, and which those are, where there are others."""
    said = []
    for name, column, wanted in (
        ("engine", "engine", engine),
        ("prefix_padding_ms", "prefix_padding_ms", padding_ms),
    ):
        there = list(dict.fromkeys(row[column] for row in rows))
        chosen = there[0] if wanted is None else wanted
        if chosen not in there:
            held = ", ".join(f"{one:g}" if name != "engine" else one for one in there)
            raise ConfigurationError(f"{name} is {wanted!r}, and the table has {held}.")
        rows = [row for row in rows if row[column] == chosen]
        if len(there) > 1:
            said.append(f"{name} {chosen}" if name == "engine" else f"{name} {chosen:g}")
    return list(rows), f" ({', '.join(said)})" if said else ""


def _frame(ax: Axes, at: tuple[int, int], names: Sequence[str]) -> list[Artist]:
    """Draws a frame around a cell for each of its marks, one in the other."""
    from matplotlib.patches import Rectangle

    drawn: list[Artist] = []
    for depth, name in enumerate(names):
        inset = 0.04 + 0.05 * depth
        corner = at[1] - 0.5 + inset, at[0] - 0.5 + inset
        size = 1 - 2 * inset
        colour = _MARKS[name][1]
        frame = Rectangle(
            corner, size, size, fill=False, edgecolor=colour, linewidth=2.4, label=name
        )
        ax.add_patch(frame)
        drawn.append(frame)
    return drawn


def _write_cells(
    ax: Axes, cells: npt.NDArray[np.float64], low: float, high: float, value: str
) -> None:
    if cells.size > _MOST_WRITTEN:
        return
    for (row, column), cell in np.ndenumerate(cells):
        if not math.isnan(cell):
            light = (cell - low) / (high - low or 1.0) > 0.5
            ax.text(
                column,
                row,
                _figure(cell, value),
                ha="center",
                va="center",
                fontsize="small",
                color="black" if light else "white",
            )


def _figure(cell: float, value: str) -> str:
    if value.endswith("_share"):
        return f"{100 * cell:.0f} %"
    if value.endswith("_usd"):
        return f"{cell:.2f}"
    return f"{cell:,.0f}"


# --- cut-offs against waiting ---------------------------------------------------------------------


@style.on_any_page
def plot_sweep_tradeoff(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draws the part of turns that was split against the median wait, a point for each setting.

    The line joins the settings that none betters in both; bars are 95 % intervals.

    Args:
        table: That of a sweep.
        ax: Where to draw; without it, a new figure.
    """
    rows = records(table)
    known = [
        row
        for row in rows
        if not math.isnan(row["split_share"]) and not math.isnan(row["endpoint_wait_p50_ms"])
    ]
    ax = style.axes_or_new(ax, 3.6)
    style.strip_frame(ax, grid="y")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("median endpoint wait (ms)")
    ax.set_ylabel("labelled turns split")
    if not known:
        style.nothing(ax, rows[0]["note"] or "of no setting a wait is known")
        style.caption(ax, [OPEN_LOOP])
        style.settle(ax)
        return ax
    waits = np.array([row["endpoint_wait_p50_ms"] for row in known])
    splits = np.array([row["split_share"] for row in known])
    ax.set_xlim(0, 1.08 * float(waits.max()))
    ax.set_ylim(-0.03 * max(0.1, float(splits.max())), 1.15 * max(0.1, float(splits.max())))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    front = pareto_front(waits, splits)
    handles = _draw_points(ax, known, waits, splits, front)
    style.settle(ax)
    style.legend_above(ax, handles)
    left_out = len(rows) - len(known)
    missing = f"Left out: {left_out} of {len(rows)} settings, of which no wait is known."
    style.caption(ax, [_labelled(known), missing if left_out else "", OPEN_LOOP])
    style.settle(ax)
    _name_front(ax, known, waits, splits, front)
    return ax


def pareto_front(waits: npt.NDArray[np.float64], splits: npt.NDArray[np.float64]) -> list[int]:
    """Returns the settings that none betters in one figure without being worse in the other, by
    wait; of equals, the first."""
    front: list[int] = []
    for index in np.lexsort((np.arange(len(waits)), splits, waits)):
        if not front or splits[index] < splits[front[-1]]:
            front.append(int(index))
    return front


def _draw_points(
    ax: Axes,
    rows: Sequence[dict[str, Any]],
    waits: npt.NDArray[np.float64],
    splits: npt.NDArray[np.float64],
    front: Sequence[int],
) -> list[Artist]:
    engines = list(dict.fromkeys(row["engine"] for row in rows))
    colours = (style.USER_COLOUR, style.NEUTRAL_COLOUR, style.SPEECH_COLOUR)
    handles: list[Artist] = []
    for number, engine in enumerate(engines):
        own = [index for index, row in enumerate(rows) if row["engine"] == engine]
        label = "a setting" if len(engines) == 1 else engine
        colour = colours[number % len(colours)]
        handles.append(
            ax.scatter(waits[own], splits[own], s=22, color=colour, alpha=0.75, label=label)
        )
    (line,) = ax.plot(
        waits[list(front)],
        splits[list(front)],
        drawstyle="steps-post",
        color=style.ink(),
        linewidth=1.2,
        label="Pareto front",
        zorder=1,
    )
    handles.append(line)
    for mark, (marker, colour, size) in _MARKS.items():
        own = [index for index, row in enumerate(rows) if mark in (row["mark"] or "").split(", ")]
        if own:
            ring = ax.scatter(
                waits[own],
                splits[own],
                s=size,
                marker=marker,
                facecolors="none",
                edgecolors=colour,
                linewidths=1.8,
                zorder=4,
                label=mark,
            )
            handles.append(ring)
    shown = {*front, *(index for index, row in enumerate(rows) if row["mark"])}
    for index in shown:
        interval = rows[index]["split_low_share"], rows[index]["split_high_share"]
        ax.vlines(waits[index], *interval, colors=style.NEUTRAL_COLOUR, linewidth=0.9, zorder=0)
    return handles


def _name_front(
    ax: Axes,
    rows: Sequence[dict[str, Any]],
    waits: npt.NDArray[np.float64],
    splits: npt.NDArray[np.float64],
    front: Sequence[int],
) -> None:
    """Writes beside the points of the front which settings they are, where there is room."""
    from matplotlib.transforms import Bbox

    taken: list[Bbox] = []
    box = ax.get_window_extent()
    for index in front:
        row = rows[index]
        written = ax.annotate(
            f"semantic {row['eagerness']}"
            if row["eagerness"]
            else f"{row['threshold']:g} · {row['silence_duration_ms']:g} ms",
            (waits[index], splits[index]),
            xytext=(7, 6),
            textcoords="offset points",
            fontsize="small",
            alpha=style.muted(),
        )
        own = written.get_window_extent()
        if own.x1 > box.x1 or any(own.overlaps(other) for other in taken):
            written.remove()
        else:
            taken.append(own)


def _labelled(rows: Sequence[dict[str, Any]]) -> str:
    count = rows[0]["labelled_turns"]
    return "" if count is None else f"Of {count} labelled turns."
