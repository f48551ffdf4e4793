"""One session among many, as it is told of."""

from __future__ import annotations

import asyncio

import realtime_nb as rt
from realtime_nb.agent.managed_session import ManagedSession
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.testing import MemoryServer
from tests.virtual import virtual


@virtual
async def test_its_row_through_its_life() -> None:
    clock = asyncio.get_running_loop().time
    managed = ManagedSession("anna", clock)
    await asyncio.sleep(2)
    assert managed.row() == {
        **managed.row(),
        **{"session": "anna", "state": "opening", "because": None, "age_s": 2.0, "idle_s": 2.0},
    }
    assert "responses" not in managed.row()
    async with (
        MemoryServer(ScriptedLLM(["One two three four."])) as server,
        rt.connect(transport=server.transport) as session,
    ):
        managed.opened(session)
        await session.say("Hello")
        assert await session.settled()
        row = managed.row()
        counts = [row[name] for name in ("user_messages", "responses", "function_calls", "errors")]
        assert (row["state"], counts) == ("open", [1, 1, 0, 0])
        assert row["endpoint"] == "ws://memory"
        assert row["last_activity"] == "playback"
        assert row["idle_s"] < 0.5
        await asyncio.sleep(10)
        assert 9.9 < managed.row()["idle_s"] < 10.5
        managed.because = "it was closed"
        managed.closed()
    ended = managed.row()
    await asyncio.sleep(100)
    assert managed.row() == ended
    assert (ended["state"], ended["because"], ended["responses"]) == ("closed", "it was closed", 1)
    assert managed.session is None
