from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from realtime_nb.plots import plot_cost, plot_usage
from tests.plots import pictures, sessions


def heights(ax: Axes) -> dict[str, list[float]]:
    return {
        str(part.get_label()): [
            float(box.height) for box in (path.get_extents() for path in part.get_paths())
        ]
        for part in ax.collections
        if isinstance(part, PolyCollection)
    }


def tops(ax: Axes) -> list[float]:
    """Where the topmost bar of each place ends."""
    boxes = [path.get_extents() for part in ax.collections for path in part.get_paths()]
    places = sorted({round((box.x0 + box.x1) / 2, 3) for box in boxes})
    return [
        max(box.y1 for box in boxes if round((box.x0 + box.x1) / 2, 3) == place) for place in places
    ]


def texts(ax: Axes) -> str:
    return " ".join(text.get_text() for text in ax.texts).replace("\n", " ")


# --- usage ----------------------------------------------------------------------------------------


def test_cached_tokens_are_a_part_of_the_input() -> None:
    table = sessions.usage(4)

    ax = plot_usage(table)

    drawn = heights(ax)
    assert list(drawn) == [
        "cached text",
        "cached audio",
        "text in",
        "audio in",
        "text out",
        "audio out",
    ]
    for kind in ("text", "audio"):
        assert drawn[f"cached {kind}"] == pytest.approx(table[f"cached_{kind}_tokens"].tolist())
        together = np.add(drawn[f"cached {kind}"], drawn[f"{kind} in"])
        assert together == pytest.approx(table[f"input_{kind}_tokens"].to_numpy())
    assert tops(ax) == pytest.approx(table["total_tokens"].tolist())


def test_the_context_is_a_line_and_a_sentence() -> None:
    ax = plot_usage(sessions.usage(5))
    assert "240 tokens in the first response, 668 in the last; +107 per response" in texts(ax)
    drawn = ax.get_legend()
    assert drawn is not None
    assert "context (all input)" in [text.get_text() for text in drawn.get_texts()]


def test_what_the_server_does_not_split_is_drawn_as_such() -> None:
    table = sessions.usage(3)
    for column in table.columns[table.columns.str.contains("_text_|_audio_")]:
        table.loc[2, column] = np.nan
    for column in ("cached_text_tokens", "cached_audio_tokens"):
        table.loc[1, column] = np.nan

    ax = plot_usage(table)

    drawn = heights(ax)
    assert drawn["other input"] == [0.0, *table["input_tokens"].tolist()[1:]]
    assert drawn["other output"] == [0.0, 0.0, table["output_tokens"][2]]
    assert tops(ax) == pytest.approx(table["total_tokens"].tolist())


def test_responses_without_usage_are_counted_apart() -> None:
    table = sessions.usage(4)
    for column in table.columns[table.columns.str.contains("tokens")]:
        table.loc[2, column] = np.nan

    ax = plot_usage(table)

    assert len(tops(ax)) == 3
    assert "Of 1 response the server told no usage." in texts(ax)
    plot_usage(sessions.usage(0)).figure.canvas.draw()


def test_a_thousand_responses_are_a_few_artists() -> None:
    ax = plot_usage(sessions.usage(1_000))
    ax.figure.canvas.draw()
    assert len(ax.collections) + len(ax.patches) < 10


@pytest.mark.parametrize("page", pictures.STYLES)
def test_usage_looks_as_it_did(page: str, tmp_path: Path) -> None:
    table = sessions.usage(10)
    pictures.check(lambda ax: plot_usage(table, ax), "usage", page, tmp_path)


@pytest.mark.parametrize("part", ["cached_audio_tokens", "output_text_tokens", "input_text_tokens"])
def test_a_missing_part_of_usage_is_noticed(part: str, tmp_path: Path) -> None:
    table = sessions.usage(10)
    table[part] = 0.0
    rms = pictures.difference(lambda ax: plot_usage(table, ax), "usage", "light", tmp_path)
    assert rms > pictures.TOLERANCE


# --- cost -----------------------------------------------------------------------------------------


def test_what_turns_cost_adds_up() -> None:
    table = sessions.costs(4)

    ax = plot_cost(table)

    assert heights(ax)["transcriptions"] == pytest.approx([0.0009] * 4)
    assert tops(ax) == pytest.approx(table.groupby("turn")["usd"].sum().tolist())
    (right,) = [other for other in ax.figure.axes if other is not ax]
    steps = np.asarray(right.lines[0].get_ydata())
    assert steps[-1] == pytest.approx(table["usd"].sum())
    assert right.texts[0].get_text() == "$0.0256 in all"


def test_what_has_no_price_is_named() -> None:
    table = sessions.costs(4)
    table.loc[table["turn"] > 2, "usd"] = np.nan
    table.loc[table["turn"] > 2, "model"] = "my-model"
    table["reason"] = table["usd"].isna().map({True: "not in the table", False: None})

    ax = plot_cost(table)

    assert texts(ax) == (
        "Not counted, without a price for my-model: "
        "2 responses, 2 transcriptions (not in the table)."
    )
    assert len(tops(ax)) == 2


def test_without_any_price() -> None:
    ax = plot_cost(sessions.costs(3).assign(usd=np.nan).drop(columns="model"))
    ax.figure.canvas.draw()
    assert texts(ax) == (
        'No price is known for an unknown model. Pass model="gpt-realtime" to price it as that '
        "model, or your own table as prices={…}."
    )
    assert ax.figure.axes == [ax]
    assert (list(ax.get_xticks()), list(ax.get_yticks())) == ([], [])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("", "")
    long = plot_cost(sessions.costs(3).assign(usd=np.nan, reason="for want of a price " * 20))
    long.figure.canvas.draw()
    assert long.texts[0].get_window_extent().width < long.get_window_extent().width * 1.1
    plot_cost(sessions.costs(0)).figure.canvas.draw()


def test_only_bars_that_are_there_have_a_number() -> None:
    for ax in (plot_usage(sessions.usage(2)), plot_cost(sessions.costs(2))):
        ax.figure.canvas.draw()
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2"]
    many = plot_usage(sessions.usage(40))
    assert [int(tick.get_text()) for tick in many.get_xticklabels()] == list(range(2, 41, 2))


def test_a_context_that_stays_as_it_is_does_not_grow() -> None:
    table = sessions.usage(3)
    table["input_tokens"] = [300.0, 300.0, 299.5]
    assert "300 in the last; no growth on average." in texts(plot_usage(table))


def test_as_what_it_is_priced_is_said() -> None:
    table = sessions.costs(2)
    table.attrs["assumption"] = "priced as if by gpt-realtime; the session ran on the local server"
    assert "Priced as if by gpt-realtime; the session ran on the local server." in texts(
        plot_cost(table)
    )


def test_what_belongs_to_no_turn_is_counted_too() -> None:
    greeting = pd.DataFrame([{"turn": np.nan, "kind": "response", "usd": 0.5, "model": "m"}])
    ax = plot_cost(pd.concat([greeting, sessions.costs(2)]))
    assert heights(ax)["responses"][0] == pytest.approx(0.5)
    assert len(tops(ax)) == 3
    assert min(ax.get_xlim()) < 0


@pytest.mark.parametrize("page", pictures.STYLES)
def test_cost_looks_as_it_did(page: str, tmp_path: Path) -> None:
    pictures.check(lambda ax: plot_cost(sessions.costs(12), ax), "cost", page, tmp_path)


def test_a_missing_part_of_cost_is_noticed(tmp_path: Path) -> None:
    table = sessions.costs(12)
    table = table[table["kind"] == "response"]
    rms = pictures.difference(lambda ax: plot_cost(table, ax), "cost", "light", tmp_path)
    assert rms > pictures.TOLERANCE
