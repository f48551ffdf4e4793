"""Where the time went between a user's last word and the agent's first."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from realtime_nb.plots import style
from realtime_nb.protocol.words import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["plot_stages", "plot_waterfall"]

_PART_COLOURS = {
    "uplink_ms": style.NEUTRAL_COLOUR,
    "endpoint_wait_ms": style.USER_COLOUR,
    "commit_wait_ms": style.ERROR_COLOUR,
    "model_first_audio_ms": style.AGENT_COLOUR,
    "playout_ms": style.CALL_COLOUR,
}
_STAGE_COLOURS = {
    "vad_ms": style.USER_COLOUR,
    "stt_wait_ms": style.SPEECH_COLOUR,
    "calls_ms": style.ERROR_COLOUR,
    "llm_first_token_ms": style.AGENT_COLOUR,
    "llm_sentence_ms": "#E69F00",
    "tts_first_audio_ms": style.CALL_COLOUR,
    "transport_ms": style.NEUTRAL_COLOUR,
}
_UNSPLIT = "not split"
_ROW_IN = 0.27
_MOST_ROWS_IN = 6.5
_READABLE_ROW_PT = 8.0
_LEAST_BARS = 0.45
"""The share of the width that bars keep beside what is written at their ends."""
_BAR_HALF_HEIGHT = 0.36
_THIN_BAR_HALF_HEIGHT = 0.46


@style.on_any_page
def plot_waterfall(
    latency: pd.DataFrame, ax: Axes | None = None, *, simulated: bool = False
) -> Axes:
    """Draws a bar for each turn, from the end of the user's speech to the answer's first sample.

    A bar's parts add up to the total beside it. Turns with function calls and those that were
    interrupted say so; turns without a latency say why, in a fainter text. When there are too many
    turns to write to, marks at the ends of the bars take the place of the words.

    Args:
        latency: Columns as in :func:`realtime_nb.analysis.tables.latency`.
        ax: Where to draw; without it, a figure as high as the turns need.
        simulated: Whether to say that the latencies are the local server's.
    """
    return _drawn(latency, ax, _PART_COLOURS, simulated)


@style.on_any_page
def plot_stages(
    stages: pd.DataFrame,
    latency: pd.DataFrame,
    ax: Axes | None = None,
    *,
    simulated: bool = False,
) -> Axes:
    """Draws the same of the stages that the server told of.

    Args:
        stages: Columns as in :func:`realtime_nb.analysis.stages.stages`.
        latency: Of the same turns and others, which are left out.
        ax, simulated: As for :func:`plot_waterfall`.
    """
    about = latency[["turn", "latency_note", "had_calls", "interrupted"]]
    return _drawn(stages.merge(about, on="turn", how="left"), ax, _STAGE_COLOURS, simulated)


def _drawn(
    latency: pd.DataFrame, ax: Axes | None, colours: Mapping[str, str], simulated: bool
) -> Axes:
    rows = len(latency)
    ax = style.axes_or_new(ax, min(max(rows, 2) * _ROW_IN, _MOST_ROWS_IN))
    totals_ms = latency["latency_ms"].to_numpy(float)
    known = not np.isnan(totals_ms).all()
    ax.set_xlim(0, max(1.0, np.nanmax(totals_ms, initial=0.0)) * 1.05)
    ax.set_ylim(rows - 0.4, -0.6)
    ax.set_ylabel("turn")
    style.strip_frame(ax, grid="x")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    style.settle(ax)
    row_pt = style.size_px(ax)[1] / max(rows, 1) * 72 / ax.figure.dpi
    readable = row_pt >= _READABLE_ROW_PT
    handles = _draw_parts(ax, latency, totals_ms, readable, colours)
    if not readable:
        handles += _mark_rows(ax, latency)
    if known:
        style.x_label(ax, "time since the user's speech ended (ms)")
    else:
        style.nothing(ax, "" if rows else "no turns")
    style.legend_above(ax, handles, right=False)
    notes = "" if readable and _notes_fit(ax, latency) else _not_drawn(latency)
    style.caption(ax, [style.SIMULATED if simulated else "", notes])
    row_px = _name_rows(ax, latency)
    if readable:
        _write_to_rows(ax, latency, row_px)
    return ax


def _draw_parts(
    ax: Axes,
    latency: pd.DataFrame,
    totals_ms: npt.NDArray[np.float64],
    readable: bool,
    colours: Mapping[str, str],
) -> list[Artist]:
    parts_ms = latency[list(colours)].to_numpy(float)
    middles = np.arange(len(latency), dtype=float)
    half_height = _BAR_HALF_HEIGHT if readable else _THIN_BAR_HALF_HEIGHT
    split = ~np.isnan(parts_ms).any(axis=1)
    ends_ms = np.cumsum(parts_ms[split], axis=1)
    handles: list[Artist] = []
    for index, part in enumerate(colours if split.any() else ()):
        drawn = style.bars(
            ax,
            ends_ms[:, index] - parts_ms[split, index],
            ends_ms[:, index],
            middles[split] - half_height,
            middles[split] + half_height,
            facecolors=colours[part],
            edgecolors=ax.get_facecolor(),
            linewidths=0.6 if readable else 0,
            label=part.removesuffix("_ms").replace("_", " "),
        )
        handles.append(drawn)
    unsplit = ~split & ~np.isnan(totals_ms)
    if unsplit.any():
        drawn = style.bars(
            ax,
            0.0,
            totals_ms[unsplit],
            middles[unsplit] - half_height,
            middles[unsplit] + half_height,
            facecolors=style.NEUTRAL_COLOUR,
            alpha=0.5,
            label=_UNSPLIT,
        )
        handles.append(drawn)
    return handles


def _write_to_rows(ax: Axes, latency: pd.DataFrame, row_px: float) -> None:
    """Writes the total and what else is to know at the end of each bar."""
    width_px = style.size_px(ax)[0]
    size_pt = min(9.0 if width_px * 72 / ax.figure.dpi > 250 else 7.5, _fitting_pt(ax, row_px))
    letter = style.letter_px(ax, size_pt) / width_px
    reach_ms = ax.get_xlim()[1]
    columns = ("latency_ms", "latency_note", "had_calls", "interrupted")
    for row, (total_ms, note, had_calls, interrupted) in enumerate(
        zip(*(latency[column] for column in columns), strict=True)
    ):
        known = total_ms == total_ms
        words = [f"{total_ms:,.0f} ms" if known else str(note or "no latency")]
        words += ["with calls"] * bool(had_calls) + ["interrupted"] * bool(interrupted)
        text, end_ms = ", ".join(words), max(total_ms, 0.0) if known else 0.0
        if known:
            reach_ms = max(reach_ms, end_ms / max(_LEAST_BARS, 1 - letter * (len(text) + 2)))
        else:
            text = textwrap.shorten(text, max(12, int(1 / letter) - 2), placeholder=" …")
        ax.annotate(
            text,
            (end_ms, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=size_pt,
            alpha=1.0 if known else style.muted(),
            style="normal" if known else "italic",
            parse_math=False,
        )
    ax.set_xlim(0, reach_ms)


def _notes_fit(ax: Axes, latency: pd.DataFrame) -> bool:
    """Tells whether the reasons for which turns have no latency have room beside their rows."""
    longest = max(map(len, style.why_no_latency(latency)), default=0)
    return (longest + len(", with calls, interrupted")) * style.letter_px(ax) < style.size_px(ax)[0]


def _fitting_pt(ax: Axes, row_px: float) -> float:
    return 0.75 * row_px * 72 / ax.figure.dpi


def _mark_rows(ax: Axes, latency: pd.DataFrame) -> list[Artist]:
    """Draws marks at the ends of thin bars, for which words would be too large."""

    ink = style.ink()
    handles: list[Artist] = []
    for column, name, marker, size_pt, place in (
        ("had_calls", "with calls", "o", 3.5, 6.0),
        ("interrupted", "interrupted", "x", 4.5, 15.0),
    ):
        there = latency[column].to_numpy(bool) & latency["latency_ms"].notna().to_numpy(bool)
        if there.any():
            width_px = style.size_px(ax)[0]
            aside_ms = place * ax.get_xlim()[1] / width_px
            (drawn,) = ax.plot(
                latency["latency_ms"].to_numpy(float)[there] + aside_ms,
                np.flatnonzero(there),
                linestyle="",
                marker=marker,
                markersize=size_pt,
                color=ink,
                label=name,
            )
            handles.append(drawn)
    return handles


def _name_rows(ax: Axes, latency: pd.DataFrame) -> float:
    """Numbers the rows, as many as there is room for; round numbers when they are thinned.

    Returns:
        The height of a row in pixels.
    """
    style.settle(ax)
    row_px = style.size_px(ax)[1] / max(len(latency), 1)
    numbers = [int(number) for number in latency["turn"]]
    least = 9.5 * ax.figure.dpi / 72 / max(row_px, 1e-6)
    step = next((step for step in (1, 5, 10, 20, 50, 100, 200) if step >= least), 500)
    shown = [row for row, number in enumerate(numbers) if number % step == 0]
    ax.set_yticks(shown, [str(numbers[row]) for row in shown])
    return row_px


def _not_drawn(latency: pd.DataFrame) -> str:
    """Returns how many turns have no latency, by the reason."""
    reasons = style.why_no_latency(latency)
    words = "; ".join(f"{count} {reason}" for reason, count in reasons.items())
    return f"No latency of {counted(sum(reasons.values()), 'turn')}: {words}." if words else ""
