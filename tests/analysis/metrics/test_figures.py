from __future__ import annotations

import math

import pytest

from realtime_nb.analysis.metrics import figures
from realtime_nb.analysis.metrics.figures import Figure
from tests.made_recording import MadeRecording

ONE_UNKNOWN = [3.0, math.nan, 1.0, 2.0]


def test_what_is_unknown_is_in_no_figure() -> None:
    assert figures.known(ONE_UNKNOWN) == [3.0, 1.0, 2.0]
    for figure, value in (
        (figures.spread(ONE_UNKNOWN, "ms", "server", "none"), 2.0),
        (figures.total(ONE_UNKNOWN, "ms", "server"), 6.0),
        (figures.largest(ONE_UNKNOWN, "ms", "server", "none"), 3.0),
    ):
        assert (figure.value, len(figure.values), figure.reason) == (value, 3, None)


def test_of_nothing_there_is_a_sum_and_a_count_but_no_median_and_no_share() -> None:
    assert figures.total([], "ms", "server").value == figures.count(0, "server").value == 0
    for figure in (
        figures.spread([math.nan], "ms", "server", "why"),
        figures.largest([], "ms", "server", "why"),
        figures.share(0, 0, "server", "why"),
        figures.unless("why", figures.count(1, "server")),
        *figures.all_unknown({"a": "ms"}, "why").values(),
    ):
        assert math.isnan(figure.value) and figure.reason == "why"
    assert figures.unless(None, figures.share(1, 4, "server", "why")).value == 0.25


def test_a_row_has_the_quantiles_of_the_values() -> None:
    row = figures.spread([0.0, 100.0], "ms", "server", "none").row()
    assert [row[name] for name in ("p50", "p90", "p95", "min", "max")] == pytest.approx(
        [50, 90, 95, 0, 100]
    )
    assert (row["n"], row["unit"], row["source"]) == (2, "ms", "server")
    assert Figure(math.nan, "ms", source="server").row()["source"] is None


def test_the_first_gap_that_there_is_says_why() -> None:
    rec = MadeRecording()
    assert figures.gap(rec, "times", "input") is None
    rec.conversation.gaps["input"] = "lost"
    assert figures.gap(rec, "times", "input") == "lost"
