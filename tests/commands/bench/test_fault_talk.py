from __future__ import annotations

import asyncio
import json

import pytest

from realtime_nb.commands.bench.fault_talk import KnowingLLM, ToneSTT, is_voice
from realtime_nb.local.llm import Call, Request, Text
from realtime_nb.testing import appends, silence, tone


@pytest.mark.parametrize(
    ("hz", "ms", "text"),
    [
        (300, 400, "Please book Friday."),
        (600, 400, "What did I ask for?"),
        (300, 200, "(cut off)"),
        (600, 300, "(cut off)"),
    ],
)
def test_tones_are_sentences_where_they_are_whole(hz: float, ms: float, text: str) -> None:
    pcm = silence(100) + tone(ms, hz=hz) + silence(200)
    assert ToneSTT().transcribe(pcm, 24_000) == text


def user(text: str) -> dict[str, object]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def call(day: str) -> dict[str, object]:
    return {"type": "function_call", "call_id": day, "arguments": json.dumps({"day": day})}


@pytest.mark.parametrize(
    ("items", "answer"),
    [
        ([user("Hi.")], "I heard Hi."),
        ([user("Monday and Tuesday.")], ["Monday", "Tuesday"]),
        ([user("Monday and Tuesday."), call("Monday")], ["Tuesday"]),
        ([user("Monday and Tuesday."), call("Tuesday"), call("Monday")], "That is booked now."),
        ([], "Hello."),
    ],
)
def test_it_books_what_is_not_booked_yet(
    items: list[dict[str, object]], answer: str | list[str]
) -> None:
    llm = KnowingLLM()

    async def reply() -> list[Text | Call]:
        return [part async for part in llm.reply(Request(items, "who"))]

    parts = asyncio.run(reply())
    if isinstance(answer, str):
        assert "".join(part.delta for part in parts if isinstance(part, Text)) == answer
    else:
        assert [json.loads(part.arguments)["day"] for part in parts if isinstance(part, Call)] == (
            answer
        )
    assert [request.items for request in llm.requests["who"]] == [items]


def test_a_voice_is_no_silence() -> None:
    assert [is_voice(event) for event in appends(silence(20) + tone(40))] == [False, True, True]
    assert not is_voice({"type": "response.create"})
