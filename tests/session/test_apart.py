"""Responses apart from the conversation, awaited while others run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import Call, Request, ScriptedLLM
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.testing import MemoryServer
from tests.virtual import virtual


def echo(request: Request) -> str:
    return f"<{request.instructions}>"


@virtual
async def test_its_result_is_what_was_said_and_stays_apart() -> None:
    async with (
        MemoryServer(ScriptedLLM([echo])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        reply = await session.respond(
            "Sum up.",
            conversation="none",
            output_modalities=["text"],
            metadata={"topic": "sum"},
        )
        assert (reply.text, reply.status, reply.calls) == ("<Sum up.>", "completed", ())
        assert reply.response["metadata"]["topic"] == "sum"
        assert reply.response["usage"]["output_tokens"] > 0
        assert session.conversation.transcript() == []


@virtual
async def test_many_at_once_get_each_its_own() -> None:
    async with (
        MemoryServer(ScriptedLLM([echo] * 6)) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.say("Hello.")
        asked = [
            session.respond(f"{n}", conversation="none", output_modalities=["text"])
            for n in range(4)
        ]
        replies = await asyncio.gather(*asked)
        assert [reply.text for reply in replies] == [f"<{n}>" for n in range(4)]
        spoken = await session.respond("Aloud.", conversation="none")
        assert spoken.text.strip() == "<Aloud.>"
        assert await session.settled()


@virtual
async def test_calls_are_told_and_not_run() -> None:
    tool = {"type": "function", "name": "classify", "parameters": {"type": "object"}}
    async with (
        MemoryServer(ScriptedLLM([Call("classify", '{"kind": "angry"}')])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        reply = await session.respond("Which?", conversation="none", tools=[tool])
    assert reply.calls == (("classify", '{"kind": "angry"}'),)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"output_modalities": ["smell"]}, "refused the response"),
        ({"zebra": 1}, "zebra"),
    ],
)
def test_a_refusal_is_raised(options: dict[str, Any], words: str) -> None:
    @virtual
    async def asked() -> None:
        async with (
            MemoryServer(ScriptedLLM([])) as server,
            rt.connect(transport=server.transport) as session,
        ):
            with pytest.raises(rt.ServerError, match=words):
                await session.respond("x", conversation="none", **options)

    asked()


@virtual
async def test_one_that_takes_too_long_is_given_up() -> None:
    async with (
        MemoryServer(ScriptedLLM(["word " * 200]), pace=SpeechPace(1_000)) as server,
        rt.connect(transport=server.transport) as session,
    ):
        with pytest.raises(rt.ServerError, match=r"not done after 0\.5 s"):
            await session.respond("x", conversation="none", timeout_s=0.5)


@virtual
async def test_one_of_the_conversation_is_asked_for_as_before() -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.respond("Say yes.")
        assert await session.settled()
        assert session.conversation.transcript() == [("assistant", "Yes.")]
