"""The ``openai`` package's own Realtime client, unmodified, and servers to connect it to.

Every frame that a server sends is validated, strictly, against the types that the package
publishes. A test module takes the fixtures in by name: ``server = sdk_client.server``.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from difflib import SequenceMatcher
from typing import Any

import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent

import realtime_nb as rt
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.local.llm import Reply, Request, ScriptedLLM
from realtime_nb.local.server import LocalServer
from realtime_nb.testing import silence
from tests.conformance.ledger import Ledger
from tests.conformance.validate import validate
from tests.paths import DATA

__all__ = [
    "COMPLETED",
    "MODEL",
    "Client",
    "Event",
    "Replies",
    "alike",
    "assert_in_order",
    "client_of",
    "openai_of",
    "plain",
    "recorded",
    "replies",
    "server",
    "slow_server",
]

MODEL = "gpt-realtime-2.1"
COMPLETED = "conversation.item.input_audio_transcription.completed"
FAST = 20.0

Event = dict[str, Any]


class Replies:
    """A model whose next replies each test writes."""

    name = "replies"

    def __init__(self) -> None:
        self.script: ScriptedLLM = ScriptedLLM([])
        self.requests: list[Request] = []

    def will_say(self, *replies: Reply) -> None:
        self.script = ScriptedLLM(replies)
        self.requests.clear()

    def reply(self, request: Request) -> Any:
        self.requests.append(request)
        return self.script.reply(request)


class Client:
    """What the package gives, read frame by frame."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.ledger = Ledger()
        self.events: list[Event] = []

    async def receive(self) -> RealtimeServerEvent:
        frame = await self.connection.recv_bytes()
        event: Event = json.loads(frame)
        validate(event)
        self.ledger.check(event)
        self.events.append(event)
        parsed = self.connection.parse_event(frame)
        assert parsed.type == event["type"]
        return parsed

    async def until(self, kind: str, times: int = 1) -> Any:
        async with asyncio.timeout(40):
            while True:
                event = await self.receive()
                times -= event.type == kind
                if not times:
                    return event

    async def say(self, audio: bytes, piece_ms: int = 100) -> None:
        for start in range(0, len(audio), 48 * piece_ms):
            piece = base64.b64encode(audio[start : start + 48 * piece_ms]).decode()
            await self.connection.input_audio_buffer.append(audio=piece)

    async def write(self, text: str) -> None:
        await self.connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": text}],
            }
        )

    async def configure(self, **session: Any) -> Any:
        await self.connection.session.update(session={"type": "realtime", **session})  # type: ignore[arg-type]
        return (await self.until("session.updated")).session

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def audio_of(self, item_id: str) -> bytes:
        deltas = self.of("response.output_audio.delta")
        return b"".join(base64.b64decode(d["delta"]) for d in deltas if d["item_id"] == item_id)


@pytest.fixture(scope="module")
def replies() -> Replies:
    return Replies()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(replies: Replies) -> AsyncIterator[LocalServer]:
    async with rt.serve(llm=replies, speed=FAST) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slow_server(replies: Replies) -> AsyncIterator[LocalServer]:
    """Speaks at the pace of life, so that answers can be interrupted."""
    async with rt.serve(llm=replies, lead_ms=300) as running:
        yield running


def openai_of(server: LocalServer, api_key: str | None = None) -> AsyncOpenAI:
    token = api_key or server.token
    # docs
    base = server.url.removesuffix("/realtime")
    openai = AsyncOpenAI(api_key=token, websocket_base_url=base)
    # docs: end
    return openai


@asynccontextmanager
async def client_of(server: LocalServer) -> AsyncIterator[Client]:
    async with openai_of(server) as openai, openai.realtime.connect(model=MODEL) as connection:
        client = Client(connection)
        created = await client.receive()
        assert created.type == "session.created"
        yield client
        client.ledger.check_settled()


def recorded(name: str) -> bytes:
    return silence(300) + pcm_from_samples(load_audio(DATA / name)) + silence(1_000)


def plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum() or c == " ").strip()


def alike(heard: str, said: str) -> bool:
    """The same but for a syllable, which a tiny model may mishear."""
    return SequenceMatcher(None, plain(heard), plain(said)).ratio() > 0.9


def assert_in_order(expected: list[str], kinds: list[str]) -> None:
    rest = iter(kinds)
    missing = [kind for kind in expected if kind not in rest]
    assert not missing, f"{missing[0]} is missing or out of order in {kinds}"
