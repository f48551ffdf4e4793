"""Typed messages while the agent speaks, works or waits."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.local.llm import Call, Request, ScriptedLLM
from realtime_nb.local.rules import RuleLLM
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.testing import MemoryServer, run_on_virtual_clock
from tests.session.session_fakes import LONG_ANSWER
from tests.virtual import virtual

Typing = Literal["interrupts", "waits"]
BOOKED = "Table seven is booked."


async def book(name: str) -> str:
    """Books a table.

    Args:
        name: whose.
    """
    await asyncio.sleep(2)
    return BOOKED


def answer(request: Request) -> str | Call:
    """A model that says what it was last told: all that nothing was said about yet."""
    told: list[str] = []
    for item in reversed(request.items):
        if item.get("role") == "assistant" or item["type"] == "function_call":
            break
        told.insert(0, item.get("output") or item["content"][0]["text"])
    if told == ["book"]:
        return Call("book", '{"name": "Ann"}')
    return f"To {' and '.join(told)}. {LONG_ANSWER}"


@pytest.mark.parametrize(("lead_ms", "ends"), [(1_000.0, "cancelled"), (None, "completed")])
@virtual
async def test_a_typed_message_interrupts_the_agent(lead_ms: float | None, ends: str) -> None:
    """While it is being sent, and where all of it came before it was heard."""
    pace = SpeechPace(lead_ms)
    async with (
        MemoryServer(ScriptedLLM([LONG_ANSWER, "Two."]), pace=pace) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.say("One?")
        await session.wait_for("response.output_audio.delta")
        await asyncio.sleep(1)
        await session.say("Two?")
        began_s = session.clock()
        assert await session.settled()
        first, second = list(session.conversation.responses.values())
        assert (first.status, second.status) == (ends, "completed")
        assert session.clock() - began_s < 3  # the first one would have gone on for 4 s
        (answer, _) = [i for i in session.conversation.in_order() if i.role == "assistant"]
        assert answer.truncated_ms == int(answer.played_ms or 0) == 1_000
        assert server.conversation.items[answer.id].heard_text == answer.heard_text
        assert session.conversation.errors == []


@pytest.mark.parametrize("typing", ["interrupts", "waits"])
@virtual
async def test_two_hundred_messages_end_in_one_answer_to_the_last(typing: Typing) -> None:
    async with (
        MemoryServer(RuleLLM()) as server,
        rt.connect(transport=server.transport, typing=typing) as session,
    ):
        for number in range(200):
            session.say(f"The number is {number}.")
        assert await session.settled(600)
        whole = [r for r in session.conversation.responses.values() if r.status == "completed"]
        assert len(whole) == (1 if typing == "interrupts" else 2)  # and one to the first
        *_, (role, text) = session.conversation.transcript()
        assert role == "assistant"
        assert "199" in text
        assert "still there" not in text


@virtual
async def test_what_waits_while_an_answer_sounds_gets_one_answer_behind_it() -> None:
    """Also where the server was done with that answer long before."""
    async with (
        MemoryServer(ScriptedLLM([answer] * 9)) as server,
        rt.connect(transport=server.transport, typing="waits") as session,
    ):
        await session.say("One?")
        await session.wait_for("response.done")
        for number in range(5):
            await asyncio.sleep(0.3)
            await session.say(f"Message {number}.")
        began_s = session.clock()
        assert await session.settled()
        first, second = [i for i in session.conversation.in_order() if i.role == "assistant"]
        assert first.playback == second.playback == "finished"
        assert all(f"Message {number}." in second.text for number in range(5))
        assert second.played_s is not None and second.played_s > began_s
        assert session.conversation.errors == []


@given(
    st.sampled_from(["interrupts", "waits"]),
    st.lists(
        st.tuples(st.sampled_from(["book", "message", "message"]), st.floats(0, 6)),
        min_size=1,
        max_size=6,
    ),
)
@settings(max_examples=40, deadline=None)
def test_every_message_is_answered_once_and_every_result_is_spoken(
    typing: Typing, steps: list[tuple[str, float]]
) -> None:
    async def check() -> None:
        async with MemoryServer(ScriptedLLM([answer] * 999)) as server:
            session = await rt.connect(transport=server.transport, tools=[book], typing=typing)
            asked = [
                what if what == "book" else f"message {n}" for n, (what, _) in enumerate(steps)
            ]
            for text, (_, pause_s) in zip(asked, steps, strict=True):
                await session.say(text)
                await asyncio.sleep(pause_s)
            assert await session.settled(900)
            items = [i for i in session.conversation.items.values() if i.type == "message"]
            said = [i.text for i in items if i.role == "assistant" and i.playback == "finished"]
            last = asked[-1]
            if last != "book":
                assert any(last in text for text in said)
            for call in session.conversation.calls.values():
                assert call.output == BOOKED
            told = sum(text.count(BOOKED) for text in said)
            assert told == len(session.conversation.calls)
            assert not any(text.startswith("To .") for text in said)  # to nobody
            for text in {*asked} - {"book"}:
                assert sum(text in one for one in said) <= 1
            await session.close()

    run_on_virtual_clock(check())


@virtual
async def test_nobody_who_types_is_asked_whether_they_are_there() -> None:
    detection = rt.ServerVAD(idle_timeout_ms=5_000, create_response=True)
    async with (
        MemoryServer(ScriptedLLM(["Hello."] * 99)) as server,
        rt.connect(transport=server.transport, turn_detection=detection) as session,
    ):
        await session.say("Hi")
        await session.settled()
        quiet = asyncio.create_task(session.append(bytes(4_500 * 48)))
        await quiet
        item = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "I am typing"}],
        }
        await session.send({"type": "conversation.item.create", "item": item})
        await asyncio.sleep(0.1)
        await session.append(bytes(4_500 * 48))
        await asyncio.sleep(1)
        assert not list(session.conversation.responses.values())[1:]
        await session.append(bytes(1_000 * 48))
        await asyncio.sleep(1)
        assert len(session.conversation.responses) == 2  # the timeout itself still works
