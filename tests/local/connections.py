"""Sessions with a server without models, and a look at its end of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from realtime_nb.local.connection import Connection
from realtime_nb.local.server import LocalServer
from tests.local.fake_engines import fake_server
from tests.local.raw_client import RawClient, joined

__all__ = ["COMPLETED", "TRANSCRIBED", "all_work_done", "connection_of", "session"]

TRANSCRIBED = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
_OF_EVERY_SESSION = ("_read", "_write", "wait_closed")
COMPLETED = "conversation.item.input_audio_transcription.completed"


@asynccontextmanager
async def session(**server: Any) -> AsyncIterator[RawClient]:
    async with fake_server(**server) as running, joined(running) as client:
        yield client


def connection_of(server: LocalServer) -> Connection:
    (connection,) = server._connections
    return connection


async def all_work_done(connection: Connection) -> None:
    """Waits until only the reader, the writer and who waits for the end are left."""
    async with asyncio.timeout(20):
        while work := [
            task
            for task in connection._tasks
            if _does(task) not in ("_read", "_write", "wait_closed")
        ]:
            await asyncio.wait(work)


def _does(task: asyncio.Task[None]) -> str:
    return str(getattr(task.get_coro(), "__name__", ""))
