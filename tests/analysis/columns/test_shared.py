"""Columns that several tables have."""

from __future__ import annotations

from realtime_nb.analysis.columns.definitions import TABLES
from realtime_nb.analysis.columns.shared import ITS_TURN, TURN, moment


def test_a_turn_is_one_type_everywhere() -> None:
    turns = [one for table in TABLES.values() for one in table.columns if one.name == "turn"]

    assert len(turns) >= 8
    assert {(one.dtype, one.unit) for one in turns} == {("Int64", "number")}
    assert TURN.missing == "" and ITS_TURN.missing


def test_a_moment_is_in_seconds() -> None:
    assert (moment("t_s", "When.", "a clock", "never").dtype, moment("t_s", "", "", "").unit) == (
        "float64",
        "s",
    )
