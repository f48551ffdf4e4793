from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.small_talk import (
    about_the_user,
    echo,
    greeting,
    known,
    name_in,
    offer,
    result_sentence,
    small_talk,
    without_pleasantries,
)
from realtime_nb.local.tool_arguments import ToolSpec

EVENING = datetime.datetime(2026, 11, 22, 18, 5)
OFFER = "I can roll dice."


def talk(text: str, last_answer: str = "", today: datetime.date = EVENING) -> str | None:
    return small_talk(text, today, last_answer, OFFER)


def echo_of(text: str) -> str:
    """What comes between "You said:" and the hint."""
    answer = echo(text)
    for hint in (" I follow fixed rules, so ask what I can do.", " Ask me what I can do."):
        if answer.endswith(hint):
            return answer.removesuffix(hint).removeprefix("I heard you. You said: ")
    raise AssertionError(answer)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Hello!", "Hello there! I can roll dice. What would you like?"),
        ("um, good morning", "Hello there! I can roll dice. What would you like?"),
        ("HOW ARE YOU?", "I am fine, thank you. I can roll dice."),
        ("What’s the time?", "It is six oh five in the evening."),
        ("Which day is it?", "Today is Sunday, November twenty-second."),
        ("Thank you so much.", "You are welcome. Is there anything else?"),
        ("Bye.", "Goodbye! Talk to you soon."),
        ("Please count to 3.", "Here we go. One, two, three."),
        ("Count from one to five.", "Here we go. One, two, three, four, five."),
        ("Count to zero.", "I count from one to thirty at most."),
        ("Count to the moon.", "I count from one to thirty at most."),
        ("Never mind.", "All right. I am listening."),
        ("No, nothing else.", "All right, then. I am here if you need me."),
        ("Okay.", "All right. What would you like? I can roll dice."),
    ],
)
def test_what_is_said_every_day_has_its_answer(text: str, answer: str) -> None:
    assert talk(text) == answer


@pytest.mark.parametrize(
    "text",
    ["", "He was not an ill disposed young man.", "Ten of clubs.", "I can count on you."],
)
def test_anything_else_has_none(text: str) -> None:
    assert talk(text) is None


def test_without_a_clock_only_the_day_is_told() -> None:
    assert talk("What time is it?", today=EVENING.date()) == (
        "I have no clock. Today is Sunday, November twenty-second."
    )


def test_the_last_answer_is_said_again_if_there_is_one() -> None:
    assert talk("Say that again, please.", "It is noon.") == "I said: It is noon."
    assert talk("Pardon?") == "I have not said anything yet."


def test_who_it_is_and_what_it_can_do() -> None:
    for text in ("Who are you?", "Are you a robot?", "What can you do?", "Help!"):
        answer = talk(text)
        assert answer is not None
        assert "not a language model" in answer
        assert OFFER in answer


def test_the_offer_names_at_most_three_functions() -> None:
    tools = [
        ToolSpec("roll_dice", "Roll some dice.", ()),
        ToolSpec("getWeather", "The weather of a city.", ()),
        ToolSpec("book", "Book a table, with or without a view of the lake.", ()),
        ToolSpec("sing", "Sing.", ()),
    ]
    assert offer(tools) == "I can roll some dice, get weather or book."
    assert offer(tools[:1]) == "I can roll some dice."
    assert offer([]) == "You can ask me who I am, the date, or to count to ten."
    assert greeting(OFFER) == "Hello! I am the local rule-based agent. I can roll dice."


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Ten of clubs", "Ten of clubs."),
        ("Ten of clubs.", "Ten of clubs."),
        ("Ten of clubs?!", "Ten of clubs."),
        ("Ten of clubs…", "Ten of clubs."),
        ("He was not an ill-sposed young man,", "He was not an ill-sposed young man."),
        ("And so, he said -", "And so, he said."),
        ("… well, then; yes", "well, then; yes."),
        ("Really? He did.", "Really? He did."),
        ("at 10:30 a.m.", "at 10:30 a.m."),
        (
            "one two three four five six seven eight nine ten eleven twelve",
            "one two three four five six seven eight nine ten eleven twelve.",
        ),
        (
            "one two three four five six seven eight nine ten eleven twelve, thirteen",
            "one two three four five six seven eight nine ten eleven twelve, and so on.",
        ),
    ],
)
def test_the_echo_is_what_was_heard_and_ends_in_one_full_stop(text: str, heard: str) -> None:
    assert echo_of(text) == heard


@given(st.text(alphabet="ab ,;:.!?…-–", min_size=1).filter(lambda text: set(text) & set("ab")))
def test_every_echo_is_short_and_ends_well(text: str) -> None:
    heard = echo_of(text)
    assert heard[-1] == "."
    assert heard[-2] in "abn"
    assert len(heard.split()) <= 15


def test_a_long_echo_has_the_shorter_hint() -> None:
    assert echo("one two three") == (
        "I heard you. You said: one two three. I follow fixed rules, so ask what I can do."
    )
    assert echo("one " * 9).endswith("one. Ask me what I can do.")


@pytest.mark.parametrize(
    ("value", "name", "sentence"),
    [
        ({"message": "it is open"}, "get state", "Here it is. It is open."),
        ({"message": "It is open!"}, "open door", "Done. It is open!"),
        ({"error": "KeyError: no door"}, "open door", "Sorry. No door."),
        ({"error": {"code": 7}}, "open door", "Sorry. That did not work."),
        ({"a_b": 1, "c": [True, None]}, "x", "Here it is. A b one, c yes and none."),
        ([{"a": 1}, {"a": 2}], "x", "Here it is. A one and a two."),
        (True, "x", "Yes."),
        (2.5, "x", "Two point five."),
        (None, "x", "Done."),
    ],
)
def test_a_result_becomes_a_sentence(value: object, name: str, sentence: str) -> None:
    assert result_sentence("…", value, name) == sentence


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My name is Ada.", "Ada"),
        ("hello, my name is ada lovelace", "Ada"),
        ("Book ten o'clock, my name is Grace.", "Grace"),
        ("call me Zoë", "Zoë"),
        ("The name is short.", ""),
        ("my name is 7", ""),
    ],
)
def test_a_name_that_somebody_says_is_theirs(text: str, name: str) -> None:
    assert name_in(text) == name


def test_who_says_their_name_is_greeted_by_it_and_known_by_it() -> None:
    assert about_the_user("My name is Ada.", "Ada") == "Nice to meet you, Ada."
    assert about_the_user("What’s my name?", "Ada") == "You are Ada."
    assert about_the_user("Do you remember my name?", "") == "You have not told me your name."
    assert about_the_user("Book ten o'clock, my name is Grace.", "Grace") is None
    assert about_the_user("What's your name?", "Ada") is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Hello, how are you today?", "Hello, how are you?"),
        (
            "How have you been this morning, can I come in today?",
            "How have you been, can I come in today?",
        ),
        ("How is it going tonight", "How is it going"),
        ("How about today?", "How about today?"),
        ("How are you? Today I am ill.", "How are you? Today I am ill."),
    ],
)
def test_a_greeting_holds_no_day(text: str, left: str) -> None:
    assert without_pleasantries(text) == left


@pytest.mark.parametrize(
    "text",
    ["What time is it?", "Which day is it?", "Count to five.", "Say it again.", "Help!", "Stop!"],
)
def test_what_has_one_right_answer_is_known(text: str) -> None:
    assert known(text)


@pytest.mark.parametrize(
    "text", ["Hello.", "How are you?", "Thanks.", "Tell me a joke.", "Bananas are blue.", ""]
)
def test_what_any_words_answer_is_not(text: str) -> None:
    assert not known(text)


def test_who_answers_is_said_to_who_asks_what_it_can_do() -> None:
    said = small_talk("What can you do?", EVENING, "", OFFER, "I am two.")
    assert said == f"Let me tell you. {OFFER} I am two."
