"""Who hangs up while a function runs: it was called and never answered, and everything says so."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import matplotlib
import pytest

import realtime_nb as rt
from realtime_nb.local.llm import Call
from tests.agent import agents
from tests.agent.agents import KEY, WAIT_S, Server

fake_comms, voice = agents.fake_comms, agents.voice
matplotlib.use("Agg")


@pytest.mark.parametrize("name", ["in_thread", "on_loop"])
def test_hanging_up_while_a_function_runs(name: str, voice: Path, tmp_path: Path) -> None:
    began, gate = threading.Event(), threading.Event()

    def in_thread() -> str:
        began.set()
        gate.wait(WAIT_S)
        return "late"

    async def on_loop() -> str:
        began.set()
        await asyncio.sleep(WAIT_S)
        return "late"

    server = Server(replies=[Call(name, "{}"), "Done."])
    agent = rt.Agent(
        server.local.url,
        api_key=KEY,
        audio=voice,
        record=tmp_path / "recordings",
        tools=[in_thread, on_loop],
    )
    try:
        agent.say("Go.")
        assert began.wait(WAIT_S)
        agent.disconnect().result(WAIT_S)
        gate.set()
        assert agent.recording is not None
        rec = rt.load(agent.recording)
        assert rec.complete
        assert [one.text for one in rec.findings()] == [
            f"turn 1: {name} was called and never answered."
        ]
        assert rec.report(tmp_path / "report.html").exists()
        assert rec.to_csv(tmp_path / "csv") and rec.to_parquet(tmp_path / "parquet")
    finally:
        gate.set()
        agent.close()
        server.close()
