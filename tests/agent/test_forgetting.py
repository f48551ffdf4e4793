"""Agents that are only disconnected, or forgotten, leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import ipywidgets  # type: ignore[import-untyped]
import pytest

from realtime_nb.agent.agent import Agent
from realtime_nb.agent.forgetting import weakly
from realtime_nb.agent.io_thread import io_thread
from tests.agent import agents
from tests.agent.agents import KEY, WAIT_S, Server, said, until
from tests.widgets.conftest import FakePage

fake_comms, server, voice = agents.fake_comms, agents.server, agents.voice


def left() -> Counter[str]:
    """What there is in this process of what an agent could leave behind."""
    gc.collect()
    found: Counter[str] = Counter()
    threads = (one.name for one in threading.enumerate() if "realtime_nb" in one.name)
    found.update(f"thread {name}" for name in threads)
    found["tasks"] = len(asyncio.all_tasks(io_thread().loop))
    found["open files and sockets"] = len(os.listdir("/proc/self/fd"))
    found["widgets"] = len(ipywidgets.widgets.widget._instances)
    found["agents"] = sum(isinstance(one, Agent) for one in gc.get_objects())
    return found


def settled_as(before: Counter[str]) -> None:
    """Waits until as much is there as before; threads of the pool may stay, and wait for work."""
    try:
        until(lambda: not left() - before)
    except AssertionError:
        assert left() - before == Counter()


def made(server: Server, tmp_path: Path, voice: Path, **settings: Any) -> Agent:
    given = {"audio": voice, "api_key": KEY, "record": tmp_path / "recordings"}
    return Agent(server.local.url, **{**given, **settings})


def talk(agent: Agent) -> None:
    agent.say("Hello?").result(WAIT_S)
    assert agent.settled().result(WAIT_S)
    agent.disconnect().result(WAIT_S)


def test_connecting_time_and_again_leaves_nothing(
    server: Server, voice: Path, tmp_path: Path
) -> None:
    agent = made(server, tmp_path, voice)

    for _ in range(2):
        talk(agent)  # pools and imports are made by the first
    before = left()
    for _ in range(8):
        talk(agent)
    settled_as(before)
    agent.close()


@pytest.mark.parametrize("audio", ["file", "browser"])
@pytest.mark.parametrize("talked", [False, True])
def test_a_forgotten_agent_leaves_nothing(
    server: Server, voice: Path, tmp_path: Path, audio: str, talked: bool
) -> None:
    first = made(server, tmp_path, voice)  # of which pools stay, the server's too
    talk(first)
    first.close()
    del first
    before = left()
    for _ in range(3):
        agent = made(server, tmp_path, voice, audio=voice if audio == "file" else "browser")
        if talked:
            talk(agent)
        there = weakref.ref(agent)
        del agent
        gc.collect()
        until(lambda: there() is None, "it is gone")  # noqa: B023
    settled_as(before)


def test_what_talks_is_not_forgotten(server: Server, voice: Path, tmp_path: Path) -> None:
    agent = made(server, tmp_path, voice)
    agent.connect().result(WAIT_S)
    there = weakref.ref(agent)
    del agent
    gc.collect()
    still = there()
    assert still is not None and still.connected
    still.say("Hello?").result(WAIT_S)
    assert still.settled().result(WAIT_S)
    assert said(still)[-1] == ("assistant", "Hello.")
    still.disconnect().result(WAIT_S)


@pytest.mark.parametrize("part", ["panel", "transcript"])
def test_what_a_page_shows_is_not_forgotten(
    server: Server, voice: Path, tmp_path: Path, part: str
) -> None:
    agent = made(server, tmp_path, voice)
    page, there = FakePage(getattr(agent, part)), weakref.ref(agent)
    page.hello()
    del agent, page
    gc.collect()
    still = there()
    assert still is not None and still.panel.comm is not None
    still.close()
    del still
    gc.collect()
    until(lambda: there() is None, "it is gone")


def test_a_method_of_what_is_gone_does_nothing() -> None:
    class Taking:
        def __init__(self) -> None:
            self.taken: list[object] = taken

        def take(self, one: object) -> None:
            self.taken.append(one)

    taken: list[object] = []
    taking = Taking()
    take = weakly(taking.take)
    take(1)
    del taking
    take(2)
    assert taken == [1]
