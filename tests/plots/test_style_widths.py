"""Plots in figures as wide as somebody set: for a narrow cell, a phone, a column, a wide page."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes

import realtime_nb as rt
from realtime_nb.errors import ConfigurationError
from realtime_nb.plots import plot_timeline
from realtime_nb.plots.sweep import plot_sweep_heatmap, plot_sweep_tradeoff
from tests.plots import sessions
from tests.plots.test_style import PLOTS, can_be_read, written
from tests.plots.test_sweep import made

Draw = Callable[[], Axes]


def many_names() -> Axes:
    """What others named: long, from right to left, without a picture in the type."""
    calls: list[tuple[float, float | None, str]] = [
        (4.6, 4.9, "look_up_the_opening_hours_of_the_nearest_branch_office"),
        (5.0, 6.0, "בדוק_זמינות"),
        (17.2, None, "📅_book"),
    ]
    labels = [
        (3.0, "לא סיימתי את מה שרציתי לומר"),
        (9.0, "我还没说完我还没说完我还没说完"),
        (15.0, "🙂 $x"),
    ]
    return plot_timeline(replace(sessions.timeline(), calls=calls, labels=labels))


ALL: dict[str, Draw] = {
    **{name: (lambda draw=draw: draw(None)) for name, draw in PLOTS.items()},  # type: ignore[misc]
    "heatmap": lambda: plot_sweep_heatmap(made()),
    "tradeoff": lambda: plot_sweep_tradeoff(made()),
    "vad": lambda: rt.plot_vad(sessions.syllables(2.0)),
    "names": many_names,
}


@pytest.mark.parametrize("width_in", [4.0, 4.5, 14.0])
@pytest.mark.parametrize("name", ALL)
def test_a_plot_is_as_wide_as_was_set_and_can_be_read(name: str, width_in: float) -> None:
    with plt.style.context(rt.plot_style(width_in=width_in)), warnings.catch_warnings():
        warnings.simplefilter("error")  # of a layout given up, of letters without a picture
        ax = ALL[name]()
        figure = ax.figure.canvas.figure
        figure.canvas.draw()
    assert figure.get_figwidth() == width_in
    can_be_read(figure, written(figure))


@pytest.mark.parametrize("name", ["timeline", "waterfall", "heatmap"])
def test_what_is_written_around_axes_takes_nothing_of_their_height(name: str) -> None:
    heights = []
    for width_in in (4.0, 10.0):
        with plt.style.context(rt.plot_style(width_in=width_in)):
            ax = ALL[name]()
            ax.figure.canvas.draw()
        heights.append(ax.get_window_extent().height)
    narrow, wide = heights
    assert narrow == pytest.approx(wide, abs=2)  # though its legend and caption have more lines


def test_the_width_is_the_usual_one_until_somebody_sets_another() -> None:
    def width() -> float:
        return PLOTS["usage"](None).figure.canvas.figure.get_figwidth()

    assert width() == 10
    with plt.rc_context({"figure.figsize": (5, 2)}):
        assert width() == 5
    with plt.style.context(rt.plot_style()):
        assert width() == 10


@pytest.mark.parametrize("width_in", [0, 2.9, 41, -4, float("nan"), "4.5", True, (4, 3)])
def test_a_width_that_is_none_is_refused(width_in: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"width_in is .*; give inches from 3 to 40"):
        rt.plot_style(width_in=width_in)


def test_axes_that_are_given_keep_their_figures_size() -> None:
    figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
    with plt.style.context(rt.plot_style(width_in=4)):
        PLOTS["timeline"](ax)
    assert tuple(figure.get_size_inches()) == (5, 3)
