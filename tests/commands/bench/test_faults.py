from __future__ import annotations

from dataclasses import replace

import pytest

from realtime_nb.commands.bench import faults
from realtime_nb.commands.bench.fault_talk import Outcome
from realtime_nb.commands.bench.faults import FaultRow
from realtime_nb.errors import ConfigurationError

WELL = Outcome(gaps=1, continued=True, intact=True, reported_ms=400, true_ms=500)


@pytest.mark.parametrize(
    ("changes", "reached"),
    [
        ({}, True),
        ({"continued": False}, False),
        ({"intact": False}, False),
        ({"duplicated": 1}, False),
        ({"lost_turns": 1}, False),
        ({"said_again": 1}, True),
        ({"true_ms": 501}, False),
        ({"true_ms": 299}, False),
        ({"true_ms": 600, "gaps": 2}, True),
    ],
)
def test_what_is_to_be_reached(changes: dict[str, float], reached: bool) -> None:
    row = FaultRow("x", 100.0)
    row.add(WELL, 1)
    row.add(replace(WELL, **changes), 2)  # type: ignore[arg-type]
    assert (row.faults, row.talks) == (3, 2)
    assert row.reached is reached


def test_measures_and_prints(capsys: pytest.CaptureFixture[str]) -> None:
    figures = faults.run(1, ["failed (1011)"], every=100, barge_ins=10)
    rows = figures["rows"]
    assert isinstance(rows, list)
    assert rows[0].kind == "failed (1011)"
    assert rows[0].talks == 1
    assert sum(row.talks for row in rows[1:]) >= 3
    printed = capsys.readouterr().out
    assert "failed (1011)" in printed
    assert "10 barge-ins" in printed


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'nonesuch'"):
        faults.run(1, ["nonesuch"])
