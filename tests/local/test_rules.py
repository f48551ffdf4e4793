"""What the rule-based agent says, and how it calls any function that is declared."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from realtime_nb.local.llm import Call, Request
from realtime_nb.tools import collect, definitions
from tests.local.rule_talk import SUNDAY_EVENING, Talk, assistant, called, reply, returned, user

# --- speech ---


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("Hello.", "Hello there!"),
        ("How are you?", "I am fine, thank you."),
        ("Who are you?", "I am a simple stand-in."),
        ("What can you do?", "Let me tell you."),
        ("What time is it?", "It is six oh five in the evening."),
        ("What day is it today?", "Today is Sunday, November twenty-second."),
        ("Thanks a lot!", "You are welcome."),
        ("Goodbye.", "Goodbye!"),
        ("Stop.", "All right."),
        ("Yes please.", "All right."),
        ("No thanks.", "All right, then."),
        ("Count to three.", "Here we go. One, two, three."),
        ("Count to a thousand.", "I count from one to thirty at most."),
        ("Tell me a joke.", "I know none, sorry."),
        ("", "Sorry, I did not hear any words."),
        ("…", "Sorry, I did not hear any words."),
    ],
)
def test_small_talk_begins_with_a_short_sentence(text: str, beginning: str) -> None:
    answer = Talk([]).say(text)
    assert answer.startswith(beginning)


def test_it_says_that_it_is_no_language_model() -> None:
    for text in ("Who are you?", "What can you do?"):
        assert "not a language model" in Talk([]).say(text)


def test_it_can_say_the_last_answer_again() -> None:
    talk = Talk([])
    first = talk.say("Count to three.")
    assert talk.say("Could you say that again?") == f"I said: {first}"
    assert Talk([]).say("Say that again.") == "I have not said anything yet."


def test_without_a_clock_it_knows_the_day_only() -> None:
    request = Request(items=[user("What time is it?")])
    assert reply(request, SUNDAY_EVENING.date) == (
        "I have no clock. Today is Sunday, November twenty-second."
    )


def test_it_greets_when_nobody_has_spoken() -> None:
    assert str(reply(Request(items=[]))).startswith("Hello! I am the local rule-based agent.")
    assert reply(Request(items=[user("Hi"), assistant("Hello")])) == (
        "Are you still there? I am listening."
    )


def test_a_long_conversation_stays_as_fast_as_a_short_one() -> None:
    items = [*[user("Hello."), assistant("Hi.")] * 5000, user("Count to two.")]
    assert reply(Request(items=items)) == "Here we go. One, two."


# --- functions ---


def test_a_function_that_needs_a_list_is_never_called() -> None:
    def book_many(days: list[str]) -> str:
        """Book several days."""
        return ""

    talk = Talk([book_many])
    assert talk.say("Book several days, Monday and Tuesday.").startswith("I heard you.")
    assert talk.calls == []


def test_a_weekday_is_given_where_one_is_wanted() -> None:
    days: list[str] = []

    def opening_hours(day: Annotated[str, Field(description="A day, such as monday.")]) -> str:
        """Tell the opening hours of a day of the week."""
        days.append(day)
        return "Nine to five."

    talk = Talk([opening_hours])
    assert talk.say("What are the opening hours on Tuesday?") == "Nine to five."
    assert days == ["tuesday"]


def test_a_named_tool_is_taken_whatever_was_said() -> None:
    request = Request(
        items=[user("My name is Ada Lovelace, Tuesday at ten.")],
        tools=definitions(collect([book_table, say_hello])),
        tool_choice={"type": "function", "name": "say_hello"},
    )
    assert reply(request) == Call("say_hello", "{}")


def test_a_required_call_takes_the_best_function_and_still_invents_nothing() -> None:
    tools = definitions(collect([book_table, say_hello]))
    asked = Request(items=[user("Hm.")], tools=tools, tool_choice="required")
    assert str(reply(asked)).endswith("On which day and how many guests?")
    said = Request(items=[user("A table for 4 tomorrow.")], tools=tools, tool_choice="required")
    assert reply(said) == Call("book_table", '{"day": "2026-11-23", "guests": 4}')


def book_table(day: datetime.date, guests: int) -> None:
    """Book a table."""


def say_hello() -> str:
    """Say hello."""
    return "Hello."


def get_weather(city: str) -> dict[str, object]:
    """Get the weather for a city."""
    return {"city": city, "temperature": 21.5, "sky": "partly_cloudy"}


def set_timer(minutes: int) -> str:
    """Start a timer."""
    return f"The timer is set for {minutes} minutes."


def set_light(room: Literal["kitchen", "living_room"], on: bool) -> bool:
    """Switch the light in a room on or off."""
    return on


def move_robot(direction: Literal["forward", "back"], distance: float) -> None:
    """Move the robot some meters."""


def roll_dice(count: int = 1, sides: int = 6) -> list[int]:
    """Roll dice."""
    return [3] * count


def get_time() -> str:
    """Tell the current time."""
    return "18:05"


def search(query: str) -> list[str]:
    """Search the library for a text."""
    return ["one", "two"]


HOUSE = [get_weather, set_timer, set_light, move_robot, roll_dice, get_time, search]


@pytest.mark.parametrize(
    ("text", "name", "arguments", "answer"),
    [
        (
            "What's the weather like in Paris today?",
            "get_weather",
            {"city": "Paris"},
            "Here it is. City Paris, temperature twenty-one point five, sky partly cloudy.",
        ),
        (
            "Set a timer for ten minutes.",
            "set_timer",
            {"minutes": 10},
            "The timer is set for ten minutes.",
        ),
        (
            "Turn on the light in the living room.",
            "set_light",
            {"room": "living_room", "on": True},
            "Yes.",
        ),
        (
            "turn the kitchen light off please",
            "set_light",
            {"room": "kitchen", "on": False},
            "No.",
        ),
        (
            "go forward ten meters",
            "move_robot",
            {"direction": "forward", "distance": 10},
            "Done.",
        ),
        ("Roll two dice.", "roll_dice", {"count": 2}, "Here it is. Three and three."),
        ("Roll the dice.", "roll_dice", {}, "Here it is. Three."),
        ("What time is it?", "get_time", {}, "Six oh five in the evening."),
        (
            "Search for quantum computing.",
            "search",
            {"query": "quantum computing"},
            "Here it is. One and two.",
        ),
    ],
)
def test_any_declared_function_can_be_called(
    text: str, name: str, arguments: dict[str, Any], answer: str
) -> None:
    talk = Talk(HOUSE)
    assert talk.say(text) == answer
    assert talk.calls == [(name, arguments)]


def test_a_city_is_asked_for_and_understood() -> None:
    talk = Talk(HOUSE)
    assert talk.say("What is the weather?") == "All right. For which city?"
    talk.say("San Francisco.")
    assert talk.calls == [("get_weather", {"city": "San Francisco"})]


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ('{"error": "ValueError: no such day"}', "Sorry. No such day."),
        ('{"error": {"message": "gone"}}', "Sorry. Gone."),
        ('{"message": "It is set for 10:30."}', "Done. It is set for ten thirty in the morning."),
        ('{"id": 7, "open": true}', "Here it is. Id seven, open yes."),
        ("{}", "Here it is. There is nothing."),
        ("[]", "Here it is. There is nothing."),
        ("null", "Done."),
        ("", "Done."),
        ("false", "No."),
        ("42", "Forty-two."),
        ("The table is yours", "The table is yours."),
        ("[1, 2, 3, 4, 5, 6, 7, 8]", "Here it is. One, two, three, four, five, six and two more."),
    ],
)
def test_results_are_spoken(output: str, answer: str) -> None:
    items = [user("Do it."), called("do_it", "{}"), returned(output)]
    assert reply(Request(items=items)) == answer


def test_results_of_calls_made_together_are_spoken_together() -> None:
    items = [
        user("Both."),
        called("a", "{}", "1"),
        called("b", "{}", "2"),
        returned("First", "1"),
        returned("Second", "2"),
    ]
    assert reply(Request(items=items)) == "First. Second."
