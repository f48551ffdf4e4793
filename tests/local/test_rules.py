from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from realtime_nb.appointments import AppointmentBook
from realtime_nb.local.llm import Call, Request, Text
from realtime_nb.local.rules import RuleLLM
from realtime_nb.tools import Tool, collect, definitions

Item = dict[str, Any]
SUNDAY_EVENING = datetime.datetime(2026, 11, 22, 18, 5)


def user(text: str | None) -> Item:
    content = [{"type": "input_audio", "transcript": text}]
    return {"type": "message", "role": "user", "content": content}


def assistant(text: str) -> Item:
    content = [{"type": "output_audio", "transcript": text}]
    return {"type": "message", "role": "assistant", "content": content}


def called(name: str, arguments: str, call_id: str = "call_1") -> Item:
    return {"type": "function_call", "name": name, "arguments": arguments, "call_id": call_id}


def returned(output: str, call_id: str = "call_1") -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def reply(request: Request, clock: Callable[[], datetime.date] | None = None) -> str | Call:
    async def read() -> list[Text | Call]:
        llm = RuleLLM(clock or (lambda: SUNDAY_EVENING))
        return [part async for part in llm.reply(request)]

    parts = asyncio.run(read())
    if isinstance(parts[0], Call):
        assert len(parts) == 1
        return parts[0]
    assert all(isinstance(part, Text) and len(part.delta.split()) == 1 for part in parts)
    return "".join(part.delta for part in parts if isinstance(part, Text))


class Talk:
    """A conversation in which the functions that are called are really run."""

    def __init__(self, tools: Sequence[Any], tool_choice: str | dict[str, Any] = "auto") -> None:
        self.tools = collect(tools)
        self.tool_choice = tool_choice
        self.items: list[Item] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def say(self, text: str) -> str:
        self.items.append(user(text))
        for _ in range(3):
            answer = self._reply()
            if isinstance(answer, str):
                self.items.append(assistant(answer))
                return answer
            self._run(answer)
        raise AssertionError("The agent calls without end.")

    def _reply(self) -> str | Call:
        request = Request(
            items=self.items, tools=definitions(self.tools), tool_choice=self.tool_choice
        )
        return reply(request)

    def _run(self, call: Call) -> None:
        self.calls.append((call.name, json.loads(call.arguments)))
        tool = self.tools[call.name]
        assert isinstance(tool, Tool)
        call_id = f"call_{len(self.items)}"
        result = asyncio.run(tool.call(call.arguments))
        self.items.append(called(call.name, call.arguments, call_id))
        self.items.append(returned(result.output, call_id))


@pytest.fixture
def practice(tmp_path: Path) -> Talk:
    return Talk(AppointmentBook(tmp_path / "b.sqlite", clock=SUNDAY_EVENING.date).tools())


WANTED = {"date": "2026-11-24", "time": "10:00", "patient_name": "Ada Lovelace"}


@pytest.mark.parametrize(
    "text",
    [
        "I'd like to book an appointment for next Tuesday at ten in the morning, my name is Ada "
        "Lovelace.",
        "I'd like to book an appointment for next Tuesday at 10 in the morning. My name is Ada "
        "Lovelace.",
        "I would like to book an appointment for next Tuesday at 10 a.m. My name is Ada Lovelace.",
        "i like to book an appoinment next tuesday at 10 am my name is ada lovelace",
        "Hi, this is Ada Lovelace. Can I get an appointment on Tuesday at ten o'clock?",
        "Please schedule a meeting on November 24th at 10:00 for Ada Lovelace.",
        "I'm Ada Lovelace and I need an appointment on the 24th at ten.",
        "Could you make an appointment for Ada Lovelace, Tuesday morning at 10?",
        "Book me in for Tuesday at 10 o’clock. My name’s Ada Lovelace.",
        "Reserve Tuesday the twenty-fourth at ten in the morning under the name Ada Lovelace.",
        "I want to book an appointment in two days at 10 AM, the name is Ada Lovelace, thank you.",
    ],
)
def test_one_sentence_is_enough_to_book(practice: Talk, text: str) -> None:
    answer = practice.say(text)
    assert practice.calls == [("book_appointment", WANTED)]
    assert answer == (
        "Done. Ada Lovelace is booked for a checkup on Tuesday, November twenty-fourth at ten in "
        "the morning."
    )


def test_what_is_missing_is_asked_for_until_it_is_there(practice: Talk) -> None:
    assert practice.say("I want to make an appointment for a cleaning.") == (
        "All right. On which day, at what time and under what name?"
    )
    assert practice.say("Tuesday at 10.") == "All right. What name should I book it under?"
    assert practice.calls == []
    assert practice.say("ada lovelace").startswith("Done.")
    assert practice.calls == [("book_appointment", {**WANTED, "service_type": "cleaning"})]


def test_a_bare_hour_answers_the_question_for_the_time(practice: Talk) -> None:
    practice.say("Book an appointment for Ada Lovelace on Tuesday.")
    assert practice.say("Ten thirty.").startswith("Done.")
    assert practice.calls[0][1]["time"] == "10:30"


def test_a_name_that_was_given_before_is_remembered(practice: Talk) -> None:
    practice.say("Hello, my name is Ada Lovelace.")
    practice.say("I'd like to book an appointment for next Tuesday at ten.")
    assert practice.calls == [("book_appointment", WANTED)]


def test_a_later_value_replaces_an_earlier_one(practice: Talk) -> None:
    practice.say("Book an appointment on Wednesday at ten.")
    practice.say("No, on Tuesday. My name is Ada Lovelace.")
    assert practice.calls == [("book_appointment", WANTED)]


def test_a_question_between_is_answered_and_the_gap_asked_for_again(practice: Talk) -> None:
    practice.say("Book an appointment on Tuesday at ten.")
    assert practice.say("What time is it?") == (
        "It is six oh five in the evening. What name should I book it under?"
    )
    practice.say("Ada Lovelace.")
    assert practice.calls == [("book_appointment", WANTED)]


def test_what_does_not_answer_is_asked_again_and_dropped_in_the_end(practice: Talk) -> None:
    practice.say("Book an appointment on Tuesday at ten.")
    for _ in range(2):
        assert practice.say("He was not an ill-disposed young man.") == (
            "Sorry, I did not get that. What name should I book it under?"
        )
    assert practice.say("He might even have been made amiable.").startswith("Let us leave that.")
    assert practice.say("Ada Lovelace.").startswith("I heard you.")
    assert practice.calls == []


def test_never_mind_drops_it(practice: Talk) -> None:
    practice.say("Book an appointment on Tuesday at ten.")
    assert practice.say("Never mind.") == "All right, I dropped that. What else can I do?"
    assert practice.say("Ada Lovelace").startswith("I heard you.")
    assert practice.calls == []


def test_a_question_looks_up_and_a_booking_may_build_on_it(practice: Talk) -> None:
    assert practice.say("Is there anything free on Tuesday?") == (
        "Here it is. On Tuesday, November twenty-fourth there is nine in the morning to four "
        "thirty in the afternoon."
    )
    practice.say("Then book me in at ten. My name is Ada Lovelace.")
    assert practice.calls == [
        ("check_appointment_availability", {"date": "2026-11-24"}),
        ("book_appointment", WANTED),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Do you have any appointments on Tuesday?",
        "What times are available next Tuesday?",
        "Which slots are open on the 24th?",
        "Check the availability for November 24, please.",
        "when are you free on tuesday",
    ],
)
def test_ways_to_ask_for_free_times(practice: Talk, text: str) -> None:
    practice.say(text)
    assert practice.calls == [("check_appointment_availability", {"date": "2026-11-24"})]


def test_after_a_refusal_another_time_is_enough(practice: Talk) -> None:
    practice.say("Book an appointment for Grace Hopper on Tuesday at ten.")
    assert practice.say("Book an appointment for Ada Lovelace on Tuesday at ten.").startswith(
        "Sorry. Ten in the morning on Tuesday, November twenty-fourth is taken."
    )
    assert practice.say("Then ten thirty, please.").startswith("Done.")
    assert practice.calls[-1] == ("book_appointment", {**WANTED, "time": "10:30"})


def test_after_a_look_up_a_time_is_enough_to_go_on(practice: Talk) -> None:
    practice.say("Is there anything free on Tuesday?")
    assert practice.say("Ten o'clock, then.") == "All right. What name should I book it under?"
    practice.say("Ada Lovelace.")
    assert practice.calls[1:] == [("book_appointment", WANTED)]


@pytest.mark.parametrize(
    ("first", "second", "time"),
    [
        ("anything free", "Book the one at half-past nine, please, for Ada Lovelace.", "09:30"),
        ("anything free", "Great, I'll take two o'clock. It's for Ada Lovelace.", "14:00"),
        ("anything free", "Can I have the nine o'clock for my wife Ada Lovelace?", "09:00"),
        ("anything free", "Let's do 10:30. Name is Ada Lovelace.", "10:30"),
        ("anything free", "The earliest one, please, for Ada Lovelace.", "09:00"),
        ("anything free", "Thank you, I take the last one. My name is Ada Lovelace.", "16:30"),
        ("ten o'clock still free", "Yes, please book it for Ada Lovelace.", "10:00"),
        ("anything free at ten", "My name is Ada Lovelace, book it.", "10:00"),
    ],
)
def test_a_booking_takes_the_rest_from_the_look_up(
    practice: Talk, first: str, second: str, time: str
) -> None:
    practice.say(f"Is {first} on Tuesday?")
    assert practice.say(second).startswith("Done.")
    assert practice.calls[1:] == [("book_appointment", {**WANTED, "time": time})]


@pytest.mark.parametrize("text", ["How about the 25th?", "And on Wednesday?", "Wednesday?"])
def test_after_a_look_up_another_day_is_looked_up(practice: Talk, text: str) -> None:
    practice.say("Is there anything free on Tuesday for a cleaning?")
    practice.say(text)
    practice.say("Then at nine, for Ada Lovelace.")
    wednesday = {"date": "2026-11-25", "service_type": "cleaning"}
    assert practice.calls[1:] == [
        ("check_appointment_availability", wednesday),
        ("book_appointment", {**WANTED, **wednesday, "time": "09:00"}),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Thank you, that's all.",
        "He was not an ill disposed young man.",
        "Ten of clubs.",
        "What time is it?",
        "My name is Ada Lovelace.",
        "I know, see you on Friday.",
        "Nobody came to the party on Friday, I heard.",
    ],
)
def test_after_a_look_up_other_speech_calls_nothing(practice: Talk, text: str) -> None:
    practice.say("Is there anything free on Tuesday?")
    practice.say(text)
    assert len(practice.calls) == 1


def test_a_limit_is_no_time_to_book(practice: Talk) -> None:
    practice.say("Is there anything free between nine and eleven on Tuesday?")
    assert practice.say("Book it for Ada Lovelace.") == "All right. At what time?"


@pytest.mark.parametrize(
    ("wanted", "refusal", "answer", "booked"),
    [
        (
            "Tuesday at twelve",
            "Noon on Tuesday, November twenty-fourth is taken. Near it there is eleven in the "
            "morning, eleven thirty in the morning and twelve thirty in the afternoon.",
            "Yes, the second one please.",
            ("2026-11-24", "11:30"),
        ),
        ("Tuesday at twelve", "Noon on", "The first.", ("2026-11-24", "11:00")),
        ("Tuesday at twelve", "Noon on", "At ten, then.", ("2026-11-24", "10:00")),
        ("Tuesday at twelve", "Noon on", "Rather on Friday.", ("2026-11-27", "12:00")),
        (
            "Sunday at ten",
            "On Sunday, November twenty-ninth we are closed. We are open Monday to Friday. The "
            "next free day is Monday, November thirtieth.",
            "Yes, please.",
            ("2026-11-30", "10:00"),
        ),
        ("Sunday at ten", "On Sunday", "Okay, Monday then.", ("2026-11-30", "10:00")),
        ("Sunday at ten", "On Sunday", "This Monday at nine.", ("2026-11-23", "09:00")),
        (
            "yesterday at ten",
            "Saturday, November twenty-first is in the past. Today is Sunday, November "
            "twenty-second. The next free day is Monday, November twenty-third.",
            "That's fine.",
            ("2026-11-23", "10:00"),
        ),
        ("yesterday at ten", "Saturday", "I meant tomorrow.", ("2026-11-23", "10:00")),
        (
            "Monday at eight in the evening",
            "No appointment starts at eight in the evening. They start every thirty minutes from "
            "nine in the morning to four thirty in the afternoon. Near it there is three thirty in "
            "the afternoon, four in the afternoon and four thirty in the afternoon.",
            "Then the last one.",
            ("2026-11-23", "16:30"),
        ),
    ],
)
def test_a_refusal_names_what_there_is_instead_and_that_can_be_taken(
    practice: Talk, wanted: str, refusal: str, answer: str, booked: tuple[str, str]
) -> None:
    practice.say("Book Tuesday at twelve for Grace Hopper.")
    assert practice.say(f"Book {wanted} for Ada Lovelace.").startswith(f"Sorry. {refusal}")
    assert practice.say(answer).startswith("Done.")
    date, time = booked
    assert practice.calls[-1] == ("book_appointment", {**WANTED, "date": date, "time": time})


def test_a_look_up_after_a_refusal_keeps_the_name(practice: Talk) -> None:
    practice.say("Book an appointment yesterday at ten for Ada Lovelace.")
    practice.say("What is free on Tuesday?")
    practice.say("Okay, book the one at ten.")
    assert practice.calls[-1] == ("book_appointment", WANTED)


def test_what_was_refused_is_not_tried_again(practice: Talk) -> None:
    practice.say("Book an appointment yesterday at ten for Ada Lovelace.")
    assert practice.say("Book the appointment.") == "All right. On which day and at what time?"
    assert practice.say("Tuesday at ten.").startswith("Done.")


def test_a_refusal_can_be_left_at_that(practice: Talk) -> None:
    practice.say("Book an appointment yesterday at ten for Ada Lovelace.")
    assert practice.say("Never mind.") == "All right, I dropped that. What else can I do?"
    practice.say("Tuesday at ten.")
    assert len(practice.calls) == 1


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (
            ["I'd like to book a check-up on Wednesday at ten.", "No, make it Tuesday."],
            {"service_type": "checkup"},
        ),
        (["Book an appointment on Tuesday at nine.", "Actually at ten."], {}),
        (["Book an appointment on Tuesday at nine.", "Make it ten."], {}),
        (["I need a cleaning.", "Tuesday.", "10 a.m."], {"service_type": "cleaning"}),
        (
            ["I would like to have my teeth cleaned tomorrow at ten.", "No, sorry, on the 24th."],
            {"service_type": "cleaning"},
        ),
        (["Please put me down for Tuesday morning at ten."], {}),
        (["I need to see the dentist on Monday, no, Tuesday at ten o'clock."], {}),
    ],
)
def test_wishes_and_corrections(practice: Talk, turns: list[str], expected: dict[str, str]) -> None:
    for turn in turns:
        practice.say(turn)
    assert practice.say("Under Ada Lovelace.").startswith("Done.")
    assert practice.calls == [("book_appointment", {**WANTED, **expected})]


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


def test_after_a_booking_nothing_of_it_is_used_again(practice: Talk) -> None:
    practice.say("Book an appointment for Grace Hopper on Tuesday at ten.")
    assert practice.say("Book another appointment.") == (
        "All right. On which day, at what time and under what name?"
    )


@pytest.mark.parametrize(
    "text",
    [
        "And Mr. John Dashwood had then leisure to consider how much there might be prudently in "
        "his power to do for them.",
        "He was not an ill disposed young man.",
        "Unless to be rather cold-hearted and rather selfish is to be ill-disposed.",
        "Had he married a more amiable woman, he might have been made still more respectable than "
        "he was.",
        "He might even have been made amiable himself.",
        "Ten of clubs.",
        "Go forward ten meters.",
        "I read a book yesterday.",
        "I know, see you on Tuesday.",
        "What a nice day!",
        "Hello, how are you today?",
        "Good morning.",
        "Thank you.",
    ],
)
def test_free_speech_calls_nothing(practice: Talk, text: str) -> None:
    practice.say(text)
    assert practice.calls == []


def test_free_speech_is_said_back_at_some_length(practice: Talk) -> None:
    assert practice.say("He was not an ill disposed young man,") == (
        "I heard you. You said: He was not an ill disposed young man. I follow fixed rules, so ask "
        "what I can do."
    )
    long = practice.say("one " * 50)
    assert "and so on" in long
    assert len(long.split()) < 35


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


def test_a_tool_choice_of_none_calls_nothing(practice: Talk) -> None:
    practice.tool_choice = "none"
    practice.say("Book an appointment for Ada Lovelace on Tuesday at ten.")
    assert practice.calls == []


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


@pytest.mark.parametrize("word", ["one", "twenty", "Ada", "x", "at", "for", "."])
def test_a_very_long_turn_is_answered_as_quickly(practice: Talk, word: str) -> None:
    assert practice.say(f"{word} " * 20_000)
    assert practice.calls == []


def test_a_long_conversation_stays_as_fast_as_a_short_one() -> None:
    items = [*[user("Hello."), assistant("Hi.")] * 5000, user("Count to two.")]
    assert reply(Request(items=items)) == "Here we go. One, two."


PHRASES = (
    "book an appointment,Tuesday,at ten,my name is Ada,never mind,yes,the,free,cleaning,hello,"
    "what time is it,10:30,tomorrow,?,for Grace"
)
phrases = st.lists(
    st.sampled_from(PHRASES.split(",")),
    max_size=6,
).map(" ".join)


@given(st.lists(phrases, min_size=1, max_size=6))
def test_no_conversation_makes_it_fail_and_every_call_fits_the_schema(turns: list[str]) -> None:
    ran: list[dict[str, Any]] = []

    def book_appointment(
        date: str, time: str, patient_name: str, service_type: Literal["cleaning", "x"] = "x"
    ) -> str:
        """Book an appointment."""
        ran.append({"date": date, "time": time, "name": patient_name, "service": service_type})
        return "Booked."

    talk = Talk([book_appointment])
    for text in turns:
        assert talk.say(text)
    assert len(ran) == len(talk.calls)
    said = " ".join(turns)
    for call in ran:
        assert call["name"] in ("Ada", "Grace", "Ada Grace")
        assert call["time"] in ("10:00", "10:30")
        assert call["service"] == "x" or "cleaning" in said
        assert datetime.date.fromisoformat(call["date"]) > SUNDAY_EVENING.date()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "enum", "$ref", "anyOf", "properties", "required", "format"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
odd_items = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "function_call_output", "odd"]),
        "role": st.sampled_from(["user", "assistant", "system"]),
        "content": json_values,
        "name": json_values,
        "arguments": json_values,
        "output": json_values,
        "call_id": json_values,
    },
)
odd_tools = st.fixed_dictionaries(
    {"type": st.just("function"), "name": st.sampled_from(["book", "get_x"])},
    optional={"description": json_values, "parameters": json_values},
)


@given(st.lists(odd_items, max_size=5), st.lists(odd_tools, max_size=2), phrases)
def test_odd_items_and_schemas_are_taken_as_they_come(
    items: list[Item], tools: list[dict[str, Any]], text: str
) -> None:
    for asked in (items, [*items, user(text)]):
        answer = reply(Request(items=asked, tools=tools))
        assert isinstance(answer, Call) or answer.strip()
