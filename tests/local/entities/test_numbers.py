from __future__ import annotations

import datetime

import pytest

from realtime_nb.local.entities import find_dates, find_numbers, find_times, find_yes_no

SUNDAY = datetime.date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("ten meters", [10]),
        ("a hundred and one", [101]),
        ("two point five", [2.5]),
        ("minus 7", [-7]),
        ("1,250.5", [1250.5]),
        ("this one", []),
        ("room 12b", []),
        ("three and twenty-one", [3, 21]),
        ("two people", [2]),
        ("one adult and three children", [1, 3]),
        ("no one came", []),
        ("two hundred fifty", [250]),
        ("minus three point two", [-3.2]),
    ],
)
def test_numbers(text: str, numbers: list[float]) -> None:
    assert [found.value for found in find_numbers(text)] == numbers


def test_numbers_of_days_and_times_can_be_left_out() -> None:
    text = "four people on November 24 at 10:30"
    taken = [found.span for found in find_dates(text, SUNDAY)]
    taken += [found.span for found in find_times(text, taken)]
    assert [found.value for found in find_numbers(text, taken)] == [4]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes, please.", True),
        ("okay", True),
        ("no thanks", False),
        ("I don't", False),
        ("hm", None),
    ],
)
def test_yes_and_no(text: str, answer: bool | None) -> None:
    assert find_yes_no(text) is answer
