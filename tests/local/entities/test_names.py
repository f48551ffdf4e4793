from __future__ import annotations

import datetime

import pytest

from realtime_nb.local.entities import find_dates, find_names, find_places, find_times, title_name

SUNDAY = datetime.date(2026, 11, 22)


def names(text: str, asked: bool = False) -> list[str]:
    taken = [found.span for found in find_dates(text, SUNDAY)]
    taken += [found.span for found in find_times(text, taken, asked)]
    return [found.value for found in find_names(text, taken, asked)]


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
        ("at ten, please, for Grace Hopper.", "Grace Hopper"),
        ("it's for my daughter Lily Chen", "Lily Chen"),
        ("My name is Maria Chen and it is for my little boy, Max Chen.", "Max Chen"),
        ("This is Maria Chen, it is for my daughter.", "Maria Chen"),
        ("My son Jack Miller needs a checkup", "Jack Miller"),
        ("for my daughter, her name is Lily Chen", "Lily Chen"),
        ("My daughter's name is lily chen", "Lily Chen"),
        ("Name is Clara Schumann", "Clara Schumann"),
        ("At ten. Name is Clara Schumann.", "Clara Schumann"),
        ("The name Susan O'Neill", "Susan O'Neill"),
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
        "Ada lovelace.",
        "The name, Ada Lovelace.",
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
        ("James brown", "James Brown"),
        ("John van der berg", "John van der Berg"),
    ],
)
def test_names_get_capitals_where_they_have_none(given_name: str, name: str) -> None:
    assert title_name(given_name) == name


def test_places() -> None:
    assert [p.value for p in find_places("What's the weather in Paris today?")] == ["Paris"]
    assert [p.value for p in find_places("the weather in new york")] == ["New York"]
    assert [p.value for p in find_places("San Francisco.", asked=True)] == ["San Francisco"]
    assert find_places("I live in the past") == []
