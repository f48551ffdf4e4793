"""Waiting for what a session tells."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import Call, ScriptedLLM
from realtime_nb.protocol.events import JsonObject, ResponseCreate, ResponseDone
from realtime_nb.session.readers import MAX_UNREAD_EVENTS
from realtime_nb.testing import MemoryServer, ScriptedServer
from tests.session.session_fakes import LONG_ANSWER, response, scripted, turns
from tests.virtual import virtual


@virtual
async def test_wait_for_takes_a_type_or_a_condition() -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.say("Hi")
        assert (await session.wait_for("response.created")).type == "response.created"
        done = await session.wait_for(lambda event: event.type.endswith(".done"))
        assert done.type == "conversation.item.done" or done.type.startswith("response.")


@virtual
async def test_an_event_that_is_waited_for_by_its_class_has_its_fields() -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.say("Hi")
        done = await session.wait_for(ResponseDone)
        assert done.response["status"] == "completed"  # which type checkers know, too
        with pytest.raises(TimeoutError, match=r"No ResponseDone within 0\.5 s"):
            await session.wait_for(ResponseDone, timeout_s=0.5)


@pytest.mark.parametrize("meant", [3, None, int, rt.Session, ResponseCreate])
@virtual
async def test_what_can_be_no_event_is_not_waited_for(meant: Any) -> None:
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        with pytest.raises(rt.ConfigurationError, match=r"event is .*; give the type of an event"):
            await session.wait_for(meant)


@virtual
async def test_other_options_of_an_update_are_refused_with_what_there_is() -> None:
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        with pytest.raises(rt.ConfigurationError, match=r"'tolls'\. Did you mean 'tools'"):
            session.update(tolls=[])


COMMITTED = {"type": "input_audio_buffer.committed", "item_id": "item_said"}
TRANSCRIBED = "conversation.item.input_audio_transcription"
WORDS = {"item_id": "item_said", "content_index": 0}


@pytest.mark.parametrize(
    ("ending", "settled_s"),
    [
        ({"type": f"{TRANSCRIBED}.completed", "transcript": "Hello.", **WORDS}, 2),
        ({"type": f"{TRANSCRIBED}.failed", "error": {"message": "no"}, **WORDS}, 2),
        (None, 5),  # a server that tells none is not waited for any longer
    ],
)
@virtual
async def test_settled_waits_for_the_words_of_who_is_not_answered(
    ending: JsonObject | None, settled_s: float
) -> None:
    listening = rt.ServerVAD(create_response=False)
    async with ScriptedServer() as server:
        session = await scripted(server, turn_detection=listening, transcription="whisper-1")
        await server.emit(COMMITTED)
        await turns()
        begun_s = session.clock()
        settled = asyncio.create_task(session.settled())
        await asyncio.sleep(2)
        assert not settled.done()
        if ending is not None:
            await server.emit(ending)
        assert await settled
        assert session.clock() - begun_s == pytest.approx(settled_s, abs=0.3)
        await session.close()


@virtual
async def test_settled_waits_for_no_words_where_nobody_writes_them() -> None:
    listening = rt.ServerVAD(create_response=False)
    async with ScriptedServer() as server:
        session = await scripted(server, turn_detection=listening, transcription=None)
        await server.emit(COMMITTED)
        await turns()
        assert await session.settled(timeout_s=0)
        await session.close()


@virtual
async def test_wait_for_gives_up_in_words() -> None:
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        with pytest.raises(TimeoutError, match=r"No response\.done within 0\.5 s"):
            await session.wait_for("response.done", timeout_s=0.5)
        assert await session.settled(timeout_s=0)


@virtual
async def test_an_error_in_a_condition_belongs_to_who_waits() -> None:
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        waiting = asyncio.create_task(session.wait_for(lambda event: 1 / 0 > 1))
        await turns()
        await session.say("Hi")
        with pytest.raises(ZeroDivisionError):
            await waiting
        assert await session.settled()


@virtual
async def test_settled_is_false_when_it_takes_too_long() -> None:
    async with (
        MemoryServer(ScriptedLLM([LONG_ANSWER])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.say("Talk")
        assert not await session.settled(timeout_s=2.0)
        assert await session.settled()


@virtual
async def test_a_turn_that_will_be_answered_is_not_settled() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        started = {"audio_start_ms": 0, "item_id": "u"}
        await server.emit({"type": "input_audio_buffer.speech_started", **started})
        await turns()
        assert not await session.settled(timeout_s=0)
        await server.emit(
            {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 500, "item_id": "u"},
            {"type": "input_audio_buffer.committed", "item_id": "u"},
        )
        await turns()
        assert not await session.settled(timeout_s=2.0)
        words = {"type": f"{TRANSCRIBED}.completed", "item_id": "u", "transcript": "Hello?"}
        await server.emit(words, response("in_progress"), response("completed"))
        assert await session.settled(timeout_s=0.1)
        await session.close()


@virtual
async def test_a_turn_that_is_never_answered_is_waited_for_only_so_long() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        stopped = {"audio_end_ms": 500, "item_id": "u"}
        await server.emit({"type": "input_audio_buffer.speech_stopped", **stopped})
        await turns()
        assert not await session.settled(timeout_s=4)
        assert await session.settled(timeout_s=2)
        await session.close()


@virtual
async def test_settled_waits_for_tools_and_the_response_after_them() -> None:
    released = asyncio.Event()

    async def slow() -> str:
        """Take your time."""
        await released.wait()
        return "done"

    async with (
        MemoryServer(ScriptedLLM([Call("slow", "{}"), "It is done."])) as server,
        rt.connect(transport=server.transport, tools=[slow]) as session,
    ):
        await session.say("Do it")
        assert not await session.settled(timeout_s=5)
        released.set()
        assert await session.settled()
        assert session.conversation.transcript()[-1] == ("assistant", "It is done.")


@pytest.mark.filterwarnings("default")
@virtual
async def test_events_that_nobody_reads_are_dropped_with_a_warning() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        for number in range(MAX_UNREAD_EVENTS + 8):
            await server.emit({"type": "noise", "number": number})
        await turns(2_000)
        with pytest.warns(UserWarning, match="10 events that nobody read in time"):
            first = await anext(aiter(session))
        assert getattr(first, "raw")["number"] == 8  # noqa: B009
        await session.close()
