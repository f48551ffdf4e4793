from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.entities import (
    find_dates,
    find_names,
    find_numbers,
    find_places,
    find_times,
    find_yes_no,
    overlaps,
    title_name,
)
from realtime_nb.local.spoken import MONTHS, WEEKDAYS, clock_words, day_words, ordinal_words

SUNDAY = datetime.date(2026, 11, 22)
TUESDAY = datetime.date(2026, 11, 24)


def days(text: str, today: datetime.date = SUNDAY) -> list[str]:
    return [found.value.isoformat() for found in find_dates(text, today)]


def times(text: str, asked: bool = False) -> list[str]:
    taken = [found.span for found in find_dates(text, SUNDAY)]
    return [f"{found.value:%H:%M}" for found in find_times(text, taken, asked)]


def names(text: str, asked: bool = False) -> list[str]:
    taken = [found.span for found in find_dates(text, SUNDAY)]
    taken += [found.span for found in find_times(text, taken, asked)]
    return [found.value for found in find_names(text, taken, asked)]


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
    ],
)
def test_days_as_people_say_them(text: str, day: str) -> None:
    assert days(text) == [day]
    assert days(f"I would like to come {text}, please.") == [day]


def test_next_tuesday_said_on_a_tuesday_is_a_week_later() -> None:
    assert days("next Tuesday", TUESDAY) == ["2026-12-01"]
    assert days("Tuesday", TUESDAY) == ["2026-12-01"]
    assert days("this Tuesday", TUESDAY) == ["2026-11-24"]


def test_several_days_come_in_the_order_of_speech() -> None:
    assert days("not Tuesday but the 25th or in two weeks") == [
        "2026-11-24",
        "2026-11-25",
        "2026-12-06",
    ]


@pytest.mark.parametrize(
    "text", ["", "for the second time", "I may go", "on the first floor", "2026-13-45"]
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


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("ten in the morning", "10:00"),
        ("10 in the morning", "10:00"),
        ("10 a.m.", "10:00"),
        ("10 AM", "10:00"),
        ("10am", "10:00"),
        ("ten o'clock", "10:00"),
        ("10 o’clock in the evening", "22:00"),
        ("at ten", "10:00"),
        ("at about ten", "10:00"),
        ("by 3", "15:00"),
        ("half past two", "14:30"),
        ("half past 2 in the morning", "02:30"),
        ("quarter to five", "16:45"),
        ("a quarter past nine", "09:15"),
        ("twenty to eleven", "10:40"),
        ("ten minutes past 9", "09:10"),
        ("quarter to one", "12:45"),
        ("ten to noon", "11:50"),
        ("14:30", "14:30"),
        ("2:30", "14:30"),
        ("02:30", "02:30"),
        ("2:30 p.m.", "14:30"),
        ("at 2.30", "14:30"),
        ("at 1030", "10:30"),
        ("9 30 am", "09:30"),
        ("at ten thirty", "10:30"),
        ("at fourteen thirty", "14:30"),
        ("eleven fifteen p.m.", "23:15"),
        ("at ten oh five", "10:05"),
        ("noon", "12:00"),
        ("12 noon", "12:00"),
        ("midnight", "00:00"),
        ("12 a.m.", "00:00"),
        ("12 p.m.", "12:00"),
        ("at 7 tonight", "19:00"),
        ("at eight at night", "20:00"),
        ("tomorrow morning at six", "06:00"),
        ("Tuesday afternoon at four", "16:00"),
    ],
)
def test_times_as_people_say_them(text: str, clock: str) -> None:
    assert times(text) == [clock]
    assert times(f"I would like to come {text}, please.") == [clock]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ten of clubs",
        "for ten minutes",
        "at ten percent",
        "after two weeks",
        "a table for two",
        "from nine to ten people",
        "until 3 December",
        "at 25:10",
        "November 24",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert times(text) == []


@pytest.mark.parametrize(
    ("text", "clock"), [("Ten.", "10:00"), ("3, please", "15:00"), ("ten thirty", "10:30")]
)
def test_a_bare_number_is_an_hour_only_when_a_time_was_asked_for(text: str, clock: str) -> None:
    assert times(text) == []
    assert times(text, asked=True) == [clock]


def test_good_morning_is_no_part_of_the_day() -> None:
    assert times("Good morning, I can come at three.") == ["15:00"]


@given(st.times().map(lambda t: t.replace(second=0, microsecond=0, tzinfo=None)))
def test_every_time_said_in_words_is_understood(time: datetime.time) -> None:
    spoken = clock_words(time)
    hour, half = (time.hour - 1) % 12 + 1, "a.m." if time.hour < 12 else "p.m."
    for text in (
        spoken,
        spoken.upper(),
        f"{hour}:{time.minute:02} {half}",
        f"{time:%H:%M}" if time.hour > 12 or time.hour == 0 else f"{time:%H:%M} {half}",
    ):
        assert times(f"See you at {text}") == [f"{time:%H:%M}"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My name is Ada Lovelace.", "Ada Lovelace"),
        ("my name is ada lovelace", "Ada Lovelace"),
        ("my name's ada o'brien and i'd like to come", "Ada O'Brien"),
        ("My name is Ada Lovelace I'd like an appointment", "Ada Lovelace"),
        ("The name is Grace Hopper, on Tuesday", "Grace Hopper"),
        ("under the name of Jean-Luc Picard", "Jean-Luc Picard"),
        ("This is Grace Hopper speaking.", "Grace Hopper"),
        ("I'm Ada Lovelace and I need a checkup.", "Ada Lovelace"),
        ("I’m Ada", "Ada"),
        ("an appointment for Ada Lovelace on Tuesday", "Ada Lovelace"),
        ("for Dr. John van der Berg tomorrow", "John van der Berg"),
        ("Tuesday at 10 for Ada Lovelace", "Ada Lovelace"),
        ("This is great. My name is Zoë Müller.", "Zoë Müller"),
        ("My name is Ada. I am Important.", "Ada"),
    ],
)
def test_names_as_people_give_them(text: str, name: str) -> None:
    assert names(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I'm looking for an appointment for Tuesday",
        "This is great",
        "It's for tomorrow at ten",
        "He was not an ill-disposed young man.",
        "for November",
        "I am fine, thank you",
    ],
)
def test_what_is_no_name(text: str) -> None:
    assert names(text) == []
    assert names(text, asked=True) == []


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace",
        "ada lovelace.",
        "It's Ada Lovelace, please.",
        "Uh, Ada Lovelace.",
        "Its Ada Lovelace.",
        "Yes, my name is Ada Lovelace.",
        "Tuesday at ten, Ada Lovelace",
        "Ada Lovelace, Tuesday at ten",
        "under Ada Lovelace",
    ],
)
def test_an_answer_may_be_nothing_but_a_name(text: str) -> None:
    assert names(text, asked=True) == ["Ada Lovelace"]


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("ada lovelace", "Ada Lovelace"),
        ("McDonald", "McDonald"),
        ("o'brien-king", "O'Brien-King"),
        ("ADA", "ADA"),
    ],
)
def test_names_get_capitals_where_they_have_none(given_name: str, name: str) -> None:
    assert title_name(given_name) == name


def test_places() -> None:
    assert [p.value for p in find_places("What's the weather in Paris today?")] == ["Paris"]
    assert [p.value for p in find_places("the weather in new york")] == ["New York"]
    assert [p.value for p in find_places("San Francisco.", asked=True)] == ["San Francisco"]
    assert find_places("I live in the past") == []


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


@given(st.text(alphabet=st.characters(max_codepoint=0x24F)), any_day)
def test_nothing_makes_the_finders_fail_and_spans_never_overlap(
    text: str, today: datetime.date
) -> None:
    for found in (
        find_dates(text, today),
        find_times(text, asked=True),
        find_numbers(text),
        find_names(text, asked=True),
        find_places(text, asked=True),
    ):
        spans = [each.span for each in found]
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert not any(overlaps(span, spans[:index]) for index, span in enumerate(spans))


PIECES = (
    "next tuesday,the 24th of,november,at,ten,half past,two,my name is,ada,for,in,a week,from,"
    "tomorrow,quarter to,five,a.m.,noon,o'clock,twenty,one,hundred,point,31st,10:30,!"
)


@given(st.lists(st.sampled_from(PIECES.split(",")), max_size=14).map(" ".join))
def test_no_mixture_of_the_words_makes_the_finders_fail(text: str) -> None:
    for found in find_dates(text, SUNDAY):
        assert text[found.start : found.end].strip()
    times(text, asked=True)
    names(text, asked=True)
    find_numbers(text)
