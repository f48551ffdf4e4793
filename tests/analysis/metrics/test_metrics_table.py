"""The table of metrics as it is read."""

from __future__ import annotations

import pickle
import re

import pandas as pd
import pytest

import realtime_nb as rt
from realtime_nb.analysis.metrics.definitions import DEFINITIONS
from tests.paths import DATA


@pytest.fixture(scope="module")
def metrics() -> pd.DataFrame:
    return rt.load(DATA / "written_before").metrics()


def test_it_is_a_table_as_any(metrics: pd.DataFrame) -> None:
    assert isinstance(metrics, pd.DataFrame) and list(metrics.index) == list(DEFINITIONS)
    assert metrics.loc["interruptions", "value"] == metrics.value["interruptions"] == 1
    assert pickle.loads(pickle.dumps(metrics)).equals(metrics)
    assert metrics.attrs["columns"]["value"]["missing"].endswith("(see reason)")
    assert len(pd.concat([metrics, metrics])) == 2 * len(metrics)


def test_groups_with_what_is_unknown_under_its_reasons(metrics: pd.DataFrame) -> None:
    lines = repr(metrics).splitlines()

    assert lines[0] == "Latency"
    assert re.match(
        r"  latency_ms +384 ms  n 2  p90 398 ms  p95 399 ms  \[offline_vad, sim", lines[1]
    )
    assert "  not known (no microphone reported what it lost): input_lost_ms" in lines
    heads = [line for line in lines if not line.startswith(" ")]
    assert heads == list(dict.fromkeys(metric.group for metric in DEFINITIONS.values()))
    named = re.findall(r"\w+", " ".join(lines))
    assert [name for name in metrics.index if name not in named] == []


def test_a_page_folds_what_is_unknown(metrics: pd.DataFrame) -> None:
    page = metrics._repr_html_()  # type: ignore[operator]

    assert page.count("<details>") == sum(
        metrics.value[[name for name, one in DEFINITIONS.items() if one.group == group]]
        .isna()
        .any()
        for group in {one.group for one in DEFINITIONS.values()}
    )
    assert "<summary" in page and "turn_usd, minute_usd, talk_minute_usd" in page
    assert 'title="Voice to voice' in page


def test_reasons_are_escaped(metrics: pd.DataFrame) -> None:
    metrics = metrics.copy()
    metrics.loc["snr_db", "reason"] = "<script>"

    assert "<script>" not in metrics._repr_html_()  # type: ignore[operator]


def test_rows_are_shown_alike_and_other_columns_as_any_table(metrics: pd.DataFrame) -> None:
    assert repr(metrics[metrics.unit == "share"]).splitlines()[0] == "Interruptions"
    assert "384.0265" in repr(metrics[["value"]])
    assert "<table" in metrics[["value"]]._repr_html_()  # type: ignore[operator]
    assert repr(metrics.head(0)).startswith("Empty")
