from __future__ import annotations

import asyncio
import json

from realtime_nb.protocol.conversation import FunctionCall
from realtime_nb.recordings.replay_tools import RecordedAnswers, RecordedTool
from tests.virtual import virtual

DEFINITION = {
    "type": "function",
    "name": "look_up",
    "description": "Look a word up.",
    "parameters": {"type": "object", "properties": {"word": {"type": "string"}}},
}


def call(arguments: str, output: str | None, name: str = "look_up") -> FunctionCall:
    return FunctionCall("id", name, arguments, output=output, done_s=1.0, output_s=3.0)


def texts(answers: RecordedAnswers, *questions: str) -> list[str | None]:
    found = [answers.find("look_up", question) for question in questions]
    return [None if one is None else one.output for one in found]


def test_arguments_are_the_same_in_any_spelling() -> None:
    answers = RecordedAnswers([call('{"a": 1, "b": 2}', "yes")], "same_arguments")

    assert texts(answers, '{"b":2,"a":1}', '{"a": 1}', "no JSON") == ["yes", None, None]
    assert answers.missing == ['look_up({"a": 1})', "look_up(no JSON)"]


def test_a_question_asked_twice_is_answered_as_it_was_each_time_then_as_the_last_time() -> None:
    answers = RecordedAnswers([call("{}", "first"), call("{}", "second")], "same_arguments")

    assert texts(answers, "{}", "{}", "{}") == ["first", "second", "second"]
    assert answers.used == 3


def test_in_order_takes_what_is_left_of_the_name() -> None:
    calls = [call('{"n": 1}', "one"), call('{"n": 2}', "two"), call("{}", "other", "book")]
    answers = RecordedAnswers(calls, "in_order")

    assert texts(answers, '{"n": 2}', '{"n": 3}', '{"n": 4}') == ["two", "one", None]
    assert answers.substituted == ['look_up({"n": 3})']
    assert answers.missing == ['look_up({"n": 4})']


def test_calls_without_an_output_answer_nothing() -> None:
    assert texts(RecordedAnswers([call("{}", None)], "in_order"), "{}") == [None]


@virtual
async def test_an_answer_takes_as_long_as_it_did() -> None:
    tool = RecordedTool(DEFINITION, RecordedAnswers([call("{}", "so")], "in_order"), pace=4.0)

    result = await tool.call("{}")

    assert (result.output, result.outcome) == ("so", "ok")
    assert asyncio.get_running_loop().time() == 0.5
    assert tool.definition() == DEFINITION


async def test_a_call_that_failed_fails_again() -> None:
    output = '{"error": "ValueError: no such day"}'
    answers = RecordedAnswers([FunctionCall("id", "look_up", "{}", output=output)], "in_order")
    began: list[bool] = []

    result = await RecordedTool(DEFINITION, answers, 1.0).call("{}", lambda: began.append(True))

    assert (result.output, result.outcome, began) == (output, "error", [True])


@virtual
async def test_no_answer_is_said_to_be_none() -> None:
    tool = RecordedTool(DEFINITION, RecordedAnswers([], "in_order"), pace=1.0)

    result = await tool.call("{}")

    assert result.outcome == "error"
    assert "look_up was not called with these arguments" in json.loads(result.output)["error"]
