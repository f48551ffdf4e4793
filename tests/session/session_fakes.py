"""Sessions whose server is played by hand, for tests of the session."""

from __future__ import annotations

import asyncio
from typing import Any

import realtime_nb as rt
from realtime_nb.protocol.events import JsonObject
from realtime_nb.testing import ScriptedServer

__all__ = ["LONG_ANSWER", "response", "scripted", "turns"]

LONG_ANSWER = " ".join(["word"] * 20)  # 5 s of humming


async def scripted(server: ScriptedServer, **options: Any) -> rt.Session:
    """A session with a server that is played by hand, open and configured."""

    async def opened() -> rt.Session:
        return await rt.connect(transport=server.transport, **options)

    opening = asyncio.create_task(opened())
    await server.greet()
    return await opening


def response(status: str, response_id: str = "resp_1") -> JsonObject:
    body = {"id": response_id, "status": status, "conversation_id": "conv", "output": []}
    name = "response.created" if status == "in_progress" else "response.done"
    return {"type": name, "response": body}


async def turns(count: int = 20) -> None:
    """Lets every task go on until all of them wait."""
    for _ in range(count):
        await asyncio.sleep(0)
