"""Random barge-ins with drops among them: 1,000 are a row of ``realtime-nb bench faults``."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.commands.bench.fault_barge_ins import MOST_MS, interrupted, total


@given(st.integers(0, 2**32))
@settings(max_examples=6, deadline=None)
def test_no_server_remembers_what_nobody_heard(seed: int) -> None:
    result = interrupted(seed, 10)
    assert result.barge_ins == 10
    assert result.errors == []
    assert result.beyond_ms <= MOST_MS
    assert result.after_done == 10


def test_those_that_went_wrong_once() -> None:
    """Told twice under two names, deleted twice, told behind an item that nobody knew."""
    result = total([2, 7, 37, 168], 10, lead_ms=1_000.0)
    assert result.barge_ins == 40
    assert result.drops > 10
    assert result.after_done < 40
    assert result.errors == []
    assert result.beyond_ms <= MOST_MS
