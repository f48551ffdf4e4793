from __future__ import annotations

import pytest

from realtime_nb.local.tool_arguments import Parameter, ToolSpec
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
        ("any openings on Wednesday", "check_appointment_availability"),
        ("do you have anything on Friday", "check_appointment_availability"),
        ("is there anything between nine and eleven", "check_appointment_availability"),
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


@pytest.mark.parametrize(
    "text",
    [
        "I need to see the dentist on Monday at ten",
        "Please put me down for Wednesday at nine",
        "My son needs a treatment tomorrow",
        "I'd like a check-up on Tuesday",
        "I'd like a check up on Tuesday",
    ],
)
def test_a_wish_with_its_arguments_is_a_booking(text: str) -> None:
    assert matched(text, filled=2) == "book_appointment"


def test_a_value_that_a_function_lists_counts_as_one_of_its_words() -> None:
    kinds = Parameter("kind", "choice", False, {"enum": ["deep_cleaning", "checkup"]})
    tools = [ToolSpec("book_visit", "Book it.", (kinds,))]
    for text, expected in (("I need a deep cleaning", True), ("I need a long nap", False)):
        assert (best_match(tools, text, lambda tool: 1) is not None) is expected


def test_to_cancel_is_no_task_for_a_function_that_books() -> None:
    tools = [tool for tool in TOOLS if tool.name != "cancel_appointment"]
    assert best_match(tools, "I want to cancel my appointment on Tuesday", lambda tool: 1) is None


def test_without_functions_there_is_no_match() -> None:
    assert best_match([], "book an appointment", lambda tool: 0) is None
