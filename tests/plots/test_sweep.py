from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from realtime_nb.analysis.columns.frames import frame, records
from realtime_nb.errors import ConfigurationError
from realtime_nb.plots.sweep import pareto_front, plot_sweep_heatmap, plot_sweep_tradeoff
from tests.plots import pictures

THRESHOLDS, SILENCES = (0.3, 0.5, 0.7), (200, 300, 500, 700)


def made(**changed: Any) -> pd.DataFrame:
    """A grid in which fewer turns are split the longer the silence, the lower the threshold."""
    rows = []
    for i, threshold in enumerate(THRESHOLDS):
        for j, silence in enumerate(SILENCES):
            split = max(0, 6 + 2 * i - 3 * j)
            rows.append(
                {
                    **{"engine": "silero", "threshold": threshold, "silence_duration_ms": silence},
                    **{"prefix_padding_ms": 300, "turns": 20 + split, "labelled_turns": 20},
                    **{"split_turns": split, "split_share": split / 20},
                    "split_low_share": max(0.0, split / 20 - 0.15),
                    "split_high_share": split / 20 + 0.15,
                    "endpoint_wait_p50_ms": silence + 24.0 - 10 * i,
                    **{"hour_usd": 0.5, "waits": 20, "note": "", "priced_as": "gpt-realtime"},
                    **changed,
                }
            )
    rows[4] |= {"mark": "server default"}
    rows[6] |= {"mark": "in use, default"}
    return frame("sweep", rows)


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def legend(ax: Axes) -> list[str]:
    held = ax.get_legend()
    return [] if held is None else [text.get_text() for text in held.get_texts()]


def said(ax: Axes) -> str:
    return " ".join(" ".join(texts(ax)).split())


@pytest.mark.parametrize("plot", [plot_sweep_heatmap, plot_sweep_tradeoff])
def test_every_picture_says_that_it_is_open_loop(plot: Any) -> None:
    for table in (made(), made(split_share=math.nan, labelled_turns=None, note="no labels")):
        assert "What-if, open loop" in said(plot(table))


def test_cells_hold_their_figure_where_they_belong() -> None:
    ax = plot_sweep_heatmap(made())

    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written[0, 0] == "30 %"  # threshold 0.3, 200 ms: 6 of 20
    assert written[0, 2] == "50 %"  # 0.7, 200 ms: 10 of 20
    assert written[3, 0] == "0 %"
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["0.3", "0.5", "0.7"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["200", "300", "500", "700"]


def test_marks_are_framed() -> None:
    ax = plot_sweep_heatmap(made())

    frames = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert legend(ax) == ["server default", "in use", "default"]
    centres = {
        str(one.get_label()): (
            round(one.get_x() + one.get_width() / 2),
            round(one.get_y() + one.get_height() / 2),
        )
        for one in frames
    }
    assert centres == {"server default": (0, 1), "in use": (2, 1), "default": (2, 1)}


@pytest.mark.parametrize(
    ("value", "cell"), [("turns", "26"), ("endpoint_wait_p50_ms", "224"), ("hour_usd", "0.50")]
)
def test_other_figures(value: str, cell: str) -> None:
    assert texts(plot_sweep_heatmap(made(), value)).count(cell) >= 1


@pytest.mark.parametrize("value", ["engine", "note", "nothing", ""])
def test_what_is_no_figure_is_refused_with_those_there_are(value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"value is '{value}'; choose from .*split_share"):
        plot_sweep_heatmap(made(), value)


def test_one_engine_and_padding_at_a_time() -> None:
    both = pd.concat([made(), made(engine="energy", prefix_padding_ms=0, split_share=1.0)])

    assert "engine silero" in said(plot_sweep_heatmap(both))
    shown = plot_sweep_heatmap(both, engine="energy")
    assert texts(shown).count("100 %") == 12
    with pytest.raises(
        ConfigurationError, match=r"engine is 'x', and the table has silero, energy"
    ):
        plot_sweep_heatmap(both, engine="x")
    with pytest.raises(ConfigurationError, match=r"prefix_padding_ms is 5, and the table has 300"):
        plot_sweep_heatmap(both, engine="silero", prefix_padding_ms=5)


def test_what_is_not_known_is_said_instead_of_drawn() -> None:
    unknown = made(split_share=math.nan, labelled_turns=None, note="no labels tell")

    assert "no labels tell" in said(plot_sweep_heatmap(unknown))
    assert "no labels tell" in said(plot_sweep_tradeoff(unknown))


def test_the_front_holds_what_nothing_betters() -> None:
    waits = np.array([200.0, 200.0, 300.0, 300.0, 400.0, 500.0])
    splits = np.array([0.5, 0.4, 0.4, 0.2, 0.3, 0.0])

    assert pareto_front(waits, splits) == [1, 3, 5]


def test_the_front_by_every_pair() -> None:
    points = np.random.default_rng(3).integers(0, 12, (60, 2)).astype(float)
    front = pareto_front(points[:, 0], points[:, 1])

    better = {
        i
        for i, one in enumerate(points)
        if any((other <= one).all() and (other < one).any() for other in points)
    }
    kept = {tuple(points[i]) for i in range(len(points)) if i not in better}
    assert {tuple(points[i]) for i in front} == kept
    assert len(front) == len(kept)


def test_the_trade_off_names_front_and_marks() -> None:
    ax = plot_sweep_tradeoff(made())

    assert legend(ax) == ["a setting", "Pareto front", "in use", "default", "server default"]
    assert "0.3 · 500 ms" in texts(ax)
    assert "Of 20 labelled turns." in said(ax)


def crowd(seed: int, thresholds: int, silences: int) -> pd.DataFrame:
    """Settings near each other, of which one is in use and the default."""
    rng = np.random.default_rng(seed)
    rows = []
    for threshold in np.linspace(0.05, 0.95, thresholds).round(2):
        for silence in np.linspace(100, 1_200, silences).round():
            share = float(np.clip(1.2 * np.exp(-silence / 350) + rng.normal(0, 0.03), 0, 1))
            rows.append(
                {
                    **{"engine": "silero", "threshold": threshold, "note": ""},
                    **{"silence_duration_ms": silence, "prefix_padding_ms": 300, "turns": 20},
                    **{"labelled_turns": 80, "split_share": share, "waits": 20},
                    "split_low_share": max(0.0, share - 0.08),
                    "split_high_share": min(1.0, share + 0.08),
                    "endpoint_wait_p50_ms": silence + 40 - 30 * threshold,
                }
            )
    rows[len(rows) // 2] |= {"mark": "in use, default"}
    rows[silences // 5] |= {"mark": "server default"}
    return frame("sweep", rows)


CROWDS: dict[str, Callable[[], pd.DataFrame]] = {
    "few": made,
    "one": lambda: made()[6:7],
    "many": lambda: crowd(1, 9, 12),
    "very many": lambda: crowd(2, 10, 40),
}


@pytest.mark.parametrize("width_in", [4.5, 10.0])
@pytest.mark.parametrize("name", CROWDS)
def test_names_of_settings_cover_nothing(name: str, width_in: float) -> None:
    table = CROWDS[name]()
    with plt.rc_context({"figure.figsize": (width_in, 3)}):
        ax = plot_sweep_tradeoff(table)
    ax.figure.canvas.draw()

    pixel_per_pt = ax.figure.dpi / 72
    names = {text for text in texts(ax) if "·" in text and "Named" not in text}
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text() in names]
    assert boxes
    assert len(boxes) == len(names)
    for row in records(table):
        held = (row["mark"] or "").split(", ")
        marks = [size for mark, size in SIZES_PT2.items() if mark in held]
        radius = pixel_per_pt * math.sqrt(max([22, *marks])) / 2
        x, y = ax.transData.transform((row["endpoint_wait_p50_ms"], row["split_share"]))
        for box in boxes:
            aside = math.hypot(
                max(box.x0 - x, 0, x - box.x1),
                max(box.y0 - y, 0, y - box.y1),
            )
            assert aside >= radius, row
    for one, other in itertools.combinations(boxes, 2):
        assert one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
    inside = ax.get_window_extent()
    for box in boxes:
        assert box.x0 >= inside.x0
        assert box.x1 <= inside.x1


SIZES_PT2 = {"in use": 230, "default": 110, "server default": 50}
"""Of the marks, as areas of their squares."""


def test_what_is_in_use_has_its_name_first() -> None:
    assert "0.5 · 500 ms" in texts(plot_sweep_tradeoff(made()))


def test_an_interval_is_shown_whole() -> None:
    ax = plot_sweep_tradeoff(made())
    assert ax.get_ylim()[1] > 0.65  # of 50 % split, the interval's upper end in the table
    assert "95 % intervals" in said(ax)


def test_marks_in_the_legend_do_not_cover_its_words() -> None:
    ax = plot_sweep_tradeoff(made())
    ax.figure.canvas.draw()
    held = ax.get_legend()
    assert held is not None
    for handle, text in zip(held.legend_handles, held.get_texts(), strict=True):
        if text.get_text() in SIZES_PT2:
            assert handle is not None
            room_px = text.get_window_extent().x0 - handle.get_window_extent().x1
            width_pt = handle.get_markersize()  # type: ignore[attr-defined]
            handle_px = handle.get_window_extent().width
            assert room_px >= (width_pt * ax.figure.dpi / 72 - handle_px) / 2


@pytest.mark.parametrize("width_in", [4.5, 10.0])
def test_figures_of_a_large_grid_have_room_in_their_cells(width_in: float) -> None:
    with plt.rc_context({"figure.figsize": (width_in, 3)}):
        ax = plot_sweep_heatmap(crowd(1, 9, 20))
    ax.figure.canvas.draw()
    cell_px = ax.get_window_extent().width / 20
    figures = [text for text in ax.texts if text.get_text().endswith(" %")]
    assert all(text.get_window_extent().width < cell_px for text in figures)
    assert len(figures) in (0, 180)
    # Without them, it is told what the shades mean.
    assert ("(darkest)" in said(ax)) == (not figures)
    assert bool(figures) == (width_in == 10)
    columns = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
    assert len(columns) >= 4
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(columns))


def test_letters_stand_out_from_their_cells() -> None:
    ax = plot_sweep_heatmap(crowd(1, 9, 12), ax=plt.subplots(figsize=(10, 5))[1])
    image = ax.get_images()[0]
    for text in ax.texts:
        if text.get_text().endswith(" %"):
            column, row = (round(at) for at in text.get_position())
            cells = image.get_array()
            assert cells is not None
            shade = image.cmap(image.norm(cells[row, column]))[:3]
            linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shade]
            light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
            ratio = (light + 0.05) / 0.05 if text.get_color() == "black" else 1.05 / (light + 0.05)
            assert ratio >= 4.5, (text.get_text(), shade)


def test_settings_without_a_wait_are_counted() -> None:
    table = made()
    table.loc[3, "endpoint_wait_p50_ms"] = math.nan

    assert "Left out: 1 of 12 settings" in said(plot_sweep_tradeoff(table))


def test_a_large_grid_has_no_figures_in_its_cells() -> None:
    rows = [
        {
            **{"engine": "silero", "threshold": i / 20, "silence_duration_ms": 100 * j},
            **{"prefix_padding_ms": 300, "turns": i, "note": ""},
        }
        for i in range(20)
        for j in range(20)
    ]

    assert len(plot_sweep_heatmap(frame("sweep", rows), "turns").texts) == 1  # the caption


def test_axes_that_are_given_are_used() -> None:
    _, axes = plt.subplots(1, 2, figsize=(14, 4))

    assert plot_sweep_heatmap(made(), ax=axes[0]) is axes[0]
    assert plot_sweep_tradeoff(made(), axes[1]) is axes[1]


@pytest.mark.parametrize("page", pictures.STYLES)
def test_pictures(page: str, tmp_path: Path) -> None:
    pictures.check(lambda ax: plot_sweep_heatmap(made(), ax=ax), "sweep_heatmap", page, tmp_path)
    pictures.check(lambda ax: plot_sweep_tradeoff(made(), ax), "sweep_tradeoff", page, tmp_path)
