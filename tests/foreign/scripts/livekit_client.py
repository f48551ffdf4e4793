"""LiveKit's ``RealtimeModel`` in an ``AgentSession``: what it can do of the seven scenarios.

No room: the session's microphone and loudspeaker are two objects of this script, the loudspeaker as
slow as life, so that what was heard of an answer is what LiveKit truncates it to.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.utils import http_context
from livekit.agents.voice import io
from livekit.plugins import openai
from openai.types import realtime
from speech import clip, heard, new_told, streamed, tell

SERVER_VAD = realtime.realtime_audio_input_turn_detection.ServerVad(
    type="server_vad", silence_duration_ms=500, interrupt_response=True, create_response=True
)
TRANSCRIPTION = realtime.AudioTranscription(model="gpt-4o-mini-transcribe")

told = new_told()
changed = asyncio.Event()


def frame(pcm: bytes) -> rtc.AudioFrame:
    return rtc.AudioFrame(
        pcm, sample_rate=24_000, num_channels=1, samples_per_channel=len(pcm) // 2
    )


class Microphone(io.AudioInput):
    """What is put into it."""

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def __anext__(self) -> rtc.AudioFrame:
        return frame(await self.pieces.get())

    async def say(self, name: str) -> None:
        await streamed(clip(name), self.pieces.put)


class Loudspeaker(io.AudioOutput):
    """Plays to nobody, at the pace of life, and tells how far it came."""

    def __init__(self) -> None:
        capabilities = io.AudioOutputCapabilities(pause=False)
        super().__init__(label="loudspeaker", capabilities=capabilities, sample_rate=24_000)
        self.begun_s: float | None = None
        self.given_s = 0.0
        self.begun = asyncio.Event()
        self.ending: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self.begun_s is None:
            self.begun_s, self.given_s = time.monotonic(), 0.0
            self.on_playback_started(created_at=time.time())
            self.begun.set()
        self.given_s += frame.duration
        heard.extend(frame.data.cast("B"))

    def flush(self) -> None:
        super().flush()
        if self.begun_s is not None:
            self.ending = asyncio.create_task(self._end_when_played(self.begun_s + self.given_s))

    async def _end_when_played(self, end_s: float) -> None:
        await asyncio.sleep(max(0.0, end_s - time.monotonic()))
        self._end(interrupted=False)

    def clear_buffer(self) -> None:
        if self.ending is not None:
            self.ending.cancel()
        self._end(interrupted=True)

    def _end(self, interrupted: bool) -> None:
        if self.begun_s is None:
            return
        played_s = min(time.monotonic() - self.begun_s, self.given_s)
        self.begun_s = None
        if interrupted:
            told["interrupted"] = True
        self.on_playback_finished(playback_position=played_s, interrupted=interrupted)


@function_tool
async def get_weather(city: str) -> dict[str, Any]:
    """Get the current weather in a city."""
    told["calls"].append({"name": "get_weather", "arguments": {"city": city}})
    return {"sky": "cloudy", "celsius": 12}


@asynccontextmanager
async def conversation(
    tools: Any = (), turns: str = "realtime_llm", **settings: Any
) -> AsyncIterator[tuple[AgentSession, Microphone, Loudspeaker]]:
    # docs
    model = openai.realtime.RealtimeModel(
        base_url=os.environ["BASE_URL"],
        api_key=os.environ["API_KEY"],
        **settings,
    )
    session = AgentSession(
        llm=model,
        turn_handling={"turn_detection": turns},
        aec_warmup_duration=None,  # else silence is sent for the first three seconds of an answer
    )
    # docs: end
    microphone, loudspeaker = Microphone(), Loudspeaker()
    session.input.audio = microphone
    if "audio" in settings.get("modalities", ["audio"]):
        session.output.audio = loudspeaker

    @session.on("user_input_transcribed")
    def on_heard(event: Any) -> None:
        if event.is_final:
            told["heard"].append(event.transcript)
            changed.set()

    @session.on("conversation_item_added")
    def on_item(event: Any) -> None:
        if event.item.type == "message" and event.item.role == "assistant":
            told["said"].append(event.item.text_content)
            changed.set()

    @session.on("error")
    def on_error(event: Any) -> None:
        error = getattr(event.error, "error", event.error)
        body = getattr(error, "body", None)
        told["errors"].append({"code": getattr(body, "code", None), "message": str(error)})

    await session.start(Agent(instructions="Be brief.", tools=list(tools)))
    yield session, microphone, loudspeaker
    await session.aclose()
    await model.aclose()


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(40):
        while not what():
            changed.clear()
            await changed.wait()


async def text() -> None:
    async with conversation(modalities=["text"]) as (session, _, _):
        await session.generate_reply(user_input="My name is Ada.")
        await session.generate_reply(user_input="What is my name?")


async def audio() -> None:
    settings = {"turn_detection": SERVER_VAD, "input_audio_transcription": TRANSCRIPTION}
    async with conversation(**settings) as (_, microphone, _):
        await microphone.say("austen_0880.wav")
        await until(lambda: told["said"] and told["heard"])


async def push_to_talk() -> None:
    settings = {"turn_detection": None, "input_audio_transcription": TRANSCRIPTION}
    async with conversation(turns="manual", **settings) as (session, microphone, _):
        session.input.set_audio_enabled(True)
        await microphone.say("cards_001.wav")
        session.commit_user_turn()
        await until(lambda: told["said"] and told["heard"])


async def tool() -> None:
    async with conversation(tools=[get_weather]) as (session, _, _):
        await session.generate_reply(user_input="What is the weather in London?")
        await until(lambda: told["said"])


async def interruption() -> None:
    settings = {"turn_detection": SERVER_VAD, "input_audio_transcription": TRANSCRIPTION}
    async with conversation(**settings) as (session, microphone, loudspeaker):
        session.generate_reply(user_input="Please count to thirty.")
        async with asyncio.timeout(40):
            await loudspeaker.begun.wait()
        await asyncio.sleep(1)
        await microphone.say("cards_003.wav")
        await until(lambda: told["heard"] and len(told["said"]) == 2)


async def transcription() -> None:
    stt = openai.STT(
        base_url=os.environ["BASE_URL"],
        api_key=os.environ["API_KEY"],
        model="gpt-4o-mini-transcribe",
        use_realtime=True,
        turn_detection={"type": "server_vad", "silence_duration_ms": 500},
    )
    stream = stt.stream()

    async def listen() -> None:
        async for event in stream:
            if event.type == "final_transcript":
                told["heard"].append(event.alternatives[0].text)
                return

    listening = asyncio.create_task(listen())

    async def send(piece: bytes) -> None:
        stream.push_frame(frame(piece))

    await streamed(clip("austen_0930.wav"), send)
    async with asyncio.timeout(40):
        await listening
    await stream.aclose()
    await stt.aclose()


async def play(scenario: str) -> None:
    async with http_context.open():
        await globals()[scenario]()


if __name__ == "__main__":
    asyncio.run(play(sys.argv[1]))
    tell(told)
