"""Colours and dressing that all pictures share.

The colours are after Okabe and Ito's palette, which people with any kind of colour vision can tell
apart, and hold on white and on black; all else takes the colours of the style in use.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

__all__ = [
    "AGENT_COLOUR",
    "CALL_COLOUR",
    "ERROR_COLOUR",
    "MUTED",
    "NEUTRAL_COLOUR",
    "SIMULATED",
    "SPEECH_COLOUR",
    "USER_COLOUR",
    "axes_or_new",
    "bars",
    "caption",
    "counted",
    "duration_text",
    "legend_above",
    "letter_px",
    "size_px",
    "strip_frame",
    "time_axis",
    "time_tick",
    "time_tick_step_s",
    "wrapped",
]

USER_COLOUR = "#1A7FC1"
SPEECH_COLOUR = "#56B4E9"
AGENT_COLOUR = "#D55E00"
CALL_COLOUR = "#009E73"
ERROR_COLOUR = "#CC79A7"
NEUTRAL_COLOUR = "#878787"

MUTED = 0.7
"""Opacity of text that is said in passing, in the text's own colour."""

SIMULATED = "Latencies of the local server on this machine, not of a hosted service."

_WIDTH_IN = 10.0
_LETTER_EM = 0.58
"""Width of a usual letter, as a share of the size of the type."""
_SMALL = 0.833
_TICK_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


def axes_or_new(ax: Axes | None, height_in: float) -> Axes:
    """Return the axes given, or those of a new figure of a notebook's width."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, made = plt.subplots(figsize=(_WIDTH_IN, height_in), layout="constrained")
    return made


def size_px(ax: Axes) -> tuple[float, float]:
    """Return width and height of the axes in pixels."""
    extent = ax.get_window_extent()
    return float(extent.width), float(extent.height)


def letter_px(ax: Axes, size_pt: float | None = None) -> float:
    """Return about how wide a letter is, in pixels: of small type, unless told its size."""
    import matplotlib.pyplot as plt

    size_pt = plt.rcParams["font.size"] * _SMALL if size_pt is None else size_pt
    return float(_LETTER_EM * size_pt * ax.figure.dpi / 72)


def bars(
    ax: Axes,
    left: npt.ArrayLike,
    right: npt.ArrayLike,
    bottom: npt.ArrayLike,
    top: npt.ArrayLike,
    **style: object,
) -> PolyCollection:
    """Draw any number of rectangles as one artist; the edges broadcast against each other.

    The limits of the axes stay as they are.
    """
    from matplotlib.collections import PolyCollection

    edges = np.broadcast_arrays(*(np.asarray(edge, float) for edge in (left, right, bottom, top)))
    x0, x1, y0, y1 = (np.atleast_1d(edge) for edge in edges)
    corners = np.stack([x0, y0, x0, y1, x1, y1, x1, y0], axis=-1).reshape(-1, 4, 2)
    drawn = PolyCollection(list(corners), **{"linewidths": 0, **style})  # type: ignore[arg-type]
    ax.add_collection(drawn, autolim=False)
    return drawn


def strip_frame(ax: Axes, grid: str) -> None:
    """Leave one axis line, and faint grid lines across it.

    Args:
        ax: What to dress.
        grid: ``"x"`` for vertical lines over the lower axis, ``"y"`` for horizontal ones.
    """
    for side in ("top", "right", "left" if grid == "x" else "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y" if grid == "x" else "x", length=0)
    ax.grid(axis="x" if grid == "x" else "y", alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)


def legend_above(
    ax: Axes, handles: Sequence[Artist] | None = None, *, columns: int = 7, right: bool = True
) -> None:
    """Put the legend, if there is anything in it, above the axes, where it covers nothing."""
    if handles is None:
        handles = ax.get_legend_handles_labels()[0]
    if handles:
        ax.legend(
            handles=handles,
            loc="lower right" if right else "lower left",
            bbox_to_anchor=(1.0 if right else 0.0, 1.0),
            ncols=min(columns, len(handles)),
            frameon=False,
            fontsize="small",
            borderaxespad=0.2,
            handlelength=1.2,
            columnspacing=1.4,
        )


def caption(ax: Axes, sentences: Iterable[str]) -> None:
    """Write what there is to know under the axis' label."""
    text = " ".join(sentence for sentence in sentences if sentence)
    if text:
        ax.annotate(
            wrapped(ax, text),
            (0.0, 0.0),
            xycoords=("axes fraction", ax.xaxis.label),
            xytext=(0, -3),
            textcoords="offset points",
            va="top",
            fontsize="small",
            alpha=MUTED,
            annotation_clip=False,
        )


def wrapped(ax: Axes, text: str) -> str:
    """Break small type into lines that are no longer than the axes are wide."""
    return textwrap.fill(text, int(max(30, size_px(ax)[0] / letter_px(ax))))


def time_tick_step_s(duration_s: float, most: int = 11) -> float:
    """Return a round step with which at most so many ticks fit."""
    return next((step for step in _TICK_STEPS_S if duration_s / step <= most), _TICK_STEPS_S[-1])


def time_tick(seconds: float, duration_s: float) -> str:
    """``"12"`` s in short sessions, ``"3:20"`` min in longer ones."""
    if duration_s <= 90:
        return f"{seconds:g}"
    return f"{seconds // 60:.0f}:{seconds % 60:02.0f}"


def time_axis(ax: Axes, duration_s: float) -> None:
    """Make the lower axis seconds since the session began, with round ticks."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    ax.set_xlim(0, duration_s)
    ax.xaxis.set_major_locator(MultipleLocator(time_tick_step_s(duration_s)))
    if duration_s > 90:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda s, _: time_tick(s, duration_s)))
    ax.set_xlabel("time (min:s)" if duration_s > 90 else "time (s)")


def duration_text(seconds: float) -> str:
    """``"800 ms"``, ``"1.2 s"``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """``"1 turn"``, ``"2,000 turns"``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
