from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.entities import find_dates, find_times
from realtime_nb.local.spoken import clock_words

SUNDAY = datetime.date(2026, 11, 22)


def times(text: str, asked: bool = False) -> list[str]:
    taken = [found.span for found in find_dates(text, SUNDAY)]
    return [f"{found.value:%H:%M}" for found in find_times(text, taken, asked)]


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
        ("half-past nine", "09:30"),
        ("at half-past-nine", "09:30"),
        ("quarter-to ten", "09:45"),
        ("nine-thirty", "09:30"),
        ("nine-fifteen a.m.", "09:15"),
        ("the two thirty slot", "14:30"),
        ("and make it eleven", "11:00"),
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
        ("at 11:45am", "11:45"),
        ("7:15pm", "19:15"),
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
        "twenty-one people",
        "two-thirds",
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


@pytest.mark.parametrize("text", ["the second one", "that one", "ten of clubs"])
def test_what_is_no_hour_even_when_a_time_was_asked_for(text: str) -> None:
    assert times(text, asked=True) == []


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
