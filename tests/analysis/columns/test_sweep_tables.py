"""The definition of this table; what all have in common is in ``test_definitions``."""

from __future__ import annotations

from realtime_nb.analysis.columns import sweep_tables
from realtime_nb.analysis.columns.column import Table
from realtime_nb.analysis.columns.definitions import TABLES


def test_all_tables_of_the_module_are_known() -> None:
    own = [table for table in vars(sweep_tables).values() if isinstance(table, Table)]

    assert own and all(TABLES[table.name] is table for table in own)


def test_every_share_has_its_interval() -> None:
    names = {column.name for column in TABLES["sweep"].columns}

    shares = ("split", "false_start", "missed")
    assert {f"{name}_{end}_share" for name in shares for end in ("low", "high")} <= names
