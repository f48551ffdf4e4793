"""The local server behind a faulty network, and clients that go through it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.testing import FaultyNetwork, fake_engines

__all__ = ["TOKEN", "client", "ended", "running", "through"]

TOKEN = "a-token"


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[LocalServer]:
    chosen = {"port": 0, "session_s": 600, "max_connections": 50, **options}
    engines = fake_engines(ScriptedLLM(["One.", "Two.", "Three."]))
    async with LocalServer(engines, token=TOKEN, pace=SpeechPace(speed=10), **chosen) as server:
        yield server


@asynccontextmanager
async def through(*faults: Any, **options: Any) -> AsyncIterator[tuple[FaultyNetwork, str]]:
    async with running() as server:
        network = FaultyNetwork(server, faults, **options)
        async with network as url:
            yield network, url


def client(url: str, **options: Any) -> rt.connect:
    return rt.connect(url, model="m", api_key=TOKEN, **{"reconnect": False, **options})


async def ended(session: rt.Session) -> rt.SessionClosedError:
    """How a session ends that is not ended here."""
    with pytest.raises(rt.SessionClosedError) as error:
        async with asyncio.timeout(10):
            async for _ in session:
                pass
    return error.value
