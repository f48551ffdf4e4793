"""The client that tutorials of the beta leave their readers with.

Flat sessions, the beta header, the beta's event names, a chain of ifs over raw frames. What it
receives must also be of the beta's published types.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.asyncio.client import ClientConnection, connect

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import level_dbfs, pcm_from_samples, samples_from_pcm
from realtime_nb.local.server import LocalServer
from realtime_nb.local.tts import load_tts
from tests.paths import DATA

__all__ = [
    "MODEL",
    "SESSION",
    "ULAW_BYTES_PER_MS",
    "TutorialClient",
    "assert_published",
    "assert_speech",
    "client_of",
    "recorded",
    "speak_and_listen",
    "spoken",
]

MODEL = "gpt-4o-realtime-preview-2024-10-01"
PCM_BYTES_PER_MS = 48
ULAW_BYTES_PER_MS = 8
PUBLISHED: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)

Event = dict[str, Any]

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["London", "Paris"]}},
        "required": ["city"],
    },
}
SESSION: Event = {
    "modalities": ["text", "audio"],
    "instructions": "You are a helpful assistant. Be brief.",
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
    },
    "tools": [WEATHER],
    "tool_choice": "auto",
    "temperature": 0.8,
}


class TutorialClient:
    """One socket, one loop, and what the loop has gathered so far."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[Event] = []
        self.audio = b""
        self.reply = ""
        self.user_said: list[str] = []
        self.calls: list[tuple[str, Event]] = []
        self.playing: str | None = None  # id of the item whose audio came last
        self.function_names: dict[str, str] = {}

    async def send(self, event: Event) -> None:
        await self.socket.send(json.dumps(event))

    async def configure(self, **changes: object) -> Event:
        await self.send({"type": "session.update", "session": {**SESSION, **changes}})
        updated = await self.listen("session.updated")
        session: Event = updated["session"]
        return session

    async def speak(self, audio: bytes, bytes_per_ms: int = PCM_BYTES_PER_MS) -> None:
        step = 100 * bytes_per_ms
        for start in range(0, len(audio), step):
            encoded = base64.b64encode(audio[start : start + step]).decode()
            await self.send({"type": "input_audio_buffer.append", "audio": encoded})

    async def type(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send({"type": "conversation.item.create", "item": item})

    async def listen(self, until: str, times: int = 1) -> Event:
        """Handle what comes until an event of this type has come that many more times."""
        async with asyncio.timeout(60):
            async for frame in self.socket:
                event: Event = json.loads(frame)
                self.events.append(event)
                await self._handle(event)
                times -= event["type"] == until
                if not times:
                    return event
        raise AssertionError(f"The server closed the connection before {until}.")

    async def _handle(self, event: Event) -> None:
        kind = event["type"]
        if kind == "error":
            raise AssertionError(event["error"])
        if kind == "response.audio.delta":
            self.playing = event["item_id"]
            self.audio += base64.b64decode(event["delta"], validate=True)
        elif kind in ("response.audio_transcript.delta", "response.text.delta"):
            self.reply += event["delta"]
        elif kind == "conversation.item.input_audio_transcription.completed":
            self.user_said.append(event["transcript"].strip())
        elif kind == "response.output_item.added" and event["item"]["type"] == "function_call":
            self.function_names[event["item"]["call_id"]] = event["item"]["name"]
        elif kind == "response.function_call_arguments.done":
            await self._call(event["call_id"], json.loads(event["arguments"]))

    async def _call(self, call_id: str, arguments: Event) -> None:
        """Answer at once, as the tutorials do, without a wait for ``response.done``."""
        self.calls.append((self.function_names[call_id], arguments))
        output = json.dumps({"city": arguments["city"], "sky": "cloudy", "celsius": 12})
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        await self.send({"type": "conversation.item.create", "item": item})
        await self.send({"type": "response.create"})

    @property
    def names(self) -> list[str]:
        return [event["type"] for event in self.events]


@asynccontextmanager
async def client_of(
    server: LocalServer, query: str = f"model={MODEL}", beta_header: bool = True
) -> AsyncIterator[TutorialClient]:
    headers = {"Authorization": f"Bearer {server.token}"}
    if beta_header:
        headers["OpenAI-Beta"] = "realtime=v1"
    async with connect(f"{server.url}?{query}", additional_headers=headers) as socket:
        yield TutorialClient(socket)


def silence(duration_ms: int) -> bytes:
    return bytes(duration_ms * PCM_BYTES_PER_MS)


def spoken(text: str) -> bytes:
    """Speech between silences, 24 kHz PCM16, as a microphone would go on delivering it."""
    return silence(400) + load_tts().speak(text, "alloy") + silence(1_200)


def recorded(name: str) -> bytes:
    return silence(400) + pcm_from_samples(load_audio(DATA / name, 24_000)) + silence(1_200)


async def speak_and_listen(
    client: TutorialClient, audio: bytes, until: str = "response.done", times: int = 1
) -> Event:
    speaking = asyncio.create_task(client.speak(audio))
    event = await client.listen(until, times)
    await speaking
    return event


def assert_speech(pcm: bytes, at_least_ms: int) -> None:
    assert len(pcm) >= at_least_ms * PCM_BYTES_PER_MS
    assert len(pcm) % 2 == 0
    assert level_dbfs(samples_from_pcm(pcm)) > -40


def assert_published(events: list[Event]) -> None:
    """Every event is one that the beta's published types describe, by name and by fields."""
    for event in events:
        model = PUBLISHED.validate_python(event)
        assert event["type"] == model.type
        ids = event.get("event_id")
        assert isinstance(ids, str) and ids
    assert len(events) == len({event["event_id"] for event in events})
