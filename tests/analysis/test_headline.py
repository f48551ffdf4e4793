"""The latency that stands for a session, by own arithmetic."""

from __future__ import annotations

import math
from statistics import median

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.headline import headline, with_calls, without_calls

Turn = tuple[float, bool, bool]
"""Its latency, whether it was typed, and whether it called a function."""


def table(turns: list[Turn]) -> pd.DataFrame:
    rows = [(ms, "typed" if typed else None, called) for ms, typed, called in turns]
    return pd.DataFrame(rows, columns=["latency_ms", "latency_note", "had_calls"])


TURNS = st.lists(
    st.tuples(st.floats(1, 9_999) | st.just(math.nan), st.booleans(), st.booleans()), max_size=12
)


@given(turns=TURNS)
def test_is_the_median_of_spoken_turns_without_calls(turns: list[Turn]) -> None:
    expected = [ms for ms, typed, called in turns if not typed and not called and ms == ms]
    told = headline(table(turns))

    assert told.turns == len(expected)
    if expected:
        assert told.ms == pytest.approx(median(expected))
    else:
        assert math.isnan(told.ms)
    spoken = sum(not typed for _, typed, _ in turns)
    assert len(without_calls(table(turns))) + len(with_calls(table(turns))) == spoken


def test_is_named() -> None:
    assert headline(table([(1.0, False, False)] * 3)).average == "median of 3 turns without calls"
    assert headline(table([(1.0, False, False)])).average == "median of 1 turn without calls"
