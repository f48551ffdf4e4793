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
from realtime_nb.plots.places import Room

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
_POINT_PT2 = 22
_MOST_INSET = 0.4
"""Of a cell, on each side, that a frame in it leaves out."""
_MOST_NAMED = 10
_HOW_NAMED = "Named: threshold · silence. Bars: 95 % intervals."
_LEGEND_MARK_PT = 9.0
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
    ax = style.axes_or_new(ax, _ROW_IN * len(thresholds))
    ax.set_yticks(range(len(thresholds)), [f"{one:g}" for one in thresholds])
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
    style.settle(ax)
    cell_px = style.size_px(ax)[0] / len(silences), style.size_px(ax)[1] / len(thresholds)
    handles = [_frame(ax, at, names, cell_px) for at, names in marks.items()] if len(known) else []
    _thin_ticks(ax, silences, thresholds)
    style.legend_above(ax, [one for found in handles for one in found])
    size_pt = _cell_pt(ax, cells, value)
    shades = "" if size_pt or low == high else _shades(low, high, value)
    told = f"{name[0].upper()}{name[1:]}{of}{shades}."
    style.caption(ax, [told, _labelled(rows), OPEN_LOOP])
    style.settle(ax)
    if size_pt:
        _write_cells(ax, cells, low, high, value, size_pt)
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


def _frame(
    ax: Axes, at: tuple[int, int], names: Sequence[str], cell_px: tuple[float, float]
) -> list[Artist]:
    """Draws a frame around a cell for each of its marks, one in the other."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    drawn: list[Artist] = []
    for depth, name in enumerate(names):
        inset_px = (2.2 + 4.4 * depth) * ax.figure.dpi / 72
        across, up = (min(_MOST_INSET, inset_px / side_px) for side_px in cell_px)
        corner = at[1] - 0.5 + across, at[0] - 0.5 + up
        colour = _MARKS[name][1]
        frame = Rectangle(
            corner,
            1 - 2 * across,
            1 - 2 * up,
            fill=False,
            edgecolor=colour,
            linewidth=2.4,
            label=name,
        )
        frame.set_path_effects([withStroke(linewidth=4.4, foreground="white")])
        ax.add_patch(frame)
        drawn.append(frame)
    return drawn


def _thin_ticks(ax: Axes, silences: Sequence[float], thresholds: Sequence[float]) -> None:
    """Names as many columns and rows as there is room for, evenly."""
    import matplotlib.pyplot as plt

    letter_px = style.letter_px(ax, plt.rcParams["font.size"])
    width_px, height_px = style.size_px(ax)
    for axis, values, needed_px in (
        (ax.xaxis, silences, len(silences) * letter_px * (_longest(silences) + 1) / width_px),
        (ax.yaxis, thresholds, len(thresholds) * style.line_px(ax) / height_px),
    ):
        shown = range(0, len(values), max(1, math.ceil(needed_px)))
        axis.set_ticks(list(shown), [f"{values[at]:g}" for at in shown])


def _longest(values: Sequence[float]) -> int:
    return max(len(f"{value:g}") for value in values)


def _cell_pt(ax: Axes, cells: npt.NDArray[np.float64], value: str) -> float | None:
    """Returns the size of type in which the figures have room in their cells, if there is one."""
    import matplotlib.pyplot as plt

    known = cells[~np.isnan(cells)]
    if not len(known) or cells.size > _MOST_WRITTEN:
        return None
    letters = max(len(_figure(float(cell), value)) for cell in known) + 1.5
    width_px, height_px = style.size_px(ax)
    rows, columns = cells.shape
    small_pt = 0.833 * plt.rcParams["font.size"]
    for size_pt in (small_pt, 0.8 * small_pt):
        high_px = 1.3 * size_pt * ax.figure.dpi / 72
        if letters * style.letter_px(ax, size_pt) <= width_px / columns and (
            high_px <= height_px / rows
        ):
            return float(size_pt)
    return None


def _shades(low: float, high: float, value: str) -> str:
    """Returns what the shades mean where no cell has its figure."""
    return f", from {_figure(low, value)} (darkest) to {_figure(high, value)} (brightest)"


def _write_cells(
    ax: Axes,
    cells: npt.NDArray[np.float64],
    low: float,
    high: float,
    value: str,
    size_pt: float,
) -> None:
    for (row, column), cell in np.ndenumerate(cells):
        if not math.isnan(cell):
            ax.text(
                column,
                row,
                _figure(cell, value),
                ha="center",
                va="center",
                fontsize=size_pt,
                color=_letters_on((cell - low) / (high - low or 1.0)),
            )


def _letters_on(share: float) -> str:
    """Returns the colour of letters that stands out more from a shade."""
    import matplotlib as mpl

    shade = np.array(mpl.colormaps[_SHADES](float(share))[:3])
    linear = np.where(shade <= 0.04045, shade / 12.92, ((shade + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


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
    ax = style.axes_or_new(ax, 2.7)
    style.strip_frame(ax, grid="y")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("median endpoint wait (ms)")
    ax.set_ylabel("labelled turns split")
    if not known:
        style.nothing(ax, rows[0]["note"] or "of no setting a wait is known")
        style.caption(ax, [OPEN_LOOP])
        return ax
    waits = np.array([row["endpoint_wait_p50_ms"] for row in known])
    splits = np.array([row["split_share"] for row in known])
    ax.set_xlim(0, 1.08 * float(waits.max()))
    front = pareto_front(waits, splits)
    highest = max(
        0.1, 1.1 * float(splits.max()), *(_interval(known[n])[1] for n in _told(known, front))
    )
    ax.set_ylim(-0.03 * highest, 1.05 * highest)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    handles = _draw_points(ax, known, waits, splits, front)
    style.settle(ax)
    style.legend_above(ax, handles)
    left_out = len(rows) - len(known)
    missing = f"Left out: {left_out} of {len(rows)} settings, of which no wait is known."
    style.caption(ax, [_labelled(known), _HOW_NAMED, missing if left_out else "", OPEN_LOOP])
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
    from matplotlib.lines import Line2D

    engines = list(dict.fromkeys(row["engine"] for row in rows))
    colours = (style.USER_COLOUR, style.NEUTRAL_COLOUR, style.SPEECH_COLOUR)
    handles: list[Artist] = []
    for number, engine in enumerate(engines):
        own = [index for index, row in enumerate(rows) if row["engine"] == engine]
        label = "a setting" if len(engines) == 1 else engine
        colour = colours[number % len(colours)]
        handles.append(
            ax.scatter(waits[own], splits[own], s=_POINT_PT2, color=colour, alpha=0.75, label=label)
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
            ax.scatter(
                waits[own],
                splits[own],
                s=size,
                marker=marker,
                facecolors="none",
                edgecolors=colour,
                linewidths=1.8,
                zorder=4,
            )
            # Rings as large as on the points would cover the words.
            handles.append(
                Line2D(
                    [],
                    [],
                    linestyle="",
                    marker=marker,
                    markersize=min(math.sqrt(size), _LEGEND_MARK_PT),
                    markerfacecolor="none",
                    markeredgecolor=colour,
                    markeredgewidth=1.8,
                    label=mark,
                )
            )
    for index in _told(rows, front):
        low, high = _interval(rows[index])
        ax.vlines(waits[index], low, high, colors=style.NEUTRAL_COLOUR, linewidth=0.9, zorder=0)
    return handles


def _name_front(
    ax: Axes,
    rows: Sequence[dict[str, Any]],
    waits: npt.NDArray[np.float64],
    splits: npt.NDArray[np.float64],
    front: Sequence[int],
) -> None:
    """Writes beside the points of the front which settings they are, where there is room: first
    to those that are marked."""
    at_px = ax.transData.transform(np.column_stack([waits, splits]))
    point_px = ax.figure.dpi / 72
    radii_px = [point_px * (_mark_pt(row) / 2 + 1) for row in rows]
    points = [(x, y, radius) for (x, y), radius in zip(at_px, radii_px, strict=True)]
    stairs = np.repeat(at_px[list(front)], 2, axis=0)
    stairs[1:-1:2, 0] = stairs[2::2, 0]  # goes on at its height until the next begins
    bars = [
        ax.transData.transform(np.column_stack([[waits[index]] * 2, _interval(rows[index])]))
        for index in _told(rows, front)
    ]
    room = Room.among(ax.get_window_extent().extents, points, [stairs, *bars])
    for index in _named(rows, front):
        written = ax.annotate(
            _setting(rows[index]),
            (waits[index], splits[index]),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize="small",
            alpha=style.muted(),
            annotation_clip=False,
        )
        own = written.get_window_extent()
        x, y, radius = points[index]
        found = room.place(
            (x - radius, y - radius, x + radius, y + radius), (own.width, own.height)
        )
        if found is None:
            written.remove()
            continue
        box, lead = found
        # In points: whoever saves it may have more pixels.
        shift_px = np.array([box[0] - own.x0, box[1] - own.y0])
        written.set_position(tuple(shift_px / point_px))
        if lead:
            ends = ax.transData.inverted().transform(lead)
            ax.plot(*ends.T, color=style.ink(), linewidth=0.6, alpha=0.6, zorder=0.5)


def _named(rows: Sequence[dict[str, Any]], front: Sequence[int]) -> list[int]:
    """Returns which settings of the front to name: those that are marked, its ends, and as many
    of the others as can be told apart."""
    marked = [index for index in front if rows[index]["mark"]]
    even = np.linspace(0, len(front) - 1, min(len(front), _MOST_NAMED)).round().astype(int)
    return list(dict.fromkeys([*marked, front[0], front[-1], *(front[n] for n in even)]))


def _mark_pt(row: dict[str, Any]) -> float:
    """Returns the width of a point with the largest of its marks."""
    names = [name for name in (row["mark"] or "").split(", ") if name]
    return math.sqrt(max([_POINT_PT2, *(_MARKS[name][2] for name in names)]))


def _setting(row: dict[str, Any]) -> str:
    if row["eagerness"]:
        return f"semantic {row['eagerness']}"
    return f"{row['threshold']:g} · {row['silence_duration_ms']:g} ms"


def _interval(row: dict[str, Any]) -> tuple[float, float]:
    return row["split_low_share"], row["split_high_share"]


def _told(rows: Sequence[dict[str, Any]], front: Sequence[int]) -> list[int]:
    """Returns the settings of which more is shown than a point."""
    return sorted({*front, *(index for index, row in enumerate(rows) if row["mark"])})


def _labelled(rows: Sequence[dict[str, Any]]) -> str:
    count = rows[0]["labelled_turns"]
    return "" if count is None else f"Of {count} labelled turns."
