"""Opening a session: what remains of one that never began. The rest is in test_session.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import realtime_nb as rt
from realtime_nb.testing import MemoryServer, ScriptedServer
from tests.virtual import virtual


@virtual
async def test_a_server_that_says_nothing_leaves_no_recording(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        connecting = rt.connect(transport=server.transport, record=tmp_path / "recordings")
        opening = asyncio.create_task(connecting.__aenter__())
        await server.vanish(1011)
        with pytest.raises(rt.ConnectionFailedError):
            await opening

    assert list(tmp_path.iterdir()) == []


@virtual
async def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(
            rt.connect(transport=server.transport, record=tmp_path).__aenter__()
        )
        await server.vanish(1011)
        with pytest.raises(rt.ConnectionFailedError):
            await opening

    assert list(tmp_path.iterdir()) == []


async def test_a_server_that_is_not_there_leaves_no_recording(tmp_path: Path) -> None:
    with pytest.raises(rt.ConnectionFailedError):
        await rt.connect("ws://127.0.0.1:9/v1/realtime", record=tmp_path / "recordings")

    assert list(tmp_path.iterdir()) == []


@virtual
async def test_a_refusal_that_was_received_is_kept(tmp_path: Path) -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(
            rt.connect(transport=server.transport, record=tmp_path).__aenter__()
        )
        await server.emit({"type": "error", "error": {"message": "No more sessions."}})
        with pytest.raises(rt.ConnectionFailedError):
            await opening

    (recording,) = tmp_path.iterdir()
    assert rt.load(recording).conversation.errors[0].message == "No more sessions."


@virtual
async def test_the_transport_is_there_once_it_is_open() -> None:
    async with MemoryServer() as server:
        connection = rt.connect(transport=server.transport)
        async with connection:
            assert connection.transport is server.transport
