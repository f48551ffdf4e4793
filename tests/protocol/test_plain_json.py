"""JSON of whatever a program holds."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol.plain_json import json_text


def strict(text: str) -> Any:
    """What JSON says; NaN and Infinity, which Python's parser takes, are none."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    assert "\n" not in text
    text.encode("utf-8")
    return json.loads(text, parse_constant=refuse)


class Colour(Enum):
    RED = "red"


@dataclass
class Figure:
    value: float
    where: Path


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (math.nan, None),
        (-math.inf, None),
        (np.float64("nan"), None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (pd.NA, None),
        (pd.NaT, None),
        (pd.Timestamp("2026-11-24T10:00"), "2026-11-24T10:00:00"),
        (datetime(2026, 11, 24, tzinfo=UTC), "2026-11-24T00:00:00+00:00"),
        (date(2026, 11, 24), "2026-11-24"),
        (PurePosixPath("/a/b"), "/a/b"),
        (Colour.RED, "red"),
        (Figure(math.inf, PurePosixPath("x")), {"value": None, "where": "x"}),  # type: ignore[arg-type]
        (np.array([1.0, math.nan]), [1.0, None]),
        (pd.Series([1, None], dtype="Int64"), {"0": 1, "1": None}),
        (
            pd.DataFrame({"a": pd.array(["x", None], "string"), "b": [1.5, math.nan]}),
            [{"a": "x", "b": 1.5}, {"a": None, "b": None}],
        ),
        (
            {1: math.nan, PurePosixPath("k"): (1, 2), None: {3}},
            {"1": None, "k": [1, 2], "None": [3]},
        ),
        (b"ab", "b'ab'"),
        ("\ud800", "\ud800"),
        ("ä\n", "ä\n"),
        ({"deep": [{"er": [math.nan]}]}, {"deep": [{"er": [None]}]}),
    ],
)
def test_what_json_lacks(value: object, told: object) -> None:
    assert strict(json_text(value)) == told


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=20,
)


@given(anything)
def test_it_is_always_strict_json(value: object) -> None:
    strict(json_text(value))
