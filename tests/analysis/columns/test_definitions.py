"""Every column of every table is defined, and what is defined is there: with rows and without."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import pandas as pd
import pytest

from realtime_nb.analysis.columns.definitions import TABLES
from realtime_nb.analysis.exports import TABLES as OF_A_RECORDING
from tests.analysis.columns.made_tables import recordings, tables_of

FLAGS = {"agrees", "grey", "interrupted", "had_calls", "false", "user_cut_off"}
OBJECTS = {
    *("calls", "agent_items", "response_ids", "evidence"),
    *("cut_response_ids", "not_restored"),
}
COUNTS = {
    *("turn", "turn_a", "turn_b", "seq", "n", "responses", "text_differences"),
    *("gap", "items_restored", "items_not_restored", "attempts", "close_code"),
    *("turns", "labelled_turns", "split_turns", "false_starts", "missed_turns", "merged_turns"),
    "judged_turns",
    "waits",
    *("tts_characters", "words", "substitutions", "deletions", "insertions"),
    *("user_messages", "function_calls", "running_calls", "errors", "reconnects"),
}
NUMBERS = {
    *("threshold", "echo_score", "value", "p50", "p90", "p95", "min", "max", "usd"),
    *("a", "b", "delta", "low", "high", "usd_per_conversation", "usd_per_minute"),
    *("precision", "recall", "total"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, pd.DataFrame]]:
    return [tables_of(rec) for rec in recordings(tmp_path_factory.mktemp("recordings"))]


def of(made: list[dict[str, pd.DataFrame]], name: str) -> Iterator[pd.DataFrame]:
    return (tables[name] for tables in made)


def expected_dtype(table: str, column: str) -> str:
    """By the names alone, which carry their units."""
    if table == "comparison_turns" and column[:-2] != "user_text" and column not in COUNTS:
        return "float64"
    if column in FLAGS:
        return "bool"
    if column in OBJECTS:
        return "object"
    if column in COUNTS or column.endswith("_tokens"):
        return "Int64"
    numbers = column.endswith(("_ms", "_s", "_share", "_usd")) or column in NUMBERS
    return "float64" if numbers else "string"


def test_every_table_is_defined(made: list[dict[str, pd.DataFrame]]) -> None:
    assert set(made[0]) == set(TABLES)
    assert set(OF_A_RECORDING) < set(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_columns_and_types_are_the_same_with_rows_and_without(
    made: list[dict[str, pd.DataFrame]], name: str
) -> None:
    columns = [column.name for column in TABLES[name].columns]
    lengths = set()
    for table in of(made, name):
        assert list(table.columns) == columns
        dtypes = {str(column): str(dtype) for column, dtype in table.dtypes.items()}
        assert dtypes == {column: expected_dtype(name, column) for column in columns}
        lengths.add(len(table) > 0)
    assert True in lengths


@pytest.mark.parametrize("name", TABLES)
def test_what_is_missing_has_its_reason(made: list[dict[str, pd.DataFrame]], name: str) -> None:
    for table in of(made, name):
        for column in TABLES[name].columns:
            lost = table[table[column.name].isna()]
            if len(lost):
                assert column.missing, f"{name}.{column.name} is missing, and may not be"
            if column.notes:
                explained = lost[list(column.notes)].notna().any(axis=1)
                assert explained.all(), f"{name}.{column.name}: nothing says why it is missing"


def test_every_definition_is_a_sentence_with_a_source_and_a_unit() -> None:
    for table in TABLES.values():
        assert table.rows.endswith(".")
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        for column in table.columns:
            assert column.meaning.rstrip(")").endswith((".", '"'))
            assert column.source
            assert set(column.notes) <= set(names)
            assert bool(column.unit) == (column.kind in ("number", "count")), column


@pytest.mark.parametrize(
    "name", ["turns", "calls", "latency", "usage", "interruptions", "findings"]
)
def test_what_people_come_for_is_first(name: str) -> None:
    columns = [column.name for column in TABLES[name].columns]

    ids = [
        index
        for index, column in enumerate(columns)
        if column.endswith(("_id", "_item", "_items", "_ids", "_source"))
        or column in ("id", "source", "evidence")
    ]
    assert columns[0] == "turn"
    assert ids == list(range(len(columns) - len(ids), len(columns)))


def test_turns_open_with_words_interruption_latency_and_calls() -> None:
    first = [column.name for column in TABLES["turns"].columns[:8]]

    assert first == [
        *("turn", "user_text", "agent_text", "heard_text", "interrupted"),
        *("latency_ms", "latency_note", "calls"),
    ]


def test_a_text_that_no_encoding_holds_is_mended(made: list[dict[str, pd.DataFrame]]) -> None:
    texts = list(chain.from_iterable(table.user_text for table in of(made, "turns")))

    assert "half \ufffd a sign" in texts
