"""The rule-based agent at the telephone of a practice."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.commands.appointments import AppointmentBook
from tests.local.rule_talk import SUNDAY_EVENING, Talk


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


def test_a_tool_choice_of_none_calls_nothing(practice: Talk) -> None:
    practice.tool_choice = "none"
    practice.say("Book an appointment for Ada Lovelace on Tuesday at ten.")
    assert practice.calls == []


@pytest.mark.parametrize("word", ["one", "twenty", "Ada", "x", "at", "for", "."])
def test_a_very_long_turn_is_answered_as_quickly(practice: Talk, word: str) -> None:
    assert practice.say(f"{word} " * 20_000)
    assert practice.calls == []
