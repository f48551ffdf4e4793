from __future__ import annotations

import asyncio
import logging
import random

import pytest

import realtime_nb as rt
from realtime_nb.devices.simulated import SimulatedSpeaker
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.session import unplayed
from realtime_nb.testing import FakeTTS, MemoryServer, run_on_virtual_clock, silence, tone
from tests.virtual import virtual

WORD_MS = 250.0


def words(seconds: float) -> str:
    return " ".join(["word"] * int(seconds * 1000 / WORD_MS))


@virtual
async def test_twenty_minutes_are_heard_to_its_end_where_it_comes_as_it_is_played() -> None:
    """What was heard does not count, and what ended does not either."""
    llm = ScriptedLLM([words(600)] * 2)
    async with (
        MemoryServer(llm, tts=FakeTTS(WORD_MS)) as server,
        rt.connect(transport=server.transport) as session,
    ):
        for _ in range(2):
            await session.say("Go on.")
            assert await session.settled(700)
        answers = [i for i in session.conversation.in_order() if i.role == "assistant"]
        assert [i.playback for i in answers] == ["finished"] * 2
        assert [i.played_ms for i in answers] == [600_000.0] * 2


@virtual
async def test_an_answer_that_nobody_could_want_to_hear_is_ended_aloud(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(unplayed, "MOST_UNPLAYED_MS", 20_000)
    async with (
        MemoryServer(ScriptedLLM([words(60), "Yes."]), tts=FakeTTS(WORD_MS)) as server,
        rt.connect(transport=server.transport) as session,
    ):
        told = Told()
        session.observe(told)
        with caplog.at_level(logging.WARNING):
            await session.say("Talk.")
            assert await session.settled(100)
        assert "wait to be heard, so it was interrupted" in caplog.text
        assert told.problems == [unplayed.TOO_LONG]
        await session.say("Are you there?")
        assert await session.settled(10)
        assert session.conversation.transcript()[-1] == ("assistant", "Yes.")
        assert session.conversation.errors == []


class Told:
    """Somebody who is told what a person should know."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def event(self, event: object) -> None: ...

    def playback(self, report: object) -> None: ...

    def tool(self, report: object) -> None: ...

    def problem(self, words: str) -> None:
        self.problems.append(words)


async def done(session: rt.Session) -> None:
    """Waits for the last ``response.done``, which may have come already."""
    responses = session.conversation.responses
    await session._driver.until(
        lambda: not session.busy and all(one.done for one in responses.values()), 20.0
    )


class Mute(SimulatedSpeaker):
    """Plays for itself, and tells nobody what."""


@virtual
async def test_a_speaker_that_tells_nothing_is_not_taken_to_be_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unplayed, "MOST_UNPLAYED_MS", 6_000)

    def mute(session: rt.Session) -> Mute:
        return Mute(session.clock, 1.0, lambda report: None, lambda *played: None)

    async with (
        MemoryServer(ScriptedLLM([words(4)] * 5), tts=FakeTTS(WORD_MS)) as server,
        rt.connect(transport=server.transport, speaker=mute) as session,
    ):
        for _ in range(5):
            await session.say("Go on.")
            await done(session)
            await session._driver.until(lambda: not session.speaker.playing, 20.0)
        answers = [i for i in server.conversation.in_order() if i.role == "assistant"]
        assert [i.truncated_ms for i in answers] == [None] * 5


@pytest.mark.parametrize("seconds", [30, 120])
def test_of_an_answer_that_was_done_long_ago_only_what_was_heard_is_remembered(
    seconds: int,
) -> None:
    """By the server, its texts and the recording's fold; by voice, typing and a button."""

    async def check(at_s: float, how: str) -> None:
        llm = ScriptedLLM([words(seconds), "Well."])
        async with (
            MemoryServer(llm, tts=FakeTTS(WORD_MS)) as server,
            rt.connect(transport=server.transport) as session,
        ):
            await session.say("Talk.")
            await done(session)
            assert session.clock() < 0.5
            await session.append(silence(400))
            await asyncio.sleep(at_s)
            if how == "voice":
                await session.append(tone(600))
                await session._driver.until(lambda: not session.speaker.playing, 2.0)
                await session.append(silence(900))
            elif how == "typing":
                await session.say("Stop.")
            else:
                await session.interrupt()
            assert await session.settled(200)
            answer = next(i for i in session.conversation.in_order() if i.role == "assistant")
            await session._driver.until(lambda: answer.interrupted, 2.0)
            there = server.conversation.items[answer.id]
            assert abs((answer.played_ms or 0) - at_s * 1000) < 200
            assert 0 <= (answer.played_ms or 0) - there.remembered_ms < 1
            assert there.heard_text == answer.heard_text
            assert abs(len(answer.heard_text.split()) - at_s * 1000 / WORD_MS) <= 2
            assert session.conversation.errors == []
            assert next(iter(session.conversation.responses.values())).status == "completed"

    chance = random.Random(seconds)
    for how in ("voice", "typing", "stop") * 3:
        run_on_virtual_clock(check(chance.uniform(0.3, seconds - 1), how))
