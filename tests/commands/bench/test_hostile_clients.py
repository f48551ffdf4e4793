from __future__ import annotations

import asyncio
import time

import pytest

from realtime_nb.commands.bench.hostile_clients import KINDS, Address, attack
from tests.local.fake_engines import fake_server


def test_there_are_enough() -> None:
    assert len(KINDS) - 1 >= 30  # one of them is nobody


@pytest.mark.parametrize("name", ["pings", "15-MiB appends", "says nothing", "comes and goes"])
async def test_they_come_and_go(name: str) -> None:
    before = asyncio.all_tasks()
    async with fake_server() as server:
        began_s = time.monotonic()
        await attack(name, Address(server.port, server.token), 0.3)
        assert time.monotonic() - began_s < 5
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()
