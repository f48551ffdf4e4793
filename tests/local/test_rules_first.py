"""Rules for what has to be right, somebody else for small talk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.commands.appointments import AppointmentBook
from realtime_nb.errors import ConfigurationError, RealtimeError
from realtime_nb.local.llm import Call, Request, Text, Usage, word_deltas
from realtime_nb.local.rules_first import RulesFirst
from tests.local.rule_talk import SUNDAY_EVENING, Talk, assistant, called, reply, returned, user

CHAT = "I would rather talk about the sea."


class Chatterbox:
    """Says the same whatever it is asked, and keeps what it was asked."""

    name = "chatterbox"

    def __init__(self, says: str = CHAT, error: Exception | None = None) -> None:
        self.says, self.error = says, error
        self.requests: list[Request] = []
        self.closed = 0
        self.warmed = False

    def warm_up(self) -> None:
        self.warmed = True

    async def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        self.requests.append(request)
        try:
            yield Call("book_appointment", "{}")
            for delta in word_deltas(self.says):
                yield Text(delta)
            if self.error is not None:
                raise self.error
        finally:
            self.closed += 1


def rules_and(other: Chatterbox) -> RulesFirst:
    return RulesFirst(other, lambda: SUNDAY_EVENING)


@pytest.fixture
def other() -> Chatterbox:
    return Chatterbox()


@pytest.fixture
def practice(tmp_path: Path, other: Chatterbox) -> Talk:
    tools = AppointmentBook(tmp_path / "b.sqlite", clock=SUNDAY_EVENING.date).tools()
    return Talk(tools, llm=rules_and(other))


def test_a_booking_works_with_small_talk_before_in_between_and_after(
    practice: Talk, other: Chatterbox
) -> None:
    assert practice.say("Hello, how are you today?") == CHAT
    asked = practice.say("I want to make an appointment for a cleaning.")
    assert asked == "All right. On which day, at what time and under what name?"
    assert practice.say("By the way, how are you today?").startswith(f"{CHAT} On which day")
    assert practice.say("Tuesday at 10.") == "All right. What name should I book it under?"
    assert practice.say("Do you like music?") == f"{CHAT} What name should I book it under?"
    assert practice.calls == []
    assert practice.say("Ada Lovelace.").startswith("Done. Ada Lovelace is booked")
    assert [name for name, _ in practice.calls] == ["book_appointment"]
    assert practice.calls[0][1]["date"] == "2026-11-24"
    assert practice.say("Tell me a joke.") == CHAT
    assert len(other.requests) == 4


@pytest.mark.parametrize(
    "text",
    [
        "Hello!",
        "How are you doing?",
        "Who are you?",
        "Thank you so much.",
        "Goodbye.",
        "Tell me a story.",
        "I had a long day at work and my cat is ill.",
        "What is your favourite colour?",
        "Yes.",
    ],
)
def test_small_talk_is_the_other_models(practice: Talk, text: str) -> None:
    assert practice.say(text) == CHAT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What time is it?", "six oh five"),
        ("What day is it?", "November"),
        ("Count to three.", "One, two, three."),
        ("My name is Ada.", "Nice to meet you, Ada."),
        ("What can you do?", "small talk is made by chatterbox"),
        ("Stop.", "I am listening"),
        ("", "did not hear any words"),
        ("What is free on Tuesday?", "Here it is"),
    ],
)
def test_what_the_rules_know_they_say(
    practice: Talk, other: Chatterbox, text: str, words: str
) -> None:
    assert words in practice.say(text)
    assert other.requests == []


def test_what_was_said_before_is_said_again_whoever_said_it(practice: Talk) -> None:
    practice.say("Tell me a joke.")
    assert practice.say("Say that again.") == f"I said: {CHAT}"


def test_a_wrong_answer_to_the_question_is_no_small_talk(practice: Talk, other: Chatterbox) -> None:
    practice.say("I want to make an appointment.")
    assert practice.say("The weather is nice and I am tired.").startswith(
        "Sorry, I did not get that."
    )
    assert practice.say("Never mind.") == "All right, I dropped that. What else can I do?"
    assert other.requests == []


def test_results_come_before_small_talk() -> None:
    other = Chatterbox()
    items = [called("now", "{}"), returned('"noon"'), user("How are you?")]
    tools = [{"type": "function", "name": "now"}]
    said = reply(Request(items=items, tools=tools), llm=rules_and(other))
    assert isinstance(said, str)
    assert said.endswith(CHAT)
    assert "noon" in said.removesuffix(CHAT).lower()


def test_the_other_model_is_told_what_was_said_and_no_functions() -> None:
    other = Chatterbox()
    told = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "S"}]}
    turns = [each for n in range(20) for each in (user(f"Hm {n}."), assistant(f"Yes {n}."))]
    calls = [called("now", "{}"), returned('"noon"'), assistant("Noon.")]
    request = Request(
        items=[told, *turns, *calls, user("Tell me a joke.")],
        instructions="Be kind.",
        tools=[{"type": "function", "name": "now"}],
        tool_choice="auto",
        max_output_tokens=50,
    )
    assert reply(request, llm=rules_and(other)) == CHAT
    (asked,) = other.requests
    assert (asked.instructions, asked.tools, asked.max_output_tokens) == ("Be kind.", [], 50)
    assert asked.tool_choice == "none"
    assert asked.items[0] == told
    assert asked.items[-2:] == [assistant("Noon."), user("Tell me a joke.")]
    assert len(asked.items) == 13


async def test_closing_the_stream_closes_the_other_models() -> None:
    other = Chatterbox()
    stream: Any = rules_and(other).reply(Request(items=[user("Tell me a joke.")]))
    assert await anext(stream) == Text("I")
    await stream.aclose()
    assert other.closed == 1


async def test_an_error_of_the_other_model_is_told() -> None:
    other = Chatterbox("Half", RealtimeError("It broke."))
    with pytest.raises(RealtimeError, match=r"It broke\."):
        async for _ in rules_and(other).reply(Request(items=[user("Tell me a joke.")])):
            pass


@pytest.mark.parametrize("silence", ["", "…"])
def test_where_the_other_model_says_nothing_the_rules_do(silence: str) -> None:
    said = reply(Request(items=[user("Tell me a joke.")]), llm=rules_and(Chatterbox(silence)))
    assert isinstance(said, str)
    assert "I know none" in said


def test_an_unfinished_sentence_does_not_run_into_the_question(practice: Talk) -> None:
    practice.say("I want to make an appointment.")
    practice.llm = rules_and(Chatterbox("Once upon a time"))
    assert practice.say("How are you?").startswith("Once upon a time. On which day")


def test_it_is_named_after_both_and_loads_the_other(other: Chatterbox) -> None:
    llm = rules_and(other)
    llm.warm_up()
    assert (llm.name, other.warmed) == ("rules+chatterbox", True)
    llm.close()


@pytest.mark.parametrize("other", [None, "smollm2", 3])
def test_what_is_no_model_is_refused(other: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"no reply\(request\)"):
        RulesFirst(other)


TALK = ("How are you?", "Tell me a joke.", "Thank you.", "Do you sing?")
BOOKING = ("I want to make an appointment for a cleaning.", "Tuesday at 10.", "Ada Lovelace.")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(TALK)), max_size=4))
def test_small_talk_anywhere_leaves_the_booking_what_it_is(talk: list[tuple[int, str]]) -> None:
    """Where it was asked something three times over for nothing it gives up: twice is allowed."""
    places = [place for place, _ in talk]
    talk = [one for n, one in enumerate(talk) if places[:n].count(one[0]) < 2]
    other, said = Chatterbox(), list[str]()
    for place, sentence in enumerate((*BOOKING, "")):
        said += [text for at, text in talk if at == place]
        said += [sentence] if sentence else []
    made: list[tuple[str, dict[str, Any]]] = []
    llm, items = rules_and(other), list[dict[str, Any]]()
    tool = {
        "type": "function",
        "name": "book_appointment",
        "description": "Book an appointment.",
        "parameters": {
            "type": "object",
            "properties": {
                "date": {"type": "string", "description": "YYYY-MM-DD"},
                "time": {"type": "string", "description": "HH:MM"},
                "patient_name": {"type": "string"},
            },
            "required": ["date", "time", "patient_name"],
        },
    }
    for text in said:
        items.append(user(text))
        answer = reply(Request(items=items, tools=[tool]), llm=llm)
        if isinstance(answer, Call):
            made.append((text, json.loads(answer.arguments)))
            items += [called(answer.name, answer.arguments), returned('"done"')]
            answer = reply(Request(items=items, tools=[tool]), llm=llm)
        assert isinstance(answer, str)
        assert (CHAT in answer) == (text in TALK)
        items.append(assistant(answer))
    assert made == [
        ("Ada Lovelace.", {"date": "2026-11-24", "time": "10:00", "patient_name": "Ada Lovelace"})
    ]
    llm.close()


def test_asking_costs_the_loop_nothing_of_the_rules() -> None:
    async def run() -> list[str]:
        llm = rules_and(Chatterbox("Yes."))
        ask = Request(items=[user("Do you sing?")])

        async def one() -> str:
            return "".join([p.delta async for p in llm.reply(ask) if isinstance(p, Text)])

        return list(await asyncio.gather(*(one() for _ in range(8))))

    assert asyncio.run(run()) == ["Yes."] * 8


async def test_the_tokens_are_those_of_the_small_talk() -> None:
    class Counting(Chatterbox):
        async def reply(self, request: Request) -> AsyncIterator[Any]:
            async for part in super().reply(request):
                yield part
            yield Usage(30, 5)

    asked = {"type": "message", "role": "user"}
    said = {**asked, "content": [{"type": "input_text", "text": "Tell me a joke."}]}
    parts = [part async for part in rules_and(Counting()).reply(Request(items=[said]))]
    assert parts[-1] == Usage(30, 5)
    assert isinstance(parts[0], Text)
