from __future__ import annotations

import pytest

from realtime_nb.local.tool_arguments import ToolSpec
from realtime_nb.local.tool_matching import best_match

TOOLS = [
    ToolSpec("book_appointment", "Book an appointment for a patient.", ()),
    ToolSpec("check_appointment_availability", "Check which times are available on a day.", ()),
    ToolSpec("cancel_appointment", "Cancel an appointment.", ()),
    ToolSpec("get_weather", "Get the weather for a city.", ()),
    ToolSpec("sendMessage", "Send a text message to somebody.", ()),
]


def matched(text: str, filled: int = 0) -> str | None:
    match = best_match(TOOLS, text, lambda tool: filled)
    return match.tool.name if match else None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I'd like to book an appointment", "book_appointment"),
        ("can you schedule a meeting", "book_appointment"),
        ("I need to cancel my appointment", "cancel_appointment"),
        ("please delete the appointment on Tuesday", "cancel_appointment"),
        ("are there any free appointments", "check_appointment_availability"),
        ("what appointments are available", "check_appointment_availability"),
        ("when do you have an opening", "check_appointment_availability"),
        ("will it rain? what is the weather", "get_weather"),
        ("weather", "get_weather"),
        ("write a message to Ada", "sendMessage"),
        ("I want an appointmint", "book_appointment"),
    ],
)
def test_the_words_choose_the_function(text: str, name: str) -> None:
    assert matched(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "he was not an ill disposed young man",
        "I read the book with great pleasure last winter",
        "you see, I know what to tell her",
        "that is very kind of you to say",
    ],
)
def test_a_word_in_passing_chooses_none(text: str) -> None:
    assert matched(text, filled=1) is None


def test_one_word_of_the_name_is_not_enough_in_a_long_sentence() -> None:
    assert matched("I had a free afternoon and went to the river") is None


def test_arguments_tip_the_scale_but_never_alone() -> None:
    assert matched("I would like to come on Tuesday", filled=0) is None
    assert matched("on Tuesday at ten", filled=2) is None
    assert matched("I would like to come on Tuesday at ten", filled=2) == "book_appointment"


def test_without_functions_there_is_no_match() -> None:
    assert best_match([], "book an appointment", lambda tool: 0) is None
