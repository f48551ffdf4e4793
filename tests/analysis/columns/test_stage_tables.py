"""The definitions of these tables; what all have in common is in ``test_definitions``."""

from __future__ import annotations

from realtime_nb.analysis.columns import stage_tables
from realtime_nb.analysis.columns.column import Table
from realtime_nb.analysis.columns.definitions import TABLES
from realtime_nb.analysis.stage_comparison import COMPARED_STAGES
from realtime_nb.analysis.stages import STAGE_PARTS


def test_all_tables_of_the_module_are_known() -> None:
    own = [table for table in vars(stage_tables).values() if isinstance(table, Table)]

    assert own and all(TABLES[table.name] is table for table in own)


def test_what_adds_up_is_said_where_the_table_is_described() -> None:
    for part in STAGE_PARTS:
        assert f"`{part}`" in TABLES["stages"].rows


def test_what_is_compared_is_defined_once() -> None:
    names = {column.name for column in TABLES["stages"].columns}

    assert set(COMPARED_STAGES) <= names
