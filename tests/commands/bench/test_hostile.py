from __future__ import annotations

import math

import pytest

from realtime_nb.commands.bench import hostile
from realtime_nb.commands.bench.hostile import HostileRow
from realtime_nb.errors import ConfigurationError


def test_measures_and_prints(capsys: pytest.CaptureFixture[str]) -> None:
    figures = hostile.run(1.5, ["nobody", "pings"])

    rows = figures["rows"]
    assert isinstance(rows, list)
    assert [(row.kind, row.token) for row in rows] == [
        ("nobody", False),
        ("nobody", True),
        ("pings", False),
        ("pings", True),
    ]
    for row in rows:
        assert row.alive
        assert 0 < row.vad_ms < 5_000  # both ends of a turn were heard
        assert 0 < row.round_trip_ms < 5_000
        assert 0 < row.elsewhere_ms < 5_000  # nobody attacks there, and it is busy all the same
        assert row.work_ms <= row.stall_ms + 20  # what it computes is a part of how long it takes
    printed = capsys.readouterr().out
    assert "pings, no token" in printed
    assert f"{figures['reached']} of 4 rows" in printed


@pytest.mark.parametrize(
    ("vad_ms", "round_trip_ms", "memory_mb", "alive", "reached"),
    [
        (100.0, 100.0, 200.0, True, True),
        (101.0, 1.0, 1.0, True, False),
        (1.0, 101.0, 1.0, True, False),
        (1.0, 1.0, 201.0, True, False),
        (1.0, 1.0, 1.0, False, False),
        (math.nan, 1.0, 1.0, True, False),
        (1.0, 1.0, math.nan, True, True),  # the system does not tell
    ],
)
def test_bounds(
    vad_ms: float, round_trip_ms: float, memory_mb: float, alive: bool, reached: bool
) -> None:
    row = HostileRow(
        "x",
        True,
        vad_ms=vad_ms,
        round_trip_ms=round_trip_ms,
        memory_mb=memory_mb,
        stall_ms=1.0,
        work_ms=1.0,
        elsewhere_ms=5_000.0,  # of no account: the bounds are bounds on any machine
        alive=alive,
    )
    assert row.reached is reached


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'nonesuch'"):
        hostile.run(1.0, ["nonesuch"])
