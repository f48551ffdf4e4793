from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.entities.days import find_dates
from realtime_nb.local.spoken import MONTHS, WEEKDAYS, day_words, ordinal_words

SUNDAY = datetime.date(2026, 11, 22)


TUESDAY = datetime.date(2026, 11, 24)


def days(text: str, today: datetime.date = SUNDAY) -> list[str]:
    return [found.value.isoformat() for found in find_dates(text, today)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", "2026-11-22"),
        ("this evening", "2026-11-22"),
        ("tomorrow morning", "2026-11-23"),
        ("the day after tomorrow", "2026-11-24"),
        ("yesterday", "2026-11-21"),
        ("next Tuesday", "2026-11-24"),
        ("on tuesday", "2026-11-24"),
        ("Tuesday next week", "2026-11-24"),
        ("next week on Tuesday", "2026-11-24"),
        ("the Tuesday after next", "2026-12-01"),
        ("this Sunday", "2026-11-22"),
        ("next Sunday", "2026-11-29"),
        ("Sunday", "2026-11-29"),
        ("in three days", "2026-11-25"),
        ("in 2 weeks", "2026-12-06"),
        ("a week from tomorrow", "2026-11-30"),
        ("two weeks from Tuesday", "2026-12-08"),
        ("on the 24th", "2026-11-24"),
        ("on the twenty-fourth", "2026-11-24"),
        ("the 3rd", "2026-12-03"),
        ("Tuesday the twenty fourth", "2026-11-24"),
        ("November 24th", "2026-11-24"),
        ("november twenty fourth", "2026-11-24"),
        ("Tuesday, November 24", "2026-11-24"),
        ("24 November", "2026-11-24"),
        ("the 24th of November, 2026", "2026-11-24"),
        ("the twenty fourth of november twenty twenty-seven", "2027-11-24"),
        ("November 3", "2027-11-03"),
        ("2026-11-24", "2026-11-24"),
        ("11/24", "2026-11-24"),
        ("24/11/2027", "2027-11-24"),
        ("February 29", "2028-02-29"),
        ("on the twenty fourth", "2026-11-24"),
        ("on the twenty six", "2026-11-26"),
        ("to-morrow", "2026-11-23"),
        ("two days after tomorrow", "2026-11-25"),
        ("a week from Friday", "2026-12-04"),
        ("in a fortnight", "2026-12-06"),
        ("in two months", "2027-01-22"),
        ("a month from today", "2026-12-22"),
        ("Nov 30", "2026-11-30"),
        ("Nov. 30th", "2026-11-30"),
        ("3 Dec 2027", "2027-12-03"),
        ("30.11.2026", "2026-11-30"),
    ],
)
def test_days_as_people_say_them(text: str, day: str) -> None:
    assert days(text) == [day]
    assert days(f"I would like to come {text}, please.") == [day]


def test_next_tuesday_said_on_a_tuesday_is_a_week_later() -> None:
    assert days("next Tuesday", TUESDAY) == ["2026-12-01"]
    assert days("Tuesday", TUESDAY) == ["2026-12-01"]
    assert days("this Tuesday", TUESDAY) == ["2026-11-24"]


def test_a_day_of_next_week_may_be_said_with_hesitation() -> None:
    assert days("Wednesday", TUESDAY) == ["2026-11-25"]
    assert days("next week, maybe on Wednesday", TUESDAY) == ["2026-12-02"]


@pytest.mark.parametrize(
    ("today", "text", "day"),
    [
        ("2026-01-31", "in a month", "2026-02-28"),
        ("2027-01-31", "in 13 months", "2028-02-29"),
        ("2026-12-15", "a month from tomorrow", "2027-01-16"),
        ("2026-11-22", "in 12 months", "2027-11-22"),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last_one(today: str, text: str, day: str) -> None:
    assert days(text, datetime.date.fromisoformat(today)) == [day]


def test_what_lies_beyond_all_calendars_is_no_day() -> None:
    assert days("in 999999 months") == days("in 9999999 weeks") == []


def test_several_days_come_in_the_order_of_speech() -> None:
    assert days("not Tuesday but the 25th or in two weeks") == [
        "2026-11-24",
        "2026-11-25",
        "2026-12-06",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "for the second time", "I may go", "on the first floor", "2026-13-45"),
        *("31.02.2026", "version 1.2.3", "Jan is here", "every day", "the marching 4"),
    ],
)
def test_what_is_no_day(text: str) -> None:
    assert days(text) == []


any_day = st.dates(datetime.date(2000, 1, 1), datetime.date(2090, 12, 31))


@given(day=any_day, today=any_day)
def test_a_day_with_its_year_is_understood_in_every_form(
    day: datetime.date, today: datetime.date
) -> None:
    month, words = MONTHS[day.month - 1], ordinal_words(day.day)
    for text in (
        day.isoformat(),
        f"{month} {words}, {day.year}",
        f"{month} {day.day} {day.year}",
        f"the {words} of {month} {day.year}",
        f"{WEEKDAYS[day.weekday()]} the {day.day} of {month.lower()}, {day.year}",
    ):
        assert days(f"Come on {text}.", today) == [day.isoformat()]


@given(today=any_day, ahead=st.integers(0, 364))
def test_a_day_without_its_year_is_the_next_one(today: datetime.date, ahead: int) -> None:
    day = today + datetime.timedelta(days=ahead)
    if (day.month, day.day) != (2, 29):
        assert days(day_words(day), today) == [day.isoformat()]


@given(today=any_day, weekday=st.sampled_from(WEEKDAYS))
def test_a_weekday_is_the_coming_one(today: datetime.date, weekday: str) -> None:
    (found,) = find_dates(f"next {weekday}", today)
    assert WEEKDAYS[found.value.weekday()] == weekday
    assert 1 <= (found.value - today).days <= 7
    assert find_dates(f"on {weekday.lower()}", today)[0].value == found.value


@given(today=any_day, ahead=st.integers(0, 27))
def test_a_day_without_its_month_is_the_next_one(today: datetime.date, ahead: int) -> None:
    day = today + datetime.timedelta(days=ahead)
    assert days(f"on the {ordinal_words(day.day)}", today) == [day.isoformat()]
