"""Plots as SVG for a page, in the colours of its theme."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from realtime_nb.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["svg_of"]

_INK = "#010203"  # stands for the text's colour, and is nobody's choice otherwise
_STYLE: dict[str, str] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "realtime_nb",
    "font.family": "sans-serif",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.facecolor": "none",
    **dict.fromkeys(
        (
            *("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor"),
            *("xtick.color", "ytick.color", "grid.color", "hatch.color"),
        ),
        _INK,
    ),
}


def svg_of(draw: Callable[[], Axes], title: str) -> str:
    """Returns a plot as an SVG element whose text and axes have the colour of the text around it.

    Args:
        draw: makes the plot on axes of its own.
        title: says what it shows, to those who can't see it.
    """
    import matplotlib.pyplot as plt

    with style.drawn_as(_STYLE):
        draw()
        file = io.StringIO()
        plt.savefig(file, format="svg", metadata={"Date": None, "Title": title})
        plt.close()
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    own, share = style.USER_COLOUR, round(100 * style.USER_SHARE)
    mixed = f"color-mix(in srgb, {own} {share}%, currentColor)"
    svg = svg.replace(style.user_wave_colour(_INK), mixed)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return svg.replace("<svg ", '<svg role="img" ', 1)
