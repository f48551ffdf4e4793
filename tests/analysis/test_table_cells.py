from __future__ import annotations

import math

from realtime_nb.analysis.table_cells import between_ms, number, table


def test_what_is_unknown_is_not_a_number() -> None:
    assert math.isnan(number(None))
    assert number(3) == 3.0
    assert between_ms(1.5, 2.0) == 500
    assert math.isnan(between_ms(None, 2.0))
    assert math.isnan(between_ms(1.5, None))


def test_a_table_without_rows_has_its_columns() -> None:
    assert list(table([], {"turn": 0, "name": ""}).columns) == ["turn", "name"]
    assert list(table([{"turn": 1, "name": "x"}], {"turn": 0, "name": ""}).turn) == [1]
