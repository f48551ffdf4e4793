from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.entities.weekdays import wants_weekday, weekday_value
from realtime_nb.local.spoken import WEEKDAYS

TUESDAY = datetime.date(2026, 11, 24)


@pytest.mark.parametrize(
    ("words", "choices", "hint", "wanted"),
    [
        ("day", [], "A day of the week, such as monday", True),
        ("day", [], "Weekday", True),
        ("weekday", [], "", True),
        ("day of week", [], "", True),
        ("x", ["Mon", "Tue"], "", True),
        ("x", ["monday"], "", False),
        ("day", ["monday", "any"], "", False),
        ("x", ["m", "t"], "", False),
        ("day", [], "", False),
        ("day", [], "The day, e.g. 2026-11-24", False),
        ("note", [], "A note, such as: closed on Monday", False),
        ("day", [], "The sunny day", False),
    ],
)
def test_what_wants_a_weekday(words: str, choices: list[object], hint: str, wanted: bool) -> None:
    assert wants_weekday(words.split(), choices, hint) is wanted


@pytest.mark.parametrize(
    ("choices", "hint", "value"),
    [
        ([], "", "Tuesday"),
        ([], "such as monday", "tuesday"),
        ([], "MONDAY", "TUESDAY"),
        ([], "mon", "tue"),
        ([], "Thurs", "Tue"),
        (["monday", "tuesday"], "Monday", "tuesday"),
        (["MO", "TU"], "", "TU"),
        (["Saturday", "Sunday"], "", None),
    ],
)
def test_a_weekday_has_the_form_of_the_values_or_of_the_example(
    choices: list[object], hint: str, value: str | None
) -> None:
    assert weekday_value(TUESDAY, choices, hint) == value


@given(day=st.dates(), length=st.integers(2, 3), example=st.sampled_from(WEEKDAYS))
def test_every_day_is_found_among_the_values(day: datetime.date, length: int, example: str) -> None:
    weekday = WEEKDAYS[day.weekday()]
    assert weekday_value(day, [each[:length] for each in WEEKDAYS], "") == weekday[:length]
    assert weekday_value(day, [], f"e.g. {example}") == weekday
