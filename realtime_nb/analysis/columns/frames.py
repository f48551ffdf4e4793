"""Tables made by their definitions, and read without knowing pandas' kinds of nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from realtime_nb.analysis.columns.column import ColumnNotes
from realtime_nb.analysis.columns.definitions import TABLES
from realtime_nb.analysis.columns.shared import RECORDING

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "copied",
    "frame",
    "frame_of_columns",
    "notes_of",
    "of_recording",
    "records",
    "table_rows",
]


def frame(table: str, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Returns a table with the columns, types and order of its definition, whatever its rows.

    A column that a row lacks is missing there; one that is not defined is a mistake.

    ``attrs["columns"]`` of the result tells of each column by its name: a dictionary with
    ``meaning``, ``unit``, ``source``, and ``missing``: when it is, all of them texts.
    """
    columns = TABLES[table].columns
    undefined = {name for row in rows for name in row} - {column.name for column in columns}
    if undefined:
        raise KeyError(f"{table} has no column {', '.join(sorted(undefined))}; define it.")
    return frame_of_columns(
        table, {column.name: [row.get(column.name) for row in rows] for column in columns}
    )


def frame_of_columns(table: str, values: Mapping[str, Iterable[object]]) -> pd.DataFrame:
    """Returns the same, made from the values of each column."""
    import pandas as pd

    columns = TABLES[table].columns
    found = pd.DataFrame({column.name: column.cells(values[column.name]) for column in columns})
    found.attrs["columns"] = notes_of(table)
    return found


@cache
def notes_of(table: str) -> ColumnNotes:
    """Returns what ``attrs["columns"]`` says of a table."""
    return ColumnNotes({column.name: column.told() for column in TABLES[table].columns})


def of_recording(table: pd.DataFrame, recording: str) -> pd.DataFrame:
    """Returns a copy with a first column that says which recording the table is of."""
    found = copied(table)
    cells: Any = RECORDING.cells([recording] * len(found))
    found.insert(0, RECORDING.name, cells)
    if "columns" in found.attrs:
        told = {RECORDING.name: RECORDING.told(), **found.attrs["columns"]}
        found.attrs["columns"] = ColumnNotes(told)
    return found


def copied(table: pd.DataFrame) -> pd.DataFrame:
    """Returns a copy of which nothing is shared, the contents of cells neither."""
    import pandas as pd

    found = table.copy()
    for name, values in table.items():
        if values.dtype == object:
            cells = [copy.deepcopy(value) for value in values]
            found[name] = pd.Series(cells, values.index, dtype="object")
    return found


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Returns the rows as dictionaries, with None for texts and counts that are missing; missing
    numbers are NaN."""
    columns = [_plain(values) for _, values in table.items()]
    names = [str(name) for name in table.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def table_rows(table: pd.DataFrame) -> list[Any]:
    """Returns the rows as objects with an attribute for each column; what is missing is as in
    :func:`records`."""
    return [SimpleNamespace(**record) for record in records(table)]


def _plain(values: pd.Series[Any]) -> list[Any]:
    found: list[Any] = values.tolist()
    if str(values.dtype) not in ("string", "Int64", "boolean"):
        return found
    return [None if lost else value for value, lost in zip(found, values.isna(), strict=True)]
