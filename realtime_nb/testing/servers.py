"""Servers in memory: the local one without models, and one whose every word is in the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal, Self, cast

import msgspec
from websockets.exceptions import ConnectionClosedError

from realtime_nb.errors import SessionClosedError
from realtime_nb.local.client_socket import ClientSocket
from realtime_nb.local.connection import Connection
from realtime_nb.local.llm import LLM
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.local.stt import STT
from realtime_nb.local.tts import TTS
from realtime_nb.protocol.config import merge_session
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.transport import MemoryTransport, memory_pair
from realtime_nb.testing.engines import fake_engines

__all__ = ["MemoryServer", "ScriptedServer"]

_PATIENCE_S = 5.0


class MemoryServer:
    """The local server for one client, without a socket and without models.

    ::

        async with MemoryServer(ScriptedLLM(["Hi."])) as server:
            async with rt.connect(transport=server.transport) as session: ...

    Args:
        llm: says fixed sentences, unless it is given.
        stt, tts: None: a :class:`FakeSTT`, a :class:`FakeTTS`.
        pace: of spoken answers.
        session_s: maximum duration.
        dialect: what the server speaks.
        stages: whether it tells its stages, as the local server tells this package's client.
    """

    def __init__(
        self,
        llm: LLM | None = None,
        *,
        stt: STT | None = None,
        tts: TTS | None = None,
        pace: SpeechPace | None = None,
        session_s: float = 3_600.0,
        dialect: Literal["ga", "beta"] = "ga",
        stages: bool = False,
    ) -> None:
        self._stages = stages
        self.transport, self._end = memory_pair()
        self._engines = fake_engines(llm, stt=stt, tts=tts)
        self._pace = pace or SpeechPace()
        self._session_s = session_s
        self._dialect: Literal["ga", "beta"] = dialect
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None

    @property
    def conversation(self) -> Conversation:
        """What the server remembers, once it is entered."""
        assert self._connection is not None
        return self._connection.core.conversation

    async def __aenter__(self) -> Self:
        self._connection = connection = Connection(
            cast("ClientSocket", _MemorySocket(self._end)),
            self._engines,
            self._pace,
            model="local",
            session_s=self._session_s,
            dialect=self._dialect,
            session_type="realtime",
            tells_stages=self._stages,
        )
        self._task = asyncio.create_task(connection.serve())
        return self

    async def __aexit__(self, *raised: object) -> None:
        assert self._task is not None
        await self.vanish(1001)
        await self._task
        self._engines.hearing.shutdown()
        self._engines.voicing.shutdown()

    async def emit(self, event: JsonObject) -> None:
        """Sends the client an event that the server itself would not."""
        await self._end.send(event)

    async def vanish(self, code: int = 1006) -> None:
        """Ends the connection, by default as a lost network does."""
        await self._end.close(code)


class _MemorySocket:
    """What the local server uses of a WebSocket."""

    def __init__(self, end: MemoryTransport) -> None:
        self._end = end
        self._closed = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[str]:
        while True:
            try:
                event = await self._end.receive()
            except SessionClosedError:
                self._closed.set()
                return
            yield msgspec.json.encode(event).decode()

    def plays_until(self, until_s: float) -> None:
        """Ignores what there is no ping to wait for."""

    async def send(self, frame: bytes, text: bool) -> None:
        try:
            await self._end.send(msgspec.json.decode(frame))
        except SessionClosedError:
            raise ConnectionClosedError(None, None) from None

    async def close(self, code: int, reason: str) -> None:
        await self._end.close(code, reason)
        self._closed.set()

    async def wait_closed(self) -> None:
        await self._closed.wait()

    def drop_input(self) -> None:
        """Does nothing: what is sent does not wait in it."""


class ScriptedServer:
    """A server whose every word is in the test: expect this, then emit that.

    It is strict: an event of the client that the script did not expect fails the test at the end.

    ::

        async with ScriptedServer() as server:
            opening = asyncio.create_task(open_session(server.transport))
            await server.greet()
            session = await opening
            await session.say("Hello")
            await server.expect("conversation.item.create")
            await server.expect("response.create")
            await server.emit({"type": "error", "error": {"message": "No."}})
    """

    def __init__(self) -> None:
        self.transport, self._end = memory_pair()
        self.session: JsonObject = {
            "type": "realtime",
            "id": "sess_1",
            "output_modalities": ["audio"],
            "audio": {"input": {"turn_detection": {"type": "server_vad"}}},
        }
        self._events: asyncio.Queue[JsonObject] = asyncio.Queue()
        self._forgiven: set[str] = set()

    def attach(self, transport: MemoryTransport) -> None:
        """Puts another transport in the client's hands, for instance one that is slow."""
        transport.join(self._end)
        self._end.join(transport)
        self.transport = transport

    def forgive(self, *event_types: str) -> None:
        """Lets the client have sent any number of events of these types at the end."""
        self._forgiven.update(event_types)

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        await self._end.close()
        await self._reader
        if error is None:
            left = [self._events.get_nowait() for _ in range(self._events.qsize())]
            left = [event for event in left if event.get("type") not in self._forgiven]
            assert not left, f"The script did not expect {left}"

    async def _read(self) -> None:
        while True:
            try:
                self._events.put_nowait(await self._end.receive())
            except SessionClosedError:
                return

    async def expect(self, event_type: str, **fields: object) -> JsonObject:
        """Returns the client's next event, which must be of that type and have those fields."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                event = await self._events.get()
        except TimeoutError:
            raise AssertionError(f"The client sent no {event_type}.") from None
        assert event.get("type") == event_type, f"Expected {event_type}, got {event}"
        different = {name: event.get(name) for name in fields if event.get(name) != fields[name]}
        assert not different, f"Expected {event_type} with {fields}, got {event}"
        return event

    async def emit(self, *events: JsonObject) -> None:
        """Sends events to the client, as they are."""
        for event in events:
            await self._end.send(event)

    async def greet(self) -> JsonObject:
        """Greets the client and grants the settings that it asks for, which are returned."""
        await self.emit({"type": "session.created", "session": self.session})
        return await self.grant()

    async def grant(self) -> JsonObject:
        """Expects a ``session.update``, confirms it and returns what it asks for."""
        patch: JsonObject = (await self.expect("session.update"))["session"]
        self.session = merge_session(self.session, patch)
        await self.emit({"type": "session.updated", "session": self.session})
        return patch

    async def vanish(self, code: int = 1006, reason: str = "") -> None:
        """Ends the connection, by default as a lost network does."""
        await self._end.close(code, reason)
