"""A session whose connection is lost comes back, and the conversation goes on."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.session.transport import MemoryTransport, Transport
from realtime_nb.testing import (
    Drop,
    MemoryServer,
    run_on_virtual_clock,
    silence,
    tone,
)
from realtime_nb.testing.faults import Fault
from tests.session.lost_connections import Servers, Thinking, text_of, users
from tests.virtual import virtual


async def booked(servers: Servers, bookings: list[str]) -> rt.Session:
    def book(day: str) -> str:
        """Books a day."""
        bookings.append(day)
        return "booked"

    async with rt.connect(transport=servers.dial, tools=[book]) as session:
        await session.say("My name is Ada.")
        assert await session.settled()
        await session.say("Please book Friday.")
        assert await session.settled()
        await session.say("Thank you.")
        assert await session.settled()
        # A loss while nothing is under way is seen by who waits a little.
        await session._driver.until(lambda: not session.reconnecting, 30)
        assert await session.settled()
    return session


def crossings() -> tuple[int, int]:
    """Returns how many events an undisturbed conversation sends and receives."""

    async def count() -> tuple[int, int]:
        async with Servers(Thinking()) as servers:
            session = await booked(servers, [])
            assert session.reconnections == []
            passed = servers.transports[0].passed
            return passed.sent.total(), passed.received.total()

    return run_on_virtual_clock(count())


SENT, RECEIVED = crossings()
BOUNDARIES = [("sent", n) for n in range(2, SENT + 1)] + [
    ("received", n) for n in range(2, RECEIVED + 1)
]


@pytest.mark.parametrize(("direction", "nth"), BOUNDARIES)
def test_a_drop_at_any_event_loses_no_turn_and_books_once(direction: str, nth: int) -> None:
    async def check() -> None:
        moment = getattr(rt.testing, direction)(lambda event: True, nth)
        llm = Thinking()
        async with Servers(llm, [Drop(moment)]) as servers:
            bookings: list[str] = []
            session = await booked(servers, bookings)

        assert bookings == ["Friday"]
        conversation = session.conversation
        said = ["My name is Ada.", "Please book Friday.", "Thank you."]
        assert [text for role, text in conversation.transcript() if role == "user"] == said
        assert users(llm.requests[-1].items) == said
        outputs = [
            item["output"]
            for item in llm.requests[-1].items
            if item["type"] == "function_call_output"
        ]
        assert outputs == ["booked"]
        assert conversation.transcript()[-1] == ("assistant", "You said Thank you.")
        assert [gap.audio_lost_ms for gap in session.reconnections] == [0]
        assert session.reconnections[0].reconnected_s is not None
        assert conversation.errors == []

    run_on_virtual_clock(check())


@virtual
async def test_what_the_user_says_in_the_gap_is_counted_and_not_replayed(tmp_path: Path) -> None:
    async with (
        Servers(ScriptedLLM(["Yes."] * 9)) as servers,
        rt.connect(
            transport=servers.dial,
            record=tmp_path,
            reconnect=rt.Reconnect(first_s=2.0, jitter=False),
        ) as session,
    ):
        await session.append(silence(200))
        await session._driver.until(lambda: session._driver.all_left(), 1)
        await servers.vanish()
        await session.wait_for("connection.retrying")
        for _ in range(10):
            await session.append(tone(40))
        await session.wait_for("connection.reconnected")
        await session.append(silence(500) + tone(800) + silence(900))
        await session.wait_for("response.done")
        assert await session.settled()

    (gap,) = session.reconnections
    assert gap.audio_lost_ms == 400
    assert gap.gap_s == pytest.approx(2.0, abs=0.1)
    assert servers.transports[1].passed.sent_audio_ms == 2_200
    # What comes after the gap lies where it is in all that was appended.
    (heard,) = session.conversation.speech
    assert heard.onset_ms == pytest.approx(1_100, abs=40)
    assert heard.audio_end_ms is not None
    assert session.recording is not None
    recording = rt.load(session.recording)
    assert recording.conversation.reconnections == session.reconnections
    assert len(recording.input) == 24 * 2_800  # what was lost is kept there


@virtual
async def test_a_turn_that_is_cut_off_ends_and_the_agent_may_say_so() -> None:
    async with Servers(ScriptedLLM(["Sorry, the line broke."] * 9)) as servers:
        policy = rt.Reconnect(spoken="Sorry, the line broke.")
        async with rt.connect(transport=servers.dial, reconnect=policy) as session:
            await session.append(tone(600))
            await session.wait_for("input_audio_buffer.speech_started")
            await servers.vanish()
            await session.wait_for("connection.lost")
            assert not session.user_speaking
            await session.wait_for("connection.reconnected")
            assert await session.settled()

    (gap,) = session.reconnections
    assert gap.user_cut_off
    assert session.conversation.transcript() == [("assistant", "Sorry, the line broke.")]
    assert session.conversation.speech[0].audio_end_ms == 600


@virtual
async def test_a_function_runs_to_its_end_and_its_result_is_told_once() -> None:
    llm = Thinking()
    runs: list[str] = []
    async with Servers(llm) as servers:

        async def book(day: str) -> str:
            """Books a day."""
            runs.append(day)
            await asyncio.sleep(20)
            return "booked"

        async with rt.connect(transport=servers.dial, tools=[book]) as session:
            await session.say("Please book Friday.")
            await session.wait_for("response.function_call_arguments.done")
            await session.wait_for(lambda event: bool(runs))
            await servers.vanish()
            await session.wait_for("connection.reconnected")
            assert await session.settled()

    assert runs == ["Friday"]
    assert [item["type"] for item in llm.requests[-1].items] == [
        "message",
        "function_call",
        "function_call_output",
    ]
    assert session.conversation.transcript()[-1] == ("assistant", "It is booked.")


@virtual
@pytest.mark.parametrize("moment", range(1, 6))
async def test_it_may_be_lost_again_while_it_comes_back(moment: int) -> None:
    """At the greeting, at the settings, and among the items that it is told."""
    llm = Thinking()
    again: list[Fault] = [Drop(rt.testing.received(lambda event: True, moment))]
    servers = Servers(llm, [], again, again)
    async with servers, rt.connect(transport=servers.dial) as session:
        await session.say("My name is Ada.")
        assert await session.settled()
        await servers.vanish()
        await session.wait_for("connection.lost")
        await session.say("Who am I?")
        assert await session.settled()

    assert users(llm.requests[-1].items) == ["My name is Ada.", "Who am I?"]
    assert session.conversation.transcript()[-1] == ("assistant", "You said Who am I?")
    assert len(servers.transports) == 4
    assert session.conversation.errors == []


@virtual
async def test_settings_that_were_not_confirmed_are_asked_for_again() -> None:
    servers = Servers(ScriptedLLM(["Yes."]))
    async with servers, rt.connect(transport=servers.dial, instructions="Be kind.") as session:
        await session.update(turn_detection=rt.ServerVAD(threshold=0.7))
        await servers.vanish()
        await session.wait_for("connection.lost")
        await session.update(instructions="Be brief.")
        assert repr(session).endswith("open>")
        in_force = session.conversation.session
    assert in_force["instructions"] == "Be brief."
    assert in_force["audio"]["input"]["turn_detection"]["threshold"] == 0.7


@virtual
async def test_a_gateway_that_asks_for_patience_gets_it() -> None:
    async with Servers(ScriptedLLM(["Yes."])) as servers:
        servers.refusals = [
            rt.ConnectionFailedError("busy", "503", retry_after_s=7.0),
            rt.ConnectionFailedError("nobody there"),
        ]
        async with rt.connect(transport=servers.dial) as session:
            await servers.vanish()
            await session.wait_for("connection.reconnected", timeout_s=60)
    (gap,) = session.reconnections
    assert gap.attempts == 3
    assert gap.gap_s is not None
    assert gap.gap_s >= 7


@virtual
async def test_a_greeting_that_comes_with_the_upgrade_is_seen() -> None:
    async with AsyncExitStack() as servers:
        transports: list[MemoryTransport] = []

        async def dial() -> Transport:
            server = await servers.enter_async_context(MemoryServer(ScriptedLLM(["Yes."])))
            await asyncio.sleep(1)  # by now its greeting is there
            transports.append(server.transport)
            return server.transport

        async with rt.connect(transport=dial, reconnect=rt.Reconnect(jitter=False)) as session:
            await transports[0].close(1006)
            await session.wait_for("connection.reconnected")
    (gap,) = session.reconnections
    assert gap.attempts == 1
    assert gap.gap_s == pytest.approx(1.5, abs=0.1)


@virtual
async def test_what_is_in_vain_is_not_tried() -> None:
    async with Servers(ScriptedLLM(["Yes."])) as servers:
        servers.refusals = [rt.ConnectionFailedError("wrong key", "401")]
        session = await rt.connect(transport=servers.dial)
        await servers.vanish()
        with pytest.raises(rt.SessionClosedError, match="HTTP 401: wrong key"):
            await session.wait_for("response.done")
        assert session.closed
        assert session.reconnections[0].gave_up is not None
        await session.close()


@virtual
@pytest.mark.parametrize(("code", "comes_back"), [(1001, True), (1012, True), (4000, False)])
async def test_which_endings_are_worth_it(code: int, comes_back: bool) -> None:
    async with Servers(ScriptedLLM(["Yes."])) as servers:
        session = await rt.connect(transport=servers.dial)
        await servers.vanish(code)
        await session._driver.until(lambda: session.closed or session.reconnecting, 5)
        assert session.reconnecting is comes_back
        await session.close()


@virtual
async def test_a_budget_ends_the_attempts() -> None:
    async with Servers(ScriptedLLM(["Yes."])) as servers:
        servers.refusals = [rt.ConnectionFailedError("nobody there") for _ in range(99)]
        policy = rt.Reconnect(budget_s=30.0, jitter=False)
        session = await rt.connect(transport=servers.dial, reconnect=policy)
        began_s = session.clock()
        await servers.vanish()
        with pytest.raises(rt.SessionClosedError, match="no connection within 30 s"):
            await session.wait_for("response.done", timeout_s=60)
        assert session.clock() - began_s <= 30.5
        await session.close()


@virtual
async def test_closing_while_it_comes_back_ends_everything() -> None:
    async with Servers(ScriptedLLM(["Yes."])) as servers:
        servers.refusals = [rt.ConnectionFailedError("nobody there") for _ in range(99)]
        before = asyncio.all_tasks()
        async with rt.connect(transport=servers.dial) as session:
            await servers.vanish()
            await session.wait_for("connection.retrying")
        assert session.closed
        left = {task for task in asyncio.all_tasks() - before if "book" not in repr(task)}
        assert not [task for task in left if "Returning" in repr(task)]


@virtual
async def test_without_reconnect_the_session_ends() -> None:
    async with Servers(ScriptedLLM(["Yes."])) as servers:
        session = await rt.connect(transport=servers.dial, reconnect=False)
        await servers.vanish()
        with pytest.raises(rt.SessionClosedError):
            await session.wait_for("response.done")
        await session.close()


@virtual
@pytest.mark.parametrize("history", ["summary", "none", lambda conversation: "She is Ada."])
async def test_history_as_one_wants_it(history: Any) -> None:
    llm = Thinking()
    async with Servers(llm) as servers:
        policy = rt.Reconnect(history=history)
        async with rt.connect(
            transport=servers.dial, reconnect=policy, instructions="Be kind."
        ) as session:
            await session.say("My name is Ada.")
            assert await session.settled()
            await servers.vanish()
            await session.wait_for("connection.reconnected")
            await session.say("Who am I?")
            assert await session.settled()
    last = llm.requests[-1]
    assert users(last.items) == ["Who am I?"]
    assert last.instructions.startswith("Be kind.")
    assert ("Ada" in last.instructions) is (history != "none")
    (gap,) = session.reconnections
    assert gap.restored == []


def test_of_a_barge_in_after_the_drop_the_server_remembers_what_was_heard() -> None:
    async def check() -> None:
        llm = Thinking()
        async with Servers(llm) as servers, rt.connect(transport=servers.dial) as session:
            await session.say("one two three four five six seven eight nine ten")
            await session.wait_for("response.done")
            await asyncio.sleep(1)
            assert session.speaker.playing  # it runs ahead of what is heard
            await servers.vanish()
            await session.wait_for("connection.reconnected")
            assert session.speaker.playing
            await session.interrupt()
            assert await session.settled()
            await session.say("Stop.")
            assert await session.settled()
        answer = next(item for item in session.conversation.in_order() if item.role == "assistant")
        told = [text_of(i) for i in llm.requests[-1].items if i.get("role") == "assistant"]
        assert answer.played_ms is not None
        assert answer.played_ms < answer.audio_ms
        assert told == [answer.heard_text]
        assert answer.heard_text != answer.text
        assert answer.truncated_ms == int(answer.played_ms)
        assert session.conversation.errors == []
        assert session.conversation.order.index(answer.id) == 1

    run_on_virtual_clock(check())


@pytest.mark.parametrize("after_s", [0.0, 0.0005, 0.05])
def test_what_nobody_has_heard_when_it_is_stopped_without_a_server_is_not_deleted_there(
    after_s: float,
) -> None:
    async def check() -> None:
        async with Servers(Thinking()) as servers, rt.connect(transport=servers.dial) as session:
            await session.say("one two three four five six seven eight nine ten")
            await session.wait_for("response.output_audio.delta")
            await servers.vanish()
            await asyncio.sleep(after_s)
            await session.interrupt()
            await session._driver.until(lambda: not session.reconnecting, 5.0)
            await session.say("Go on.")
            assert await session.settled()
            assert session.conversation.refused == []

    run_on_virtual_clock(check())


def test_what_is_told_again_is_not_taken_for_what_the_server_says_meanwhile() -> None:
    """A barge-in into a restored answer, while the server adds an answer of its own."""

    async def check() -> None:
        llm = Thinking()
        async with Servers(llm) as servers, rt.connect(transport=servers.dial) as session:
            await session.say("one two three four five six seven eight nine ten")
            await session.wait_for("response.done")
            await session._driver.until(lambda: False, 1)  # something of it is heard
            await servers.vanish()
            await session.wait_for("connection.reconnected")
            await session.say("Stop.")  # what it tells again is not confirmed as the answer comes
            assert await session.settled()
        told = [item["id"] for item in llm.requests[-1].items]
        assert len(set(told)) == len(told)
        assert session.conversation.connections.aliases == {}
        assert session.conversation.set_apart == []
        assert session.conversation.errors == []
        assert [role for role, _ in session.conversation.transcript()] == [
            "user",
            "assistant",
            "user",
            "assistant",
        ]

    run_on_virtual_clock(check())
