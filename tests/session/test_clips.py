"""Clips that are spoken into a session: when one is over, with turn detection and without."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.testing import MemoryServer, ScriptedServer, silence, tone
from tests.session.session_fakes import LONG_ANSWER, response, scripted, turns
from tests.virtual import virtual


@pytest.mark.parametrize(
    "detection", [rt.ServerVAD(silence_duration_ms=500), rt.SemanticVAD(eagerness="high")]
)
@virtual
async def test_a_clip_is_heard_to_its_end(detection: Any) -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport, turn_detection=detection) as session,
    ):
        await session.speak(tone(500) + silence(200) + tone(300))
        [speech] = session.conversation.speech
        assert speech.audio_end_ms is not None
        assert speech.audio_end_ms >= 1_000


@virtual
async def test_a_clip_that_ends_in_silence_is_over_soon_after_it() -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.speak(tone(500) + silence(2_000))
        assert 2_500 + 1_000 <= session.conversation.input_ms <= 2_500 + 1_200


@virtual
async def test_a_late_report_of_speech_is_waited_for_although_an_earlier_one_is_over() -> None:
    async with ScriptedServer() as server:
        session = await scripted(server)
        speech = {"audio_start_ms": 0, "item_id": "u"}
        stopped = {"audio_end_ms": 0, "item_id": "u"}
        await server.emit(
            {"type": "input_audio_buffer.speech_started", **speech},
            {"type": "input_audio_buffer.speech_stopped", **stopped},
            response("in_progress"),
            response("completed"),
        )
        await turns()
        speaking = asyncio.create_task(session.speak(tone(400)))
        for _ in range(15):
            await server.expect("input_audio_buffer.append")
        await server.emit({"type": "input_audio_buffer.speech_started", **speech})
        for _ in range(40):
            await server.expect("input_audio_buffer.append")
        assert not speaking.done()
        await server.emit(
            {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 2_000, "item_id": "v"}
        )
        await speaking
        await session.close()
        server.forgive("input_audio_buffer.append")


@virtual
async def test_after_turn_detection_is_off_the_microphone_is_a_key_to_hold() -> None:
    async with (
        MemoryServer(ScriptedLLM(["One.", "Two."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        await session.speak(tone(500))
        assert await session.settled()
        await session.update(turn_detection=None)
        before_ms = session.conversation.input_ms
        await session.speak(tone(500))
        last = session.conversation.in_order()[-1]
        assert await session.settled()
        assert session.conversation.input_ms - before_ms < 700
        assert last.role in ("user", "assistant")
        assert session.conversation.transcript()[-1] == ("assistant", "Two.")
        assert session.conversation.errors == []


@virtual
async def test_holding_the_key_down_interrupts_the_agent() -> None:
    async with (
        MemoryServer(ScriptedLLM([LONG_ANSWER, "Two."])) as server,
        rt.connect(transport=server.transport, turn_detection=None) as session,
    ):
        await session.say("Talk")
        await session.wait_for("response.output_audio.delta")
        await session.speak(tone(500))
        assert await session.settled()
        agent = [item for item in session.conversation.in_order() if item.role == "assistant"]
        assert agent[0].interrupted or agent[0].text == "Two."
        assert session.conversation.transcript()[-1] == ("assistant", "Two.")
        assert session.conversation.errors == []
