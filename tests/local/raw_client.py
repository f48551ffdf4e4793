"""A bare WebSocket client of the local server that validates every event it is sent."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from realtime_nb.local.server import LocalServer
from realtime_nb.testing import silence, tone
from tests.conformance.ledger import Ledger
from tests.conformance.validate import validate

__all__ = ["Event", "RawClient", "become_true", "joined", "turn"]

Event = dict[str, Any]


def turn(speech_ms: float = 400, pause_ms: float = 400) -> bytes:
    """What the detector of the fakes takes for one turn."""
    return silence(100) + tone(speech_ms) + silence(pause_ms)


async def become_true(condition: Callable[[], bool]) -> None:
    """Lets everything else run until the condition holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.001)


class RawClient:
    """One session."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.ledger = Ledger()
        self.events: list[Event] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def append(self, audio: bytes) -> None:
        await self.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    async def update(self, **session: Any) -> None:
        await self.send("session.update", session={"type": "realtime", **session})
        await self.until("session.updated")

    async def write(self, text: str = "Hi") -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send("conversation.item.create", item=item)

    async def ask(self, text: str = "Hi", **response: Any) -> Event:
        """A typed question; returns the finished response."""
        await self.write(text)
        await self.send("response.create", response=response)
        done: Event = (await self.until("response.done"))["response"]
        return done

    async def receive(self) -> Event:
        frame = await self.socket.recv()
        assert isinstance(frame, str)
        event: Event = json.loads(frame)
        validate(event)
        self.ledger.check(event)
        self.events.append(event)
        return event

    async def until(self, kind: str, times: int = 1) -> Event:
        """The next event of this type, or a later one."""
        async with asyncio.timeout(30):
            while True:
                event = await self.receive()
                times -= event["type"] == kind
                if not times:
                    return event

    async def close_code(self) -> tuple[int | None, str | None]:
        """Reads on to the server's CLOSE; its code and reason."""
        async with asyncio.timeout(30):
            with suppress(ConnectionClosed):
                while True:
                    await self.receive()
        return self.socket.close_code, self.socket.close_reason

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]


@asynccontextmanager
async def joined(
    server: LocalServer, query: str = "model=local", *, reads: bool = True
) -> AsyncIterator[RawClient]:
    """A session, greeted. Without ``reads``, only what is asked for leaves the socket."""
    headers = {"Authorization": f"Bearer {server.token}"}
    url = f"{server.url}?{query}"
    async with connect(
        url, additional_headers=headers, max_size=None, max_queue=None if reads else 1
    ) as socket:
        client = RawClient(socket)
        created = await client.receive()
        assert created["type"] == "session.created"
        yield client
