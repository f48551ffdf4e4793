"""Pictures compared with those in ``baseline/``, which somebody has looked at.

Draw these anew with ``UPDATE_BASELINES=1 pytest tests/plots``, and look at them before they are
committed. They hold no text: type looks different with each version of matplotlib and FreeType.
What the texts say, the other tests say.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text

BASELINES = Path(__file__).parent / "baseline"
STYLES = {"light": "default", "dark": "dark_background"}
TOLERANCE = 1.5
"""Root mean square over all pixels, of 255."""

Draw = Callable[[Axes], object]


def difference(draw: Draw, name: str, page: str, folder: Path) -> float:
    """Return how far a picture is from its baseline (root mean square, of 255)."""
    drawn = folder / f"{name}_{page}.png"
    _save(draw, page, drawn)
    found = compare_images(str(BASELINES / drawn.name), str(drawn), tol=0, in_decorator=True)
    if found is None:
        return 0.0
    assert isinstance(found, dict), found
    return float(found["rms"])


def check(draw: Draw, name: str, page: str, folder: Path) -> None:
    """Fail when a picture doesn't look like its baseline."""
    if os.environ.get("UPDATE_BASELINES"):
        BASELINES.mkdir(exist_ok=True)
        _save(draw, page, BASELINES / f"{name}_{page}.png")
    rms = difference(draw, name, page, folder)
    assert rms <= TOLERANCE, f"{name}, {page}: differs by {rms:.1f}; see {folder}"


def _save(draw: Draw, page: str, path: Path) -> None:
    with plt.style.context([STYLES[page], {"font.family": "DejaVu Sans", "font.size": 10}]):
        figure = plt.figure(figsize=(7, 2.6), dpi=60)
        draw(figure.add_axes((0.1, 0.05, 0.85, 0.9)))
        for ax in figure.axes:
            ax.tick_params(labelbottom=False, labelleft=False, labelright=False)
            legend = ax.get_legend()
            if legend is not None:
                legend.set_visible(False)
        for text in figure.findobj(Text):
            text.set_visible(False)
        figure.savefig(path, metadata={"Software": None})
        plt.close(figure)
