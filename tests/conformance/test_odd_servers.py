"""Whole conversations with servers that do less, or other, than the protocol says."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.protocol.connections import LOST_REASON
from realtime_nb.testing import ScriptedServer
from tests.session.session_fakes import response, scripted
from tests.virtual import virtual


def delta(kind: str, item_id: str, text: str, **fields: Any) -> dict[str, Any]:
    ids = {"response_id": "resp_1", "item_id": item_id, "content_index": 0}
    return {"type": f"response.{kind}.delta", "delta": text, **ids, **fields}


@virtual
async def test_a_server_that_announces_nothing_has_its_tool_run_once() -> None:
    ran: list[str] = []

    def book(day: str) -> str:
        ran.append(day)
        return "booked"

    async with ScriptedServer() as server:
        session = await scripted(server, tools=[book])
        await session.say("Tuesday, please")
        await server.expect("conversation.item.create")
        await server.expect("response.create")
        call = {"call_id": "call_1", "response_id": "resp_1", "item_id": "f"}
        arguments = '{"day": "Tuesday"}'
        await server.emit(
            delta("output_audio_transcript", "a", "One "),
            delta("output_audio_transcript", "a", "moment."),
            {"type": "response.function_call_arguments.delta", "delta": arguments, **call},
            {
                "type": "response.function_call_arguments.done",
                "arguments": arguments,
                "name": "book",
                **call,
            },
            response("completed"),
        )
        output = await server.expect("conversation.item.create")
        assert output["item"]["output"] == "booked"
        await server.expect("response.create")
        assert ran == ["Tuesday"]
        assert ("assistant", "One moment.") in session.conversation.transcript()
        await session.close()


@virtual
async def test_settings_that_are_never_confirmed_are_told_and_the_session_is_usable() -> None:
    async with ScriptedServer() as server:
        opening = asyncio.ensure_future(_opened(server))
        await server.emit({"type": "session.created", "session": None})
        await server.expect("session.update")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            session = await opening
        assert any("did not confirm" in str(one.message) for one in told)
        with pytest.raises(rt.ServerError, match="did not confirm"):
            await session.update(instructions="Be brief.")
        await server.expect("session.update")
        await session.say("Hi")
        await server.expect("conversation.item.create")
        await server.expect("response.create")
        await server.emit(delta("output_text", "a", "Hello."), response("completed"))
        assert await session.settled(5)
        assert ("assistant", "Hello.") in session.conversation.transcript()
        await session.close()


async def _opened(server: ScriptedServer) -> rt.Session:
    return await rt.connect(transport=server.transport)


@virtual
@pytest.mark.parametrize("code", [1000, 1001, 1006, 4000])
async def test_an_ending_in_mid_answer_is_told_and_closes_the_answer(
    code: int, tmp_path: Path
) -> None:
    async with ScriptedServer() as server:
        server.forgive("session.update")
        session = await scripted(server, record=tmp_path)
        await server.emit(response("in_progress"), delta("output_text", "a", "As I was"))
        await session.wait_for("response.output_text.delta")
        assert session.conversation.running == ["resp_1"]
        await server.vanish(code)
        with pytest.raises(rt.SessionClosedError, match="An answer was under way") as ended:
            async for _ in session:
                pass
        assert ended.value.close_code == code
        assert session.conversation.active_response is None
        cut = session.conversation.responses["resp_1"]
        assert (cut.status, cut.reason) == ("incomplete", LOST_REASON)
        await session.close()
    assert session.recording is not None
    assert rt.load(session.recording).conversation.active_response is None
