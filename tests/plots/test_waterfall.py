from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from realtime_nb.analysis.stages import STAGE_PARTS
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.plots import plot_stages, plot_waterfall, style
from tests.plots import pictures, sessions


def parts(ax: Axes) -> dict[str, list[tuple[float, float, float]]]:
    """By name: (from, to, row) of each rectangle."""
    return {
        str(part.get_label()): [
            (box.x0, box.x1, (box.y0 + box.y1) / 2)
            for box in (path.get_extents() for path in part.get_paths())
        ]
        for part in ax.collections
        if isinstance(part, PolyCollection)
    }


def legend(ax: Axes) -> list[str]:
    drawn = ax.get_legend()
    return [] if drawn is None else [text.get_text() for text in drawn.get_texts()]


def test_the_parts_of_a_turn_follow_each_other_up_to_its_latency() -> None:
    table = sessions.latency(6)

    drawn = parts(plot_waterfall(table))

    assert list(drawn) == [part.removesuffix("_ms").replace("_", " ") for part in LATENCY_PARTS]
    for row in (0, 1, 3, 4, 5):
        edges = [edge for spans in drawn.values() for *edge, place in spans if place == row]
        assert edges[0][0] == pytest.approx(0.0)
        assert [left for left, _ in edges[1:]] == pytest.approx([right for _, right in edges[:-1]])
        assert edges[-1][1] == pytest.approx(table["latency_ms"][row])


def test_a_turn_says_its_total_and_what_was_special() -> None:
    ax = plot_waterfall(sessions.latency(20))
    texts = [text.get_text() for text in ax.texts]

    assert texts[0] == "1,555 ms"
    assert texts[2] == "typed"
    assert texts[3].endswith(" ms, with calls")
    assert texts[4].endswith(" ms, interrupted")
    assert texts[19].endswith(" ms, with calls, interrupted")
    assert ax.texts[2].get_fontstyle() == "italic"
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [str(n) for n in range(1, 21)]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first turn is the uppermost


def test_texts_stay_inside_the_axes() -> None:
    table = sessions.latency(20)
    table.loc[19, "latency_ms"] = 9_000.0
    ax = plot_waterfall(table)
    ax.figure.canvas.draw()

    right = ax.get_window_extent().x1
    assert max(text.get_window_extent().x1 for text in ax.texts) <= right


def test_many_turns_are_thin_and_marked() -> None:
    ax = plot_waterfall(sessions.latency(300))
    ax.figure.canvas.draw()

    assert ax.figure.get_figheight() < 8  # type: ignore[union-attr]
    assert legend(ax)[-2:] == ["with calls", "interrupted"]
    numbers = [int(tick.get_text()) for tick in ax.get_yticklabels()]
    assert numbers == list(range(10, 301, 10))
    (caption,) = [text.get_text() for text in ax.texts]
    missing = sessions.latency(300)["latency_note"].value_counts()
    typed, silent = missing["typed"], missing["no spoken answer"]
    expected = f"of {typed + silent} turns: {typed} typed; {silent} no spoken answer."
    assert expected in caption.replace("\n", " ")


def test_given_low_axes_it_does_without_words() -> None:
    _, ax = plt.subplots(figsize=(4, 1))
    plot_waterfall(sessions.latency(20), ax)
    assert "with calls" in legend(ax)


def test_a_latency_without_parts_is_one_bar() -> None:
    table = sessions.latency(2)
    table.loc[1, LATENCY_PARTS[1]] = np.nan

    ax = plot_waterfall(table)

    (bar,) = parts(ax)["not split"]
    assert bar == pytest.approx((0.0, table["latency_ms"][1], 1.0))
    assert legend(ax)[-1] == "not split"


@pytest.mark.parametrize("simulated", [True, False])
def test_the_local_servers_latencies_are_said_to_be_its_own(simulated: bool) -> None:
    ax = plot_waterfall(sessions.latency(3), simulated=simulated)
    assert (style.SIMULATED in [text.get_text() for text in ax.texts]) == simulated


def test_no_turns_at_all() -> None:
    ax = plot_waterfall(sessions.latency(0))
    ax.figure.canvas.draw()
    assert [text.get_text() for text in ax.texts] == ["no turns"]
    assert (legend(ax), list(ax.get_xticks()), ax.get_xlabel()) == ([], [], "")


def test_turns_without_any_latency_have_no_axis() -> None:
    table = sessions.latency(3)
    table[["latency_ms", *LATENCY_PARTS]] = np.nan
    table["latency_note"] = "semantic_vad does not tell when speech ended"
    table["had_calls"] = table["interrupted"] = False
    _, ax = plt.subplots(figsize=(3.5, 2))

    plot_waterfall(table, ax)
    ax.figure.canvas.draw()

    assert (legend(ax), list(ax.get_xticks()), ax.get_xlabel()) == ([], [], "")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["1", "2", "3"]
    *rows, told = [" ".join(text.get_text().split()) for text in ax.texts][::-1]
    assert {text[:20] for text in rows} == {"semantic_vad does no"}
    # What has no room in its row is told under all of them.
    assert told == "No latency of 3 turns: 3 semantic_vad does not tell when speech ended."
    right = ax.get_window_extent().x1
    assert max(text.get_window_extent().x1 for text in ax.texts) <= right


@pytest.mark.parametrize("page", pictures.STYLES)
@pytest.mark.parametrize("count", [8, 100])
def test_it_looks_as_it_did(count: int, page: str, tmp_path: Path) -> None:
    table = sessions.latency(count)
    pictures.check(lambda ax: plot_waterfall(table, ax), f"waterfall_{count}", page, tmp_path)


@pytest.mark.parametrize("part", LATENCY_PARTS)
def test_a_missing_part_is_noticed(part: str, tmp_path: Path) -> None:
    table = sessions.latency(8)
    table[part] = 0.0
    rms = pictures.difference(
        lambda ax: plot_waterfall(table, ax), "waterfall_8", "light", tmp_path
    )
    assert rms > pictures.TOLERANCE


def test_stages_follow_each_other_up_to_the_latency_too() -> None:
    latency = sessions.latency(6)
    stages = latency[["turn", "latency_ms"]].copy()
    for part in STAGE_PARTS:
        stages[part] = stages.latency_ms / len(STAGE_PARTS)
    stages.loc[1, "stt_wait_ms"] = np.nan  # the server did not tell

    drawn = parts(plot_stages(stages.drop(index=4), latency))

    assert list(drawn)[:-1] == [part.removesuffix("_ms").replace("_", " ") for part in STAGE_PARTS]
    assert list(drawn)[-1] == "not split"
    ends_ms = [end for _, end, row in drawn["transport"] if row == 0]
    assert ends_ms == [pytest.approx(latency.latency_ms[0])]
    assert [row for *_, row in drawn["not split"]] == [1]
    assert len(drawn["vad"]) <= 5 - 1  # a turn that was not answered has no bar
