from __future__ import annotations

import pytest

from tests.analysis.cost.priced_session import two_turns


def test_html_is_escaped() -> None:
    cost = two_turns(model="<b>").cost()

    assert "<b>" not in cost._repr_html_()
    assert "&lt;b&gt;" in cost._repr_html_()


def test_a_copy_has_tables_of_its_own() -> None:
    priced = two_turns().cost()
    copied = priced.copy()
    copied.table["usd"] = 0.0
    copied.by_turn["usd"] = 0.0
    assert priced.table.usd.sum() == priced.by_turn.usd.sum() == pytest.approx(priced.total_usd)
