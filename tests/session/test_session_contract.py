"""What holds between a session and any server: the one in memory, and the one on a socket.

The same checks run against both, so that what other tests see on the fake is true of the real one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import Call, ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.protocol.events import ErrorEvent, SpeechStarted
from realtime_nb.session.endpoints import local
from realtime_nb.session.transport import open_websocket
from realtime_nb.testing import (
    FakeSTT,
    MemoryServer,
    fake_engines,
    run_on_virtual_clock,
    silence,
    tone,
)

Opener = Callable[..., AbstractAsyncContextManager[rt.Session]]
SPEED = 10.0


@asynccontextmanager
async def in_memory(*replies: Any, heard: str = "hello", **options: Any) -> AsyncIterator[Any]:
    async with (
        MemoryServer(ScriptedLLM(replies), stt=FakeSTT(heard)) as server,
        rt.connect(transport=server.transport, **options) as session,
    ):
        yield session


@asynccontextmanager
async def on_a_socket(*replies: Any, heard: str = "hello", **options: Any) -> AsyncIterator[Any]:
    server = LocalServer(
        fake_engines(ScriptedLLM(replies), stt=FakeSTT(heard)),
        port=0,
        token="a-token",
        pace=SpeechPace(speed=SPEED),
        session_s=60,
        max_connections=1,
    )
    async with server:
        transport = await open_websocket(local(server.url, server.token))
        async with rt.connect(transport=transport, speed=SPEED, **options) as session:
            yield session


async def a_spoken_turn_is_heard_and_answered(opened: Opener) -> None:
    async with opened("Good morning to you.", heard="hi there") as session:
        await session.speak(tone(800))
        assert session.conversation.speech[-1].audio_end_ms is not None
        assert await session.settled()
        assert session.conversation.transcript() == [
            ("user", "hi there"),
            ("assistant", "Good morning to you."),
        ]
        answer = session.conversation.in_order()[-1]
        assert answer.audio_ms == answer.played_ms == 1_000
        assert answer.truncated_ms is None
        assert session.conversation.errors == []


async def a_typed_turn_is_answered(opened: Opener) -> None:
    async with opened("Yes.") as session:
        await session.say("Are you there?")
        assert await session.settled()
        assert session.conversation.transcript() == [
            ("user", "Are you there?"),
            ("assistant", "Yes."),
        ]


async def a_function_is_run_and_its_result_spoken_about(opened: Opener) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    async def book(day: str) -> str:
        """Book a day."""
        raise ValueError("closed")

    replies = [
        [Call("add", '{"a": 2, "b": 3}', "call_1"), Call("book", '{"day": "Sunday"}', "call_2")],
        lambda request: f"Results: {[i['output'] for i in request.items if 'output' in i]}",
    ]
    async with opened(*replies, tools=[add, book]) as session:
        await session.say("What is two and three?")
        assert await session.settled()
        calls = session.conversation.calls
        assert calls["call_1"].output == "5"
        assert calls["call_2"].output == '{"error": "ValueError: closed"}'
        assert len(session.conversation.responses) == 2
        assert "'5'" in session.conversation.transcript()[-1][1]


async def a_barge_in_is_remembered_as_it_was_heard(opened: Opener) -> None:
    async with opened("one two three four five six seven eight nine ten", "Sorry.") as session:
        await session.say("Count")
        await session.wait_for("response.output_audio.delta")
        await session.speak(tone(500))
        assert await session.settled()
        cut, answer = [i for i in session.conversation.in_order() if i.role == "assistant"]
        assert cut.truncated_ms is not None
        assert cut.played_ms is not None
        assert abs(cut.truncated_ms - cut.played_ms) <= 1
        assert 0 < cut.truncated_ms < 2_500
        assert answer.text == "Sorry."
        assert session.conversation.errors == []


async def stopping_by_hand_stops(opened: Opener) -> None:
    async with opened("one two three four five six seven eight nine ten") as session:
        await session.say("Count")
        await session.wait_for("response.output_audio.delta")
        await session.interrupt()
        assert not session.speaker.playing
        assert await session.settled()
        assert [r.status for r in session.conversation.responses.values()] == ["cancelled"]
        assert session.conversation.errors == []


async def push_to_talk_commits_and_asks(opened: Opener) -> None:
    async with opened("First.", "Second.", turn_detection=None) as session:
        await session.speak(tone(600))
        assert await session.settled()
        await session.speak(silence(600))  # without turn detection, silence is a turn too
        assert await session.settled()
        assert session.conversation.speech == []
        roles = [item.role for item in session.conversation.in_order()]
        assert roles == ["user", "assistant"] * 2
        assert session.conversation.transcript()[-1] == ("assistant", "Second.")


async def settings_are_confirmed_or_refused(opened: Opener) -> None:
    async with opened("Hello.") as session:
        await session.update(instructions="Be brief.", turn_detection=rt.ServerVAD(threshold=0.7))
        assert session.conversation.session["instructions"] == "Be brief."
        assert (session.conversation.turn_detection or {})["threshold"] == 0.7
        await session.say("Hi")
        assert await session.settled()
        with pytest.raises(rt.ServerError) as refused:
            await session.update(voice="ash")
        assert refused.value.code == "cannot_update_voice"
        assert refused.value.event_id is not None
        await session.say("Still there?")
        assert await session.settled()


async def g711_is_heard_and_spoken(opened: Opener) -> None:
    formats = {"input_format": "g711_ulaw", "output_format": "g711_alaw"}
    async with opened("Good morning to you.", **formats) as session:
        await session.speak(tone(800))
        assert await session.settled()
        assert session.conversation.transcript()[-1] == ("assistant", "Good morning to you.")
        assert session.conversation.in_order()[-1].played_ms == 1_000
        assert session.conversation.errors == []


async def silence_is_no_turn(opened: Opener) -> None:
    async with opened("What?") as session:
        await session.speak(silence(500))
        assert session.conversation.speech == []
        assert await session.settled()
        assert session.conversation.items == {}


async def events_are_there_from_the_first_on(opened: Opener) -> None:
    async with opened("Yes.") as session:
        await session.say("Hi")
        assert await session.settled()
        types = []
        async for event in session:
            types.append(event.type)
            if event.type == "response.done":
                break
        assert types[:2] == ["session.created", "session.updated"]
        assert [a for a, b in itertools.pairwise(types) if a == b == "response.done"] == []
        await session.close()
        assert [event.type async for event in session] == ["rate_limits.updated"]


async def two_clips_in_a_row_are_both_waited_for(opened: Opener) -> None:
    detection = rt.ServerVAD(silence_duration_ms=500, create_response=False)
    async with opened("Yes.", turn_detection=detection) as session:
        for number in (1, 2, 3):
            await session.speak(tone(400) + silence(100))
            speech = session.conversation.speech
            assert [s.audio_end_ms is not None for s in speech] == [True] * number


async def a_raw_event_goes_as_it_is(opened: Opener) -> None:
    async with opened("Yes.") as session:
        event_id = await session.send({"type": "no.such.event"})
        error = await session.wait_for("error")
        assert isinstance(error, ErrorEvent)
        assert error.caused_by == event_id


async def speech_positions_are_on_the_input_clock(opened: Opener) -> None:
    async with opened("Yes.") as session:
        await session.speak(silence(400) + tone(400))
        started = [event for event in await everything(session) if isinstance(event, SpeechStarted)]
        assert len(started) == 1
        assert abs(started[0].audio_start_ms - 100) <= 32  # 400 ms less 300 ms of padding


async def everything(session: rt.Session) -> list[Any]:
    await session.close()
    return [event async for event in session]


CHECKS = [
    a_spoken_turn_is_heard_and_answered,
    a_typed_turn_is_answered,
    a_function_is_run_and_its_result_spoken_about,
    a_barge_in_is_remembered_as_it_was_heard,
    stopping_by_hand_stops,
    push_to_talk_commits_and_asks,
    settings_are_confirmed_or_refused,
    g711_is_heard_and_spoken,
    silence_is_no_turn,
    events_are_there_from_the_first_on,
    two_clips_in_a_row_are_both_waited_for,
    a_raw_event_goes_as_it_is,
    speech_positions_are_on_the_input_clock,
]
# A plain function as a tool runs in a thread, which virtual time doesn't wait for.
REAL_TIME = {a_function_is_run_and_its_result_spoken_about}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_in_memory(check: Callable[[Opener], Coroutine[Any, Any, None]]) -> None:
    if check in REAL_TIME:
        asyncio.run(check(in_memory))
    else:
        run_on_virtual_clock(check(in_memory))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_on_a_socket(check: Callable[[Opener], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(check(on_a_socket))
