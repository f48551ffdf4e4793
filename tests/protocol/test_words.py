from __future__ import annotations

import math

import pytest

from realtime_nb.protocol.words import clock, counted, lasting, shortened


@pytest.mark.parametrize(
    ("t_s", "text"),
    [
        (0, "0:00"),
        (59.9, "0:59"),
        (187.2, "3:07"),
        (3_600, "60:00"),
        (-0.9, "0:00"),
        (-4.4, "-0:04"),
        (-64, "-1:04"),
        (math.nan, ""),
        (None, ""),
    ],
)
def test_moments(t_s: float | None, text: str) -> None:
    assert clock(t_s) == text


def test_counts() -> None:
    assert (counted(1, "turn"), counted(0, "turn")) == ("1 turn", "0 turns")
    assert counted(2_000, "turn") == "2,000 turns"
    assert counted(1, "stretch", "stretches") == "1 stretch"
    assert counted(0, "stretch", "stretches") == "0 stretches"


def test_long_texts() -> None:
    assert [shortened(text, 3) for text in ("", "abc", "abcd")] == ["", "abc", "ab…"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (119.94, "119.9 s"), (187.2, "3:07 min"), (math.nan, "no times")],
)
def test_how_long(seconds: float, text: str) -> None:
    assert lasting(seconds) == text
