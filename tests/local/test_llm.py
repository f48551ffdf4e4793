from __future__ import annotations

from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.llm import LLM, Call, Request, ScriptedLLM, Text, Usage, word_deltas


async def played(llm: LLM, request: Request | None = None) -> list[Text | Call | Usage]:
    stream: AsyncIterator[Text | Call | Usage] = llm.reply(request or Request(items=[]))
    return [part async for part in stream]


async def test_a_text_is_streamed_word_by_word() -> None:
    assert await played(ScriptedLLM(["Hello, dear  world."])) == [
        Text("Hello,"),
        Text(" dear"),
        Text("  world."),
    ]


async def test_each_request_plays_the_next_reply() -> None:
    call = Call("now", "{}", "call_1")
    llm = ScriptedLLM(["One.", call, ["Two.", call]])
    assert await played(llm) == [Text("One.")]
    assert await played(llm) == [call]
    assert await played(llm) == [Text("Two."), call]


async def test_a_function_makes_its_reply_from_the_request() -> None:
    llm = ScriptedLLM([lambda request: request.instructions])
    assert await played(llm, Request(items=[], instructions="Bonjour.")) == [Text("Bonjour.")]


async def test_an_ended_script_says_so_every_time() -> None:
    llm = ScriptedLLM([])
    first, second = await played(llm), await played(llm)
    assert first == second
    assert "".join(part.delta for part in first if isinstance(part, Text)) == (
        "The script has no further reply."
    )


async def test_a_reply_that_is_never_read_is_still_used_up() -> None:
    llm = ScriptedLLM(["One.", "Two."])
    llm.reply(Request(items=[]))
    assert await played(llm) == [Text("Two.")]


@given(st.text())
def test_deltas_joined_are_the_text_and_hold_one_word_each(text: str) -> None:
    deltas = list(word_deltas(text))
    assert "".join(deltas) == text
    assert all(len(delta.split()) <= 1 for delta in deltas)
    assert len(deltas) == max(len(text.split()), bool(text))
