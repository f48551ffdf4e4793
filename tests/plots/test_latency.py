from __future__ import annotations

from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from realtime_nb.plots import plot_latency, style
from realtime_nb.plots.latency import FEWEST_OF_A_DISTRIBUTION
from tests.plots import pictures, sessions


def points(ax: Axes) -> list[list[float]]:
    """The latencies of the points of each group."""
    groups = [np.asarray(part.get_offsets()) for part in ax.collections]
    return [sorted(group[:, 0]) for group in groups if len(group) and group.any()]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def rows(ax: Axes) -> list[str]:
    return [tick.get_text() for tick in ax.get_yticklabels()]


def plain(values_ms: list[float]) -> pd.DataFrame:
    table = sessions.latency(len(values_ms))
    table["latency_ms"] = values_ms
    return table.assign(had_calls=False, interrupted=False, latency_note=None)


def test_of_few_turns_every_one_is_a_point() -> None:
    table = sessions.latency(12)
    known = table[table["latency_ms"].notna()]

    ax = plot_latency(table)

    with_calls, without = points(ax)
    assert with_calls == pytest.approx(sorted(known[known["had_calls"]]["latency_ms"]))
    assert without == pytest.approx(sorted(known[~known["had_calls"]]["latency_ms"]))
    assert rows(ax) == ["with calls\nn = 3", "without calls\nn = 6"]
    assert "median 2,305 ms" in texts(ax)
    assert "turn 12" in texts(ax)


def test_equal_latencies_stay_apart_and_where_they_are() -> None:
    heights, again = [
        np.asarray(plot_latency(plain([800.0] * 19)).collections[0].get_offsets())[:, 1]
        for _ in range(2)
    ]
    np.testing.assert_array_equal(heights, again)
    assert np.diff(np.sort(heights)).min() > 0.01
    assert 0 < heights.min() < heights.max() < 0.78


def test_interrupted_turns_are_hollow() -> None:
    ax = plot_latency(plain([500.0, 700.0]).assign(interrupted=[True, False]))
    faces = ax.collections[0].get_facecolor()
    assert [face[3] for face in np.asarray(faces)] == [0, 1]  # the page shines through
    drawn = ax.get_legend()
    assert drawn is not None
    assert [text.get_text() for text in drawn.get_texts()] == ["interrupted"]


def test_of_many_turns_it_is_the_distribution() -> None:
    values_ms = [100.0 * n for n in range(1, FEWEST_OF_A_DISTRIBUTION + 1)]
    ax = plot_latency(plain(values_ms))

    assert points(ax) == []
    assert texts(ax) == ["p50 1,050 ms", "p90 1,810 ms", "p95 1,905 ms"]
    steps = np.asarray(ax.lines[0].get_xydata())
    assert steps[:, 0] == pytest.approx([100.0, *values_ms])
    assert steps[-1, 1] == pytest.approx(0.78)
    below = FEWEST_OF_A_DISTRIBUTION - 1
    assert points(plot_latency(plain(values_ms[:below]))) == [pytest.approx(values_ms[:below])]


def test_a_low_row_names_what_it_has_room_for() -> None:
    _, ax = plt.subplots(figsize=(3.5, 2.4), layout="constrained")
    plot_latency(sessions.latency(90), ax, simulated=True)
    ax.figure.canvas.draw()

    named = [text for text in ax.texts if text.get_text().startswith(("p", "median"))]
    assert [text.get_text()[:3] for text in named] == ["med", "p50", "p90"]
    boxes = [text.get_window_extent() for text in named]
    for box, other in combinations(boxes, 2):
        common = Bbox.intersection(box, other)
        assert common is None or min(common.width, common.height) < 2


def test_percentiles_never_mix_turns_with_and_without_calls() -> None:
    table = plain([500.0] * 30 + [3_000.0] * 30).assign(had_calls=[False] * 30 + [True] * 30)
    ax = plot_latency(table)
    assert sorted(texts(ax)) == sorted(
        f"p{p} {value} ms" for p in (50, 90, 95) for value in ("500", "3,000")
    )


def test_what_is_not_counted_is_said() -> None:
    ax = plot_latency(sessions.latency(12), simulated=True)
    said = texts(ax)[0].replace("\n", " ")
    assert said == (f"{style.SIMULATED} Not counted: 3 turns: typed (2), no spoken answer (1).")


def test_without_any_latency() -> None:
    table = plain([float("nan")] * 3).assign(latency_note="typed")
    ax = plot_latency(table)
    ax.figure.canvas.draw()
    assert "no turn has a latency" in texts(ax)
    assert (list(ax.get_xticks()), ax.get_xlabel()) == ([], "")
    plot_latency(sessions.latency(0)).figure.canvas.draw()


@pytest.mark.parametrize("page", pictures.STYLES)
@pytest.mark.parametrize("count", [12, 60])
def test_it_looks_as_it_did(count: int, page: str, tmp_path: Path) -> None:
    table = sessions.latency(count)
    pictures.check(lambda ax: plot_latency(table, ax), f"latency_{count}", page, tmp_path)


@pytest.mark.parametrize("count", [12, 60])
@pytest.mark.parametrize("had_calls", [True, False])
def test_a_missing_part_is_noticed(had_calls: bool, count: int, tmp_path: Path) -> None:
    table = sessions.latency(count)
    table = table[table["had_calls"] == had_calls]
    rms = pictures.difference(
        lambda ax: plot_latency(table, ax), f"latency_{count}", "light", tmp_path
    )
    assert rms > pictures.TOLERANCE
