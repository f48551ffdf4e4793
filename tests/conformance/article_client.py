"""The voice agent that articles on the beta end with: six steps, one class, the calls they make.

Its sound device is a list of blocks in and a list of blocks out; everything else is as it is
printed there: the header, the flat session, the chain of ifs, calls awaited in the reader.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import numpy as np
import websockets
from websockets.asyncio.client import ClientConnection

__all__ = ["SESSION", "ArticleAgent"]

BLOCK_MS = 100
AVAILABILITY = {
    "type": "function",
    "name": "check_availability",
    "description": "Check which appointments are free on a day.",
    "parameters": {
        "type": "object",
        "properties": {"date": {"type": "string"}, "service_type": {"type": "string"}},
        "required": ["date"],
    },
}
SESSION: dict[str, Any] = {
    "modalities": ["text", "audio"],
    "instructions": "You are a helpful receptionist. Answer in under three sentences.",
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 700,
    },
    "tools": [AVAILABILITY],
}


class ArticleAgent:
    """Steps 1 to 6: connect, stream, listen, call, keep, run."""

    def __init__(self, url: str, api_key: str, microphone: np.ndarray) -> None:
        self.url = url
        self.api_key = api_key
        self.microphone = microphone
        self.played: list[np.ndarray] = []
        self.said: list[str] = []
        self.heard: list[str] = []
        self.calls: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.answers = 0
        self.socket: ClientConnection | None = None
        self._playing: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def connect(self) -> None:
        headers = {"Authorization": f"Bearer {self.api_key}", "OpenAI-Beta": "realtime=v1"}
        self.socket = await websockets.connect(
            self.url, additional_headers=headers, ping_interval=20, ping_timeout=10
        )
        await self.send({"type": "session.update", "session": SESSION})

    async def send(self, event: dict[str, Any]) -> None:
        assert self.socket is not None
        await self.socket.send(json.dumps(event))

    async def stream_audio(self) -> None:
        block = 24_000 * BLOCK_MS // 1000
        for start in range(0, len(self.microphone), block):
            pcm = (self.microphone[start : start + block] * 32_767).astype("<i2").tobytes()
            audio = base64.b64encode(pcm).decode()
            await self.send({"type": "input_audio_buffer.append", "audio": audio})

    async def play_audio(self) -> None:
        while (pcm := await self._playing.get()) is not None:
            self.played.append(np.frombuffer(pcm, "<i2"))

    async def listen(self, answers: int) -> None:
        assert self.socket is not None
        try:
            async for message in self.socket:
                await self.handle(json.loads(message))
                if self.answers == answers:
                    break
        finally:
            self._playing.put_nowait(None)

    async def handle(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "response.audio.delta":
            self._playing.put_nowait(base64.b64decode(event["delta"]))
        elif kind == "response.audio_transcript.delta":
            self.said.append(event["delta"])
        elif kind == "conversation.item.input_audio_transcription.completed":
            self.heard.append(event["transcript"])
        elif kind == "response.function_call_arguments.done":
            await self.call(event)
        elif kind == "response.done":
            self.answers += 1
        elif kind == "error":
            self.errors.append(event["error"])

    async def call(self, event: dict[str, Any]) -> None:
        arguments = json.loads(event["arguments"])
        self.calls.append(arguments)
        output = json.dumps({"date": arguments["date"], "available": ["10:00", "15:30"]})
        item = {"type": "function_call_output", "call_id": event["call_id"], "output": output}
        await self.send({"type": "conversation.item.create", "item": item})
        await self.send({"type": "response.create"})

    async def run(self, answers: int) -> None:
        await self.connect()
        assert self.socket is not None
        try:
            async with asyncio.timeout(60):
                await asyncio.gather(self.stream_audio(), self.listen(answers), self.play_audio())
        finally:
            await self.socket.close()
