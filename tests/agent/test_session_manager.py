"""Many sessions: opened by name, closed when nothing happens in them, and ended all together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.session.transport import memory_pair
from realtime_nb.testing import (
    Drop,
    FaultyNetwork,
    HalfOpen,
    MemoryServer,
    ScriptedServer,
    fake_engines,
    received,
    sent,
    silence,
    tone,
)
from tests.virtual import virtual

TOKEN = "a-token"


class Memory:
    """Opens managed sessions on servers in memory."""

    def __init__(self, manager: rt.SessionManager, owned: AsyncExitStack) -> None:
        self.manager = manager
        self.servers: dict[str, MemoryServer] = {}
        self._owned = owned

    async def create(self, name: str, **options: Any) -> rt.Session:
        server = MemoryServer(ScriptedLLM(["One.", "Two.", "Three."]))
        self.servers[name] = await self._owned.enter_async_context(server)
        return await self.manager.create(name, transport=server.transport, **options)


@asynccontextmanager
async def in_memory(**options: Any) -> AsyncIterator[tuple[rt.SessionManager, Memory]]:
    manager = rt.SessionManager("ws://memory", **options)
    async with AsyncExitStack() as owned, manager:
        yield manager, Memory(manager, owned)


def states(manager: rt.SessionManager) -> dict[str, str]:
    table = manager.table()
    return dict(zip(table["session"], table["state"], strict=True))


def because(manager: rt.SessionManager) -> dict[str, str]:
    table = manager.table()
    return dict(zip(table["session"], table["because"].fillna(""), strict=True))


@virtual
async def test_sessions_by_name() -> None:
    async with in_memory() as (manager, memory):
        anna = await memory.create("anna")
        unnamed = await manager.create(transport=(await served(memory)).transport)
        assert manager.get("anna") is anna
        assert next(iter(manager)) == "anna"
        assert manager.list() == list(manager)
        assert manager.get(manager.list()[1]) is unnamed
        assert "anna" in manager
        assert len(manager) == 2
        assert await manager.close("anna")
        assert not await manager.close("anna")
        assert not await manager.close("nobody")
        assert anna.closed
        assert manager.get("anna") is None
        assert "anna" not in manager
        again = await memory.create("anna")
        assert manager.get("anna") is again
    assert again.closed
    assert unnamed.closed


async def served(memory: Memory) -> MemoryServer:
    return await memory._owned.enter_async_context(MemoryServer(ScriptedLLM([])))


@virtual
async def test_a_name_is_given_once() -> None:
    async with in_memory() as (manager, memory):
        await memory.create("anna")
        with pytest.raises(rt.ConfigurationError, match="'anna' already"):
            await manager.create("anna")


@virtual
async def test_no_more_than_its_cap_and_those_being_opened_count() -> None:
    async with in_memory(max_sessions=2) as (manager, memory):
        silent, _ = memory_pair()
        opening = asyncio.create_task(manager.create("slow", transport=silent))
        await asyncio.sleep(0)
        await memory.create("b")
        with pytest.raises(rt.ConnectionFailedError, match="2 sessions are open") as refused:
            await memory.create("c")
        assert refused.value.code == "session_limit_reached"
        assert states(manager) == {"slow": "opening", "b": "open"}
        with pytest.raises(rt.ConnectionFailedError, match=r"sent no session\.created"):
            await opening
        await memory.create("d")
        assert manager.list() == ["b", "d"]


@virtual
async def test_a_full_manager_makes_room_where_a_session_is_over() -> None:
    async with in_memory(max_sessions=1) as (manager, memory):
        await memory.create("a", **no_return())
        await memory.servers["a"].vanish()
        await asyncio.sleep(0.01)
        await memory.create("b")
        assert manager.list() == ["b"]
        assert "1006" in because(manager)["a"]


def no_return() -> dict[str, Any]:
    """What a session needs to end with its connection."""
    return {"reconnect": False} if "reconnect" in rt.connect.__init__.__annotations__ else {}


@virtual
async def test_silence_that_is_sent_keeps_no_session() -> None:
    async with in_memory(idle_s=30) as (manager, memory):
        quiet, lively, working = [await memory.create(n) for n in ("quiet", "lively", "working")]

        async def stream(session: rt.Session, pcm: bytes) -> None:
            with contextlib.suppress(rt.RealtimeError):
                while True:
                    await session.append(pcm)
                    await asyncio.sleep(len(pcm) / 48_000)

        streams = [
            asyncio.create_task(stream(quiet, silence(1_000))),
            asyncio.create_task(stream(lively, tone(600) + silence(9_400))),
        ]
        for _ in range(5):
            await working.say("Still there?")
            await asyncio.sleep(10)
        assert manager.list() == ["lively", "working"]
        assert because(manager)["quiet"] == "nothing happened in it for 30 s"
        table = manager.table().set_index("session")
        assert 30 <= table.age_s["quiet"] < 32
        assert table.idle_s["lively"] < 12
        assert table.audio_sent_ms["quiet"] > 29_000
        await asyncio.sleep(40)
        assert manager.list() == ["lively"]
        for task in streams:
            task.cancel()


@virtual
async def test_a_function_that_runs_keeps_its_session() -> None:
    async def slow() -> str:
        """Takes its time."""
        await asyncio.sleep(100)
        return "done"

    async with in_memory(idle_s=30) as (manager, _), ScriptedServer() as server:
        server.forgive("conversation.item.create", "response.create")
        tool = rt.tool(timeout_s=200)(slow)
        creating = asyncio.create_task(
            manager.create("a", transport=server.transport, tools=[tool])
        )
        await server.greet()
        await creating
        call = {"type": "function_call", "id": "i", "call_id": "c", "name": "slow"}
        item = {**call, "status": "completed", "arguments": "{}"}
        response = {"id": "r", "status": "completed", "output": [item]}
        await server.emit(
            {"type": "response.created", "response": {"id": "r", "status": "in_progress"}},
            {"type": "response.output_item.added", "response_id": "r", "item": item},
            {"type": "response.output_item.done", "response_id": "r", "item": item},
            {"type": "response.done", "response": response},
        )
        await asyncio.sleep(90)
        table = manager.table()
        assert table.state.tolist() == ["open"]
        assert table.running_calls.tolist() == [1]
        assert table.last_activity.tolist() == ["tool"]
        await asyncio.sleep(50)
        assert states(manager) == {"a": "closed"}


@virtual
async def test_a_session_that_is_too_old_is_closed_whatever_happens() -> None:
    async with in_memory(idle_s=None, max_age_s=20) as (manager, memory):
        session = await memory.create("a")
        for _ in range(9):
            await session.say("Hi")
            await asyncio.sleep(2)
        assert manager.list() == ["a"]
        await asyncio.sleep(4)  # the manager looks every second
        assert because(manager) == {"a": "it is older than 20 s"}


@virtual
async def test_stale_sessions_can_be_closed_by_hand() -> None:
    async with in_memory(idle_s=1_000) as (manager, memory):
        for name in ("a", "b"):
            await memory.create(name)
        await asyncio.sleep(999.9)
        await manager.get("b").say("Hi")  # type: ignore[union-attr]
        await asyncio.sleep(0.2)
        assert set(await manager.close_stale()) <= {"a"}
        assert manager.list() == ["b"]
        assert await manager.close_stale() == []


@virtual
async def test_what_ended_by_itself_is_closed_and_said() -> None:
    async with in_memory() as (manager, memory):
        session = await memory.create("a", **no_return())
        await memory.servers["a"].vanish(1011)
        await asyncio.sleep(2)
        assert states(manager) == {"a": "closed"}
        assert because(manager)["a"].startswith("it ended: The connection was closed (1011")
        assert session.closed


@virtual
async def test_the_end_ends_those_being_opened_too() -> None:
    async with in_memory() as (manager, memory):
        silent, _ = memory_pair()
        opening = asyncio.create_task(manager.create("slow", transport=silent))
        await memory.create("b")
        await manager.close_all()
        with pytest.raises(rt.SessionClosedError, match="manager was closed"):
            await opening
        with pytest.raises(rt.SessionClosedError, match="manager was closed"):
            await manager.create("c")
        assert set(states(manager).values()) == {"closed"}
        await manager.close_all()


@virtual
async def test_whoever_gives_up_opening_leaves_nothing() -> None:
    async with in_memory() as (manager, _):
        silent, server = memory_pair()
        opening = asyncio.create_task(manager.create("slow", transport=silent))
        await asyncio.sleep(1)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert len(manager) == 0
        with pytest.raises(rt.SessionClosedError):
            await server.receive()


@virtual
async def test_its_end_has_a_bound(caplog: pytest.LogCaptureFixture) -> None:
    never = asyncio.Event()
    async with in_memory(close_within_s=5) as (manager, memory):
        stuck = await memory.create("stuck")
        others = [await memory.create(f"s{n}") for n in range(5)]
        close = stuck._driver._transport.close

        async def hang() -> None:
            await never.wait()
            await close()

        stuck._driver._transport.close = hang  # type: ignore[method-assign]
        began_s = asyncio.get_running_loop().time()
        await manager.close_all()
        assert asyncio.get_running_loop().time() - began_s < 6
        assert all(session.closed for session in others)
        assert "Not ended within 5 s: stuck" in caplog.text
        assert states(manager)["stuck"] == "closing"
        never.set()
        await stuck.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_sessions": 0},
        {"idle_s": 0},
        {"max_age_s": -1},
        {"close_within_s": float("nan")},
        {"instrctions": "x"},
        {"endpoint": "nowhere"},
    ],
)
def test_impossible_options_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(rt.ConfigurationError):
        rt.SessionManager(**wrong)


@virtual
async def test_a_manager_is_begun_once() -> None:
    manager = rt.SessionManager("ws://memory")
    with pytest.raises(rt.ConfigurationError, match="not begun"):
        await manager.create()
    assert await manager is manager
    with pytest.raises(rt.ConfigurationError, match="entered before"):
        await manager
    await manager.close_all()


@virtual
async def test_options_are_those_of_all_and_each_ones_own(tmp_path: Path) -> None:
    async with in_memory(instructions="For all", record=tmp_path) as (manager, memory):
        a = await memory.create("a")
        b = await memory.create("b", instructions="For b")
        assert a.conversation.session["instructions"] == "For all"
        assert b.conversation.session["instructions"] == "For b"
        recording = manager.table().recording[0]
    assert rt.load(recording).complete


@virtual
async def test_a_block_that_fails_leaves_incomplete_recordings(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with in_memory(record=tmp_path) as (_, memory):
            session = await memory.create("a")
            raise ZeroDivisionError
    assert session.recording is not None
    assert not rt.load(session.recording).complete


@virtual
async def test_the_last_hundred_that_ended_are_in_the_table() -> None:
    async with in_memory() as (manager, memory):
        for n in range(103):
            await memory.create(f"s{n}")
            await manager.close(f"s{n}")
        await memory.create("open")
        table = manager.table()
        assert table.session.tolist() == [f"s{n}" for n in range(3, 103)] + ["open"]
        assert table.attrs["columns"]["idle_s"]["unit"] == "s"
        assert manager.table().dtypes.equals(rt.SessionManager("ws://x").table().dtypes)


@virtual
async def test_names_are_never_html() -> None:
    async with in_memory() as (manager, memory):
        await memory.create("<script>alert(1)</script>")
        assert "<script>" not in manager._repr_html_()
        assert "<th>user_<wbr>messages</th>" in manager._repr_html_()
        assert "&lt;script&gt;" in manager._repr_html_()
        assert repr(manager) == "<SessionManager running, 1 of 100 sessions>"


@virtual
async def test_what_is_shown_is_kept_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython
    from IPython import display

    class Handle:
        display_id = "shown"

    class Shell:
        kernel = object()

    sent_data: list[str] = []
    monkeypatch.setattr(IPython, "get_ipython", Shell)
    monkeypatch.setattr(display, "display", lambda *data, **how: Handle())

    def update(data: dict[str, str], *, raw: bool, display_id: str) -> None:
        assert raw
        assert display_id == "shown"
        sent_data.append(data["text/html"])

    monkeypatch.setattr(display, "update_display", update)
    async with in_memory() as (manager, memory):
        manager._ipython_display_()
        await memory.create("anna")
        await asyncio.sleep(3.5)
        assert 2 <= len(sent_data) <= 3
        assert "anna" in sent_data[-1]
    assert "the manager was closed" in sent_data[-1]


# --- a hundred at once, over sockets ---


def counts() -> tuple[int, int, int]:
    """Files and sockets, threads but for those that the loop lends, and tasks."""
    gc.collect()
    own = [one for one in threading.enumerate() if not one.name.startswith("asyncio_")]
    return len(os.listdir("/proc/self/fd")), len(own), len(asyncio.all_tasks())


def faults_of(number: int) -> list[Any]:
    """A third of the connections are dropped, each in its own way."""
    kinds = [
        Drop(received("response.created"), 1006, tcp="rst"),
        Drop(sent("input_audio_buffer.append", nth=20), 1011),
        Drop(sent("response.create"), 1006),
        HalfOpen(received("response.done")),
        Drop(received("response.output_audio.delta"), 1012),
    ]
    return [kinds[number // 3 % len(kinds)]] if number % 3 == 0 else []


async def many(seconds: float, sessions: int, record: Path) -> rt.SessionManager:
    engines = fake_engines(ScriptedLLM(["One, two.", "Three.", "Four, five, six."] * 500))
    server = LocalServer(
        engines,
        port=0,
        token=TOKEN,
        pace=SpeechPace(),
        session_s=600,
        max_connections=3 * sessions,
    )
    async with server:
        network = FaultyNetwork(server, faults_of, seed=7)
        async with (
            network as url,
            rt.SessionManager(
                *(url,), api_key=TOKEN, model="m", record=record, max_sessions=sessions, idle_s=600
            ) as manager,
        ):
            opened: list[rt.Session] = []
            for begin in range(0, sessions, 20):
                names = [f"s{n}" for n in range(begin, min(begin + 20, sessions))]
                opened += await asyncio.gather(*map(manager.create, names))
            assert len(manager) == sessions
            chance = random.Random(7)
            talks = [asyncio.create_task(talk(session, chance.random())) for session in opened]
            await asyncio.sleep(seconds)
            async with asyncio.timeout(60):  # a busy machine has them talk later
                while dropped(network) < sessions // 4:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            for task in talks:
                task.cancel()
            await asyncio.gather(*talks, return_exceptions=True)
    return manager


def dropped(network: FaultyNetwork) -> int:
    return sum(bool(connection.struck) for connection in network.connections)


async def talk(session: rt.Session, pause_s: float) -> None:
    with contextlib.suppress(rt.RealtimeError):
        while True:
            await asyncio.sleep(pause_s)
            await session.speak(tone(500))
            await session.say("And now?")
            await session.settled(10)


@pytest.mark.parametrize(
    ("seconds", "sessions"),
    [
        pytest.param(2, 15, marks=pytest.mark.timeout(200)),  # one of each fault
        pytest.param(60, 100, marks=[pytest.mark.long, pytest.mark.timeout(240)]),
    ],
)
async def test_many_sessions_leave_nothing_behind(
    seconds: float, sessions: int, tmp_path: Path
) -> None:
    await many(0.5, 3, tmp_path / "first")  # what is made once and kept
    before = counts()
    manager = await many(seconds, sessions, tmp_path / "many")
    async with asyncio.timeout(10):
        while counts() != before:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert len(manager) == 0
    assert set(manager.table().state) == {"closed"}
    whole = [rt.load(path) for path in sorted((tmp_path / "many").iterdir())]
    assert len(whole) == sessions
