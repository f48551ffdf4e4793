"""A session's settings and the functions that it runs."""

from __future__ import annotations

import asyncio
import threading

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import Call, ScriptedLLM
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.testing import MemoryServer, ScriptedServer
from tests.session.session_fakes import scripted
from tests.virtual import virtual


@virtual
async def test_refused_tools_are_not_taken() -> None:
    def new() -> str:
        """New."""
        return ""

    async with ScriptedServer() as server:
        session = await scripted(server, tools=[_old])
        updating = asyncio.create_task(session.update(tools=[new]))
        await server.expect("session.update")
        error = {"message": "No.", "param": "session.tools", "code": "invalid_value"}
        await server.emit({"type": "error", "error": error})
        with pytest.raises(rt.ServerError) as refused:
            await updating
        assert refused.value.param == "session.tools"
        assert list(session.tools) == ["old"]
        updating = asyncio.create_task(session.update(tools=[new]))
        await server.grant()
        await updating
        assert list(session.tools) == ["new"]
        await session.close()


@rt.tool(name="old")
def _old() -> str:
    """Old."""
    return ""


@virtual
async def test_an_update_that_is_never_confirmed_is_an_error() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        with pytest.raises(rt.ServerError, match="did not confirm"):
            await session.update(instructions="Be brief.")
        await server.expect("session.update")
        await session.close()


@virtual
async def test_a_tool_that_hangs_is_ended_by_its_time() -> None:
    @rt.tool(timeout_s=2.0)
    async def hang() -> str:
        """Hang."""
        await asyncio.Event().wait()
        return ""

    async with (
        MemoryServer(ScriptedLLM([Call("hang", "{}", "call_1"), "It took too long."])) as server,
        rt.connect(transport=server.transport, tools=[hang]) as session,
    ):
        await session.say("Do it")
        assert await session.settled()
        assert "took over 2 s" in (session.conversation.calls["call_1"].output or "")
        assert session.conversation.transcript()[-1] == ("assistant", "It took too long.")


async def test_a_slow_plain_function_holds_nobody_up() -> None:
    gate = threading.Event()

    def slow() -> str:
        """Block the thread."""
        return str(gate.wait(20))

    llm = ScriptedLLM([Call("slow", "{}"), "Hello.", "Done."])
    async with (
        MemoryServer(llm, pace=SpeechPace(speed=50)) as server,
        rt.connect(transport=server.transport, tools=[slow], speed=50) as session,
    ):
        await session.say("Do it")
        await session.wait_for("response.done")
        await session.say("Hi")
        done = await session.wait_for("response.output_audio_transcript.done")
        assert getattr(done, "transcript") == "Hello."  # noqa: B009
        gate.set()
        assert await session.settled()
        assert session.conversation.transcript()[-1] == ("assistant", "Done.")


@virtual
async def test_a_function_of_the_main_thread_runs_on_the_sessions_loop() -> None:
    @rt.tool(main_thread=True)
    def where() -> bool:
        """Tell the thread."""
        asyncio.get_running_loop()  # raises where there is none
        return threading.current_thread() is threading.main_thread()

    llm = ScriptedLLM([Call("where", "{}", "call_1"), "There."])
    async with (
        MemoryServer(llm) as server,
        rt.connect(transport=server.transport, tools=[where]) as session,
    ):
        await session.say("Where are you?")
        assert await session.settled()
        assert session.conversation.calls["call_1"].output == "true"


@virtual
async def test_calls_of_bare_definitions_are_left_to_the_reader() -> None:
    definition = {"type": "function", "name": "mine", "parameters": {"type": "object"}}
    async with (
        MemoryServer(ScriptedLLM([Call("mine", "{}", "call_1"), "Thanks."])) as server,
        rt.connect(transport=server.transport, tools=[definition]) as session,
    ):
        await session.say("Do it")
        assert await session.settled()
        assert len(session.conversation.responses) == 1
        output = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
        await session.send({"type": "conversation.item.create", "item": output})
        await session.create_response()
        assert await session.settled()
        assert session.conversation.transcript()[-1] == ("assistant", "Thanks.")


@virtual
async def test_a_function_that_nobody_has_is_answered_so_that_the_model_can_go_on() -> None:
    replies = ScriptedLLM([Call("made_up", "{}", "call_1"), "There is none."])
    async with (
        MemoryServer(replies) as server,
        rt.connect(transport=server.transport, tools=[_old]) as session,
    ):
        await session.say("Do it")
        assert await session.settled()
        output = session.conversation.calls["call_1"].output or ""
        assert "no function 'made_up'. Functions that can be called: old." in output
        assert session.conversation.calls["call_1"].run_outcome == "invalid"
        assert len(session.conversation.responses) == 2


@virtual
async def test_a_call_is_cancelled_on_request_and_the_model_told() -> None:
    cancelled: list[bool] = []

    @rt.tool
    async def wait(call: rt.ToolCall) -> None:
        """Wait."""
        try:
            call.progress("waiting")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async with (
        MemoryServer(ScriptedLLM([Call("wait", "{}", "call_1"), "It was cancelled."])) as server,
        rt.connect(transport=server.transport, tools=[wait]) as session,
    ):
        await session.say("Do it")
        await session.wait_for("response.done")
        await asyncio.sleep(0.1)
        call = session.conversation.calls["call_1"]
        assert (call.progress, call.output) == ("waiting", None)
        assert session.cancel_call("call_1")
        assert await session.settled()
        assert not session.cancel_call("call_1")
        assert cancelled == [True]
        assert "was cancelled" in (call.output or "")
        assert call.run_outcome == "cancelled"
        assert session.conversation.transcript()[-1] == ("assistant", "It was cancelled.")


@virtual
async def test_functions_end_with_the_connection() -> None:
    reasons: list[str | None] = []

    @rt.tool(timeout_s=None)
    async def wait(call: rt.ToolCall) -> None:
        """Wait."""
        try:
            await asyncio.Event().wait()
        finally:
            reasons.append(call.reason)

    async with MemoryServer(ScriptedLLM([Call("wait", "{}", "call_1")])) as server:
        session = await rt.connect(transport=server.transport, tools=[wait])
        await session.say("Do it")
        await session.wait_for("response.done")
        await asyncio.sleep(0.1)
        await session.close()
    assert reasons == ["closed"]
    assert session.conversation.calls["call_1"].run_outcome == "cancelled"
