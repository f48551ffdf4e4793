"""Times are read in the ways that programs write them."""

from __future__ import annotations

import pytest

from realtime_nb.archive.log_times import number_of, time_in_text, time_of

NOON = 12 * 3600.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("[10/9/2025, 12:59:58 PM] server", NOON + 3598),
        ("[10/9/2025, 1:00:02 PM] server", NOON + 3602),
        ("9.10.2025, 1:00:02\u202fp.m.", NOON + 3602),
        ("12:00:00 AM", 0.0),
        ("8:53:24 AM", 8 * 3600 + 53 * 60 + 24),
        ("23:59:59.25 DEBUG", 24 * 3600 - 0.75),
    ],
)
def test_times_of_day(text: str, seconds: float) -> None:
    assert time_in_text(text) == (seconds, "day")


@pytest.mark.parametrize(
    "text",
    [
        *("2025-10-09T08:53:20.5Z", "2025/10/09 08:53:20.500", "2025-10-09 10:53:20,5 +0200"),
        *("[09/Oct/2025:08:53:20.5 +0000]", "Thu, 9 Oct 2025 08:53:20.5 GMT"),
        "09-Oct-2025 10:53:20.5+02:00",
    ],
)
def test_moments(text: str) -> None:
    assert time_in_text(text) == (1_760_000_000.5, "epoch")
    assert time_of(text, "time") == (1_760_000_000.5, "epoch")


def test_numbers_need_a_unit_or_a_size() -> None:
    assert time_of(1_760_000_000_500, "ts") == (1_760_000_000.5, "epoch")
    assert time_of(1500, "t_ms") == (1.5, "elapsed")
    assert time_of(1.5, "t") is None
    assert number_of("1e400") is None and number_of(True) is None


@pytest.mark.parametrize(
    "held",
    [
        {"repr": "2025-10-09 08:53:20.5+00:00", "timestamp": 1_760_000_000.5},
        {"$date": "2025-10-09T08:53:20.5Z"},
        {"seconds": 1_760_000_000, "nanos": 500_000_000},
        {"_seconds": "1760000000.5"},
    ],
)
def test_times_that_are_objects(held: dict[str, object]) -> None:
    assert time_of(held, "time") == (1_760_000_000.5, "epoch")


def test_a_clock_that_counts_from_nowhere_is_no_date() -> None:
    assert time_of(86_400 * 10**9, "ts") is None  # nanoseconds since the machine began
    assert time_of(86_400 * 10**9, "t_ns") == (86_400, "elapsed")
    assert time_of({"elapsed": "soon", "n": {}}, "time") is None
