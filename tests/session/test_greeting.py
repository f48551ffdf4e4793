"""What an agent says first, and how it ends a session by itself."""

from __future__ import annotations

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import Call, Request, ScriptedLLM
from realtime_nb.local.rules import RuleLLM
from realtime_nb.protocol.events import ResponseDone
from realtime_nb.testing import MemoryServer
from tests.virtual import virtual

WORDS = "Welcome to Doctor Miller's. How can I help you?"


@virtual
async def test_a_greeting_is_said_word_for_word_before_anybody_speaks() -> None:
    async with (
        MemoryServer(RuleLLM()) as server,
        rt.connect(transport=server.transport, greeting=WORDS) as session,
    ):
        assert await session.settled()
        assert list(session.conversation.transcript()) == [("assistant", WORDS)]


@virtual
async def test_instructions_of_a_greeting_and_of_a_response_count_once() -> None:
    asked: list[str] = []

    def reply(request: Request) -> str:
        asked.append(request.instructions)
        return "Well."

    async with (
        MemoryServer(ScriptedLLM([reply] * 3)) as server,
        rt.connect(
            transport=server.transport,
            instructions="Be brief.",
            greeting={"instructions": "Greet in French."},
        ) as session,
    ):
        await session.settled()
        await session.respond("Say good-bye.")
        await session.settled()
        await session.say("Hello")
        await session.settled()
    assert asked == ["Greet in French.", "Say good-bye.", "Be brief."]


@pytest.mark.parametrize("greeting", ["", "  ", 3, [], {}, {"text": "Hi"}, {"instructions": ""}])
def test_what_is_no_greeting_is_refused_at_once(greeting: object) -> None:
    with pytest.raises(rt.ConfigurationError, match="greeting"):
        rt.connect("local", greeting=greeting)  # type: ignore[arg-type]


@pytest.mark.parametrize("in_thread", [True, False])
@virtual
async def test_a_tool_gets_its_session_and_hangs_up_after_the_last_word(in_thread: bool) -> None:
    def bye(reason: str, session: rt.Session) -> str:
        """Ends the call."""
        session.hang_up(after="playback")
        return reason

    async def bye_here(reason: str, session: rt.Session | None = None) -> str:
        """Ends the call."""
        assert session is not None
        return bye(reason, session)

    function = bye if in_thread else bye_here
    assert list(rt.tool(function).parameters["properties"]) == ["reason"]
    call = Call(function.__name__, '{"reason": "done"}')
    async with MemoryServer(ScriptedLLM([call, "Good-bye then."])) as server:
        session = await rt.connect(transport=server.transport, tools=[function])
        await session.say("Bye")
        events = [event async for event in session]
        assert sum(isinstance(event, ResponseDone) for event in events) == 2
        assert session.closed
        assert session.hung_up
        [spoken] = [i for i in session.conversation.items.values() if i.role == "assistant"]
        assert spoken.playback == "finished"
        await session.close()


@virtual
async def test_hanging_up_has_two_ways_only() -> None:
    async with (
        MemoryServer(ScriptedLLM([])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        with pytest.raises(rt.ConfigurationError, match="after"):
            session.hang_up(after="later")  # type: ignore[arg-type]
        session.hang_up(after="now")
        assert [event async for event in session][-1].type != "error"
        assert session.closed
