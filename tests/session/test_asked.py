"""Verbs keep their order, and `settled` waits for them, awaited or not."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.session.asked import Asked
from realtime_nb.testing import MemoryServer, run_on_virtual_clock, silence, tone
from tests.session.session_fakes import turns
from tests.virtual import virtual

VERBS = ["say", "commit", "clear", "update", "append", "send", "respond"]


def ask(session: rt.Session, verb: str, number: int) -> Asked[Any]:
    """Asks for something that can be told from others on the wire."""
    match verb:
        case "say":
            return session.say(f"text {number}")
        case "update":
            return session.update(instructions=f"text {number}")
        case "append":
            return session.append(silence(20))
        case "respond":
            return session.respond(f"text {number}")
        case "send":
            event = {"type": "conversation.item.retrieve", "item_id": f"text {number}"}
            return session.send(event)
        case _:
            return session.commit() if verb == "commit" else session.clear()


EVENT = {
    "say": "conversation.item.create",
    "update": "session.update",
    "append": "input_audio_buffer.append",
    "send": "conversation.item.retrieve",
    "commit": "input_audio_buffer.commit",
    "clear": "input_audio_buffer.clear",
}


@given(st.lists(st.tuples(st.sampled_from(VERBS), st.sampled_from(["awaited", "task", "left"]))))
@settings(max_examples=60, deadline=None)
def test_what_is_asked_for_leaves_in_the_order_of_asking(steps: list[tuple[str, str]]) -> None:
    async def check() -> None:
        async with MemoryServer(ScriptedLLM(["Yes."] * 99)) as server:
            session = await rt.connect(transport=server.transport, turn_detection=None)
            sent: list[str] = []
            tasks: list[asyncio.Task[object]] = []
            connection = session._driver.connection
            assert connection is not None
            put = connection.outbox.put

            def noted(event: dict[str, Any], end_ms: float | None = None) -> None:
                sent.append(event["type"])
                put(event, end_ms)

            connection.outbox.put = noted  # type: ignore[method-assign]
            for number, (verb, how) in enumerate(steps):
                asked = ask(session, verb, number)
                if how == "awaited":
                    await asked
                elif how == "task":
                    tasks.append(asyncio.create_task(asked))
            assert await session.settled()
            asked_kinds = [EVENT[verb] for verb, _ in steps if verb in EVENT]
            audio = {EVENT[verb] for verb in ("append", "commit", "clear")}
            verbs = {*EVENT.values()} - {EVENT["append"]}  # audio goes beside what is typed
            for together in (audio, verbs):
                left = [kind for kind in sent if kind in together]
                assert left == [kind for kind in asked_kinds if kind in together]
            asked_for = [f"text {n}" for n, (verb, _) in enumerate(steps) if verb == "say"]
            said = [text for role, text in session.conversation.transcript() if role == "user"]
            assert said == asked_for
            await session.close()

    run_on_virtual_clock(check())


CLIP_MS = 600


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["speak", "speak", "say", "update"]), st.sampled_from([0, 0.3, 2])
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_clips_and_verbs_asked_for_meanwhile_all_come_to_an_end(
    steps: list[tuple[str, float]], detected: bool
) -> None:
    async def check() -> None:
        detection = rt.ServerVAD() if detected else None
        async with MemoryServer(ScriptedLLM(["Yes."] * 99)) as server:
            session = await rt.connect(transport=server.transport, turn_detection=detection)
            for number, (verb, wait_s) in enumerate(steps):
                if verb == "speak":
                    session.speak(tone(CLIP_MS))
                else:
                    ask(session, verb, number)
                await asyncio.sleep(wait_s)
            assert await session.settled()
            clips = sum(verb == "speak" for verb, _ in steps)
            assert session.conversation.input_ms >= CLIP_MS * clips
            items = session.conversation.items.values()
            if not detected:  # each clip is a turn; detected ones may follow on each other
                assert sum(item.committed_s is not None for item in items) == clips
            await session.close()

    run_on_virtual_clock(check())


@virtual
async def test_settled_waits_for_a_clip_that_nobody_awaits() -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes.", "Well."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        session.speak(tone(2_000))
        session.say("Hello")
        assert await session.settled()
        assert session.clock() > 2
        assert [role for role, _ in session.conversation.transcript()].count("assistant") == 2


@virtual
async def test_audio_that_waits_for_room_is_not_overtaken_by_its_commit() -> None:
    async with (
        MemoryServer(ScriptedLLM([])) as server,
        rt.connect(transport=server.transport, turn_detection=None) as session,
    ):
        session._driver.audio_in.format_is_settled = False
        session.append(silence(200))
        committed = asyncio.create_task(session.commit())
        session.interrupt()  # is not held up by audio
        await turns()
        assert session.conversation.input_ms == 0
        assert not committed.done()
        session._driver.audio_in.format_is_settled = True
        session._driver._inbox.changed()
        await committed
        assert session.conversation.input_ms == 200
        await session.wait_for("input_audio_buffer.committed")


@virtual
async def test_a_verb_may_be_asked_for_on_another_thread() -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        thread = threading.Thread(target=lambda: session.say("From afar"))
        thread.start()
        thread.join()
        await turns()
        assert await session.settled()
        assert ("user", "From afar") in session.conversation.transcript()


@virtual
async def test_cancelling_who_waits_cancels_what_was_asked_for() -> None:
    async with (
        MemoryServer(ScriptedLLM(["Yes."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        clip = asyncio.create_task(session.speak(tone(60_000)))
        await asyncio.sleep(1)
        clip.cancel()
        await asyncio.gather(clip, return_exceptions=True)
        assert clip.cancelled()
        assert not session._order._tasks
