"""Pipecat's ``OpenAIRealtimeLLMService`` in a pipeline: what it can do of the seven scenarios.

The pipeline is the one of Pipecat's own examples; its transport plays at the pace of life and keeps
what it is given.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.services.openai.stt import OpenAIRealtimeSTTService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies
from pipecat.workers.runner import WorkerRunner
from speech import clip, heard, new_told, streamed, tell

SERVER_VAD = events.TurnDetection(type="server_vad", silence_duration_ms=500)
TRANSCRIPTION = events.InputAudioTranscription(model="gpt-4o-mini-transcribe")

told = new_told()


class Speaker(BaseOutputTransport):
    """A loudspeaker that nobody hears: it takes as long as the sound does."""

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        await asyncio.sleep(len(frame.audio) / 2 / frame.sample_rate)
        return True


class Witness(BaseObserver):
    """What the service pushes, each frame once."""

    def __init__(self, service: Any) -> None:
        super().__init__()
        self.service = service
        self.seen: dict[type[Frame], int] = {}
        self.words = ""
        self.changed = asyncio.Condition()

    async def on_push_frame(self, data: FramePushed) -> None:
        frame = data.frame
        if isinstance(frame, ErrorFrame) and data.source is self.service:
            told["errors"].append({"code": None, "message": str(frame.error)})
        if isinstance(frame, InterruptionFrame) and heard:
            told["interrupted"] = True
        if data.source is not self.service:
            return
        if isinstance(frame, TTSAudioRawFrame):
            heard.extend(frame.audio)
        elif isinstance(frame, TranscriptionFrame):
            told["heard"].append(frame.text)
        elif isinstance(frame, LLMTextFrame):
            self.words += frame.text
        elif isinstance(frame, LLMFullResponseEndFrame) and self.words:
            told["said"].append(self.words)
            self.words = ""
        async with self.changed:
            self.seen[type(frame)] = self.seen.get(type(frame), 0) + 1
            self.changed.notify_all()

    async def until(self, kind: type[Frame], times: int = 1) -> None:
        async with asyncio.timeout(40), self.changed:
            await self.changed.wait_for(lambda: self.seen.get(kind, 0) >= times)

    async def until_said(self, times: int) -> None:
        async with asyncio.timeout(40), self.changed:
            await self.changed.wait_for(lambda: len(told["said"]) >= times)


async def get_weather(params: FunctionCallParams, city: str) -> None:
    """Get the current weather in a city.

    Args:
        city: The city.
    """
    told["calls"].append({"name": "get_weather", "arguments": {"city": city}})
    await params.result_callback({"sky": "cloudy", "celsius": 12})


def service(**session: Any) -> OpenAIRealtimeLLMService:
    # docs
    llm = OpenAIRealtimeLLMService(
        api_key=os.environ["API_KEY"],
        base_url=os.environ["REALTIME_URL"],
        settings=OpenAIRealtimeLLMService.Settings(
            model="gpt-realtime-2.1",
            session_properties=events.SessionProperties(**session),
        ),
    )
    # docs: end
    return llm


@asynccontextmanager
async def running(steps: list[Any], service: Any) -> AsyncIterator[tuple[PipelineWorker, Witness]]:
    witness = Witness(service)
    worker = PipelineWorker(
        Pipeline(steps),
        params=PipelineParams(audio_in_sample_rate=24_000, audio_out_sample_rate=24_000),
        observers=[witness],
        enable_rtvi=False,
        cancel_on_idle_timeout=False,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(worker: Any, frame: Any) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    at_work = asyncio.create_task(runner.run())
    await started.wait()
    yield worker, witness
    await worker.queue_frame(EndFrame())
    await at_work


@asynccontextmanager
async def conversation(
    llm: OpenAIRealtimeLLMService, *messages: str, tools: Any = None
) -> AsyncIterator[tuple[PipelineWorker, Witness]]:
    typed = [{"role": "user", "content": text} for text in messages]
    context = LLMContext(typed, **({"tools": tools} if tools else {}))
    params = LLMUserAggregatorParams(user_turn_strategies=ExternalUserTurnStrategies())
    aggregators = LLMContextAggregatorPair(context, user_params=params)
    speaker = Speaker(TransportParams(audio_out_enabled=True, audio_out_end_silence_secs=0))
    steps = [aggregators.user(), llm, speaker, aggregators.assistant()]
    async with running(steps, llm) as (worker, witness):
        yield worker, witness


async def say(worker: PipelineWorker, name: str) -> None:
    async def send(piece: bytes) -> None:
        await worker.queue_frame(InputAudioRawFrame(piece, 24_000, 1))

    await streamed(clip(name), send)


async def ask(llm: OpenAIRealtimeLLMService, text: str) -> None:
    """What is typed later than the first message; a message appended would be the system's."""
    content = [events.ItemContent(type="input_text", text=text)]
    item = events.ConversationItem(type="message", role="user", content=content)
    await llm.send_client_event(events.ConversationItemCreateEvent(item=item))
    response = events.ResponseProperties(output_modalities=["text"])
    await llm.send_client_event(events.ResponseCreateEvent(response=response))


async def text() -> None:
    llm = service(output_modalities=["text"])
    async with conversation(llm, "My name is Ada.") as (worker, witness):
        await worker.queue_frame(LLMRunFrame())
        await witness.until_said(1)
        await ask(llm, "What is my name?")
        await witness.until_said(2)


async def audio() -> None:
    listening = events.AudioInput(turn_detection=SERVER_VAD, transcription=TRANSCRIPTION)
    llm = service(audio=events.AudioConfiguration(input=listening))
    async with conversation(llm) as (worker, witness):
        await say(worker, "austen_0880.wav")
        await witness.until(TranscriptionFrame)
        await witness.until_said(1)


async def push_to_talk() -> None:
    listening = events.AudioInput(turn_detection=False, transcription=TRANSCRIPTION)
    llm = service(audio=events.AudioConfiguration(input=listening))
    async with conversation(llm) as (worker, witness):
        await worker.queue_frame(ProposedUserStartedSpeakingFrame())
        await say(worker, "cards_001.wav")
        await worker.queue_frame(ProposedUserStoppedSpeakingFrame())
        await witness.until(TranscriptionFrame)
        await witness.until_said(1)


async def tool() -> None:
    llm = service()
    tools = ToolsSchema(standard_tools=[get_weather])
    question = "What is the weather in London?"
    async with conversation(llm, question, tools=tools) as (worker, witness):
        await worker.queue_frame(LLMRunFrame())
        await witness.until_said(1)


async def interruption() -> None:
    listening = events.AudioInput(turn_detection=SERVER_VAD, transcription=TRANSCRIPTION)
    llm = service(audio=events.AudioConfiguration(input=listening))
    async with conversation(llm, "Please count to thirty.") as (worker, witness):
        await worker.queue_frame(LLMRunFrame())
        await witness.until(TTSAudioRawFrame)
        await asyncio.sleep(1)
        await say(worker, "cards_003.wav")
        await witness.until(TranscriptionFrame)
        await witness.until_said(2)


async def transcription() -> None:
    stt = OpenAIRealtimeSTTService(
        api_key=os.environ["API_KEY"],
        base_url=os.environ["REALTIME_URL"],
        turn_detection={"type": "server_vad", "silence_duration_ms": 500},
        settings=OpenAIRealtimeSTTService.Settings(model="gpt-transcribe"),
    )
    async with running([stt], stt) as (worker, witness):
        await say(worker, "austen_0930.wav")
        await witness.until(TranscriptionFrame)


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]]())
    tell(told)
