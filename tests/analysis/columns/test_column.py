"""One column: its unit by its name, and cells of whatever servers send."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.columns.column import Column, Kind, unit_of

ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
) | st.lists(st.integers())


def column(kind: Kind) -> Column:
    return Column("x", kind, "It.", "somebody")


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("latency_ms", "ms"),
        ("t_s", "s"),
        ("input_tokens", "tokens"),
        ("usd", "usd"),
        ("least_usd", "usd"),
        ("cached_share", "share"),
        ("talk_ratio", "share"),
        ("noise_floor_dbfs", "dBFS"),
        ("snr_db", "dB"),
        ("speech_rate_wpm", "words/min"),
        ("errors", ""),
        ("terms", ""),
    ],
)
def test_the_unit_is_in_the_name(name: str, unit: str) -> None:
    assert unit_of(name) == unit


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("count", 3, 3),
        ("count", 3.0, 3),
        ("count", np.int64(3), 3),
        ("count", "3", 3),
        ("count", 2**53 + 1, 2**53 + 1),
        ("count", 3.5, None),
        ("count", math.nan, None),
        ("count", math.inf, None),
        ("count", 2**63, None),
        ("count", "many", None),
        ("count", pd.NA, None),
        ("number", None, None),
        ("number", "0.5", 0.5),
        ("number", {}, None),
        ("number", 10**400, None),
        ("text", "ä", "ä"),
        ("text", "", ""),
        ("text", "a\ud800b", "a\ufffdb"),
        ("text", None, None),
        ("text", math.nan, None),
        ("text", 5, "5"),
        ("text", {"a": [1]}, '{"a": [1]}'),
        ("flag", 1, True),
        ("flag", None, False),
    ],
)
def test_cells(kind: Kind, value: object, cell: object) -> None:
    (found,) = column(kind).cells([value])

    assert pd.isna(found) if cell is None else (found == cell)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("count", "Int64"), ("number", "float64"), ("text", "string"), ("object", "object")],
)
@given(values=st.lists(ANYTHING))
def test_whatever_comes_has_the_type_of_its_column(
    kind: Kind, dtype: str, values: list[Any]
) -> None:
    cells = column(kind).cells(values)

    assert len(cells) == len(values)
    assert str(pd.Series(cells).dtype) == dtype == column(kind).dtype
    if kind == "text":
        "".join(pd.Series(cells).dropna()).encode("utf-8")


def test_what_is_told_names_the_notes() -> None:
    one = Column("run_ms", "number", "It ran.", "client", "it was not run", ("run_note", "note"))

    assert one.told() == {
        "meaning": "It ran.",
        "unit": "ms",
        "source": "client",
        "missing": "it was not run (see run_note, note)",
    }
