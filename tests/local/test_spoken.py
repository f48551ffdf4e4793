from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.entities import find_numbers
from realtime_nb.local.spoken import (
    MONTHS,
    SHORT_MONTHS,
    SHORT_WEEKDAYS,
    WEEKDAYS,
    clock_words,
    day_words,
    listed,
    number_words,
    ordinal_words,
    speakable,
)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (124, "one hundred twenty-four"),
        (2005, "two thousand five"),
        (-7, "minus seven"),
        (1_000_000, "1000000"),
    ],
)
def test_numbers_in_words(number: int, words: str) -> None:
    assert number_words(number) == words


@given(st.integers(-999_999, 999_999))
def test_numbers_in_words_are_understood_again(number: int) -> None:
    assert [found.value for found in find_numbers(f"It is {number_words(number)}.")] == [number]


def test_days_of_the_month_are_all_different_words() -> None:
    words = [ordinal_words(day) for day in range(1, 32)]
    assert len(set(words)) == 31
    assert [words[0], words[19], words[20], words[29]] == [
        "first",
        "twentieth",
        "twenty-first",
        "thirtieth",
    ]


@pytest.mark.parametrize(
    ("clock", "words"),
    [
        ("00:00", "midnight"),
        ("00:05", "twelve oh five in the morning"),
        ("10:00", "ten in the morning"),
        ("12:00", "noon"),
        ("14:30", "two thirty in the afternoon"),
        ("20:15", "eight fifteen in the evening"),
    ],
)
def test_times_in_words(clock: str, words: str) -> None:
    assert clock_words(datetime.time.fromisoformat(clock)) == words


def test_days_in_words() -> None:
    assert day_words(datetime.date(2026, 11, 24)) == "Tuesday, November twenty-fourth"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        (
            "Booked on 2026-11-24 at 10:00.",
            "Booked on Tuesday, November twenty-fourth at ten in the morning.",
        ),
        ("2026-11-24T14:30:00", "Tuesday, November twenty-fourth at two thirty in the afternoon"),
        ("on November 3 at 9", "on November third at nine"),
        ("It is 21.5 degrees, or -3.", "It is twenty-one point five degrees, or minus three."),
        ("Number A3F2, room 12.", "Number A3F2, room twelve."),
        ("2026-13-45 stays", "2026-13-45 stays"),
        ("1,250 of 12,345,678", "one thousand two hundred fifty of 12,345,678"),
        ("No figures.", "No figures."),
    ],
)
def test_figures_in_a_text_become_words(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


@given(st.text())
def test_any_text_can_be_made_speakable(text: str) -> None:
    assert isinstance(speakable(text), str)


@pytest.mark.parametrize(
    ("short", "names"), [(SHORT_WEEKDAYS, WEEKDAYS), (SHORT_MONTHS, [*MONTHS[:4], *MONTHS[5:]])]
)
def test_short_names_are_beginnings_of_the_long_ones(short: list[str], names: list[str]) -> None:
    assert {word[:3] for word in short} == {name[:3] for name in names}
    assert all(any(name.startswith(word) for name in names) for word in short)


def test_several_as_they_are_said() -> None:
    said = [listed(["one", "two", "three"][:count], "or") for count in range(4)]
    assert said == ["", "one", "one or two", "one, two or three"]
