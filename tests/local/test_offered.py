from __future__ import annotations

import pytest

from realtime_nb.local.offered import offered, with_choice

TIMES = ["at 09:00", "at 09:30", "at 10:00"]
MONDAY = ["2026-11-30"]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"error": "x", "alternatives": ["09:00", "09:30"]}, ["at 09:00", "at 09:30"]),
        ({"names": ["Ada"], "none": [], "free": ["2026-11-30"]}, MONDAY),
        ({"mixed": ["09:00", "soon"]}, []),
        ({"wrong": ["25:00"], "odd": [7]}, []),
        (["09:00"], []),
        ("09:00", []),
        (None, []),
    ],
)
def test_times_and_days_in_a_result_are_offers(output: object, expected: list[str]) -> None:
    assert offered(output) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The first one, please.", "at 09:00"),
        ("I take the second", "at 09:30"),
        ("the third time then", "at 10:00"),
        ("the last of them", "at 10:00"),
        ("The earliest slot for Ada", "at 09:00"),
    ],
)
def test_an_offer_is_taken_by_its_place(text: str, expected: str) -> None:
    for refused in (True, False):
        assert expected in with_choice(text, TIMES, refused)


@pytest.mark.parametrize(
    "text",
    [
        "the fifth one",
        "on the second",
        "the first floor",
        "the second of May",
        "ten",
        "yes, please",
    ],
)
def test_what_takes_none_of_several_stays_as_it_was(text: str) -> None:
    assert with_choice(text, TIMES, refused=True) == text


@pytest.mark.parametrize(
    "text", ["Yes.", "Okay then", "Sure, that works.", "That's fine.", "That would be great!"]
)
def test_yes_takes_the_only_one_after_a_refusal(text: str) -> None:
    assert with_choice(text, MONDAY, refused=True) == f"{text} 2026-11-30"
    assert with_choice(text, MONDAY, refused=False) == text
    assert with_choice(text, [], refused=True) == text


def test_a_weekday_after_a_refusal_is_the_day_that_was_offered() -> None:
    assert with_choice("Then on monday.", MONDAY, refused=True) == "Then on 2026-11-30."
    for text in ("This Monday.", "Tuesday."):
        assert with_choice(text, MONDAY, refused=True) == text
    assert with_choice("Monday", MONDAY, refused=False) == "Monday"
