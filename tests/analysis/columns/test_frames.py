"""Tables as pandas users handle them: what they tell of themselves, and copies that are copies."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from realtime_nb.analysis.columns.definitions import TABLES
from realtime_nb.analysis.columns.frames import copied, frame, of_recording, records, table_rows

ROWS: list[dict[str, Any]] = [
    {"turn": 1, "user_text": "a", "calls": ["book"], "agent_items": [], "response_ids": ["r"]},
    {"turn": 2, "latency_ms": 3.5, "calls": [], "agent_items": [], "response_ids": []},
]


@pytest.fixture
def turns() -> pd.DataFrame:
    return frame("turns", ROWS)


def told(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = table.attrs["columns"]
    return found


def test_a_table_tells_what_each_column_is(turns: pd.DataFrame) -> None:
    assert list(told(turns)) == list(turns.columns)
    assert told(turns)["latency_ms"]["unit"] == "ms"
    assert told(turns)["latency_ms"]["meaning"].startswith("Voice to voice: ")
    assert told(turns)["latency_ms"]["missing"].endswith("(see latency_note)")
    texts = [text for column in told(turns).values() for text in column.values()]
    assert all(type(text) is str for text in texts)
    assert told(frame("turns", [])) == told(turns)


def test_what_it_tells_survives_what_tables_go_through(turns: pd.DataFrame, tmp_path: Path) -> None:
    turns.to_parquet(tmp_path / "turns.parquet")
    later = (
        turns.copy(),
        copied(turns),
        turns[turns.turn > 1],
        pd.concat([turns, frame("turns", ROWS[:1])]),
        pickle.loads(pickle.dumps(turns)),
        pd.read_parquet(tmp_path / "turns.parquet"),
    )
    for table in later:
        assert told(table)["latency_ms"] == told(turns)["latency_ms"]
        assert json.loads(json.dumps(table.attrs)) == dict(turns.attrs)
    assert pd.concat([turns, frame("labels", [])]).shape[0] == 2  # of two kinds: neither's
    assert [str(one) for one in pd.read_parquet(tmp_path / "turns.parquet").dtypes] == [
        str(one) for one in turns.dtypes
    ]


def test_dask_takes_a_table(turns: pd.DataFrame) -> None:
    dataframe = pytest.importorskip("dask.dataframe")

    lazy = dataframe.from_pandas(turns, npartitions=2)

    assert lazy.latency_ms.sum().compute(scheduler="synchronous") == 3.5


def test_a_column_that_is_not_defined_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="turns has no column late; define it"):
        frame("turns", [{**ROWS[0], "late": 1}])


def test_nothing_of_a_copy_is_shared(turns: pd.DataFrame) -> None:
    copy = copied(turns)
    copy.loc[0, "user_text"] = "mine"
    copy.calls[0].append("cancel")

    assert turns.user_text[0] == "a" and turns.calls[0] == ["book"]
    mine = pd.DataFrame({"a": pd.Series(["x", None], index=[5, 5], dtype=object)})
    pd.testing.assert_frame_equal(copied(mine), mine)
    nested = frame("findings", [{"evidence": {"events": [1]}}])
    copied(nested).evidence[0]["events"].append(2)
    assert nested.evidence[0] == {"events": [1]}


def test_rows_without_pandas_kinds_of_nothing(turns: pd.DataFrame) -> None:
    first, second = records(turns)

    assert (first["turn"], type(first["turn"])) == (1, int)
    assert first["user_text"] == "a" and second["user_text"] is None
    assert math.isnan(first["latency_ms"]) and second["latency_ms"] == 3.5
    assert [row.calls for row in table_rows(turns)] == [["book"], []]
    assert records(frame("turns", [])) == []


def test_masks_of_different_columns_go_together(turns: pd.DataFrame) -> None:
    found = turns[(turns.user_text == "a") & turns.turn.isin([1]) & ~turns.interrupted]

    assert list(found.turn) == [1]


@pytest.mark.parametrize("rows", [ROWS, []])
def test_the_recording_comes_first(rows: list[dict[str, Any]]) -> None:
    table = of_recording(frame("turns", rows), "mine")

    assert next(iter(table.columns)) == next(iter(told(table))) == "recording"
    assert str(table.recording.dtype) == "string"
    assert list(table.recording) == ["mine"] * len(rows)


def test_many_tables_are_one_and_still_tell(turns: pd.DataFrame) -> None:
    both = pd.concat([of_recording(turns, "a"), of_recording(frame("turns", []), "b")])

    assert list(told(both))[:2] == ["recording", "turn"]
    assert str(both.turn.dtype) == "Int64" and str(both.interrupted.dtype) == "bool"


def test_steps_with_a_table_stay_quick(turns: pd.DataFrame) -> None:
    """pandas copies ``attrs`` with every step; so many words are not to be copied each time."""
    assert turns.turn.attrs["columns"] is turns.attrs["columns"]


def test_all_tables_can_be_empty() -> None:
    assert all(len(frame(name, [])) == 0 for name in TABLES)
