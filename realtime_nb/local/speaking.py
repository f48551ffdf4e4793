"""From a response's request to speech on the wire: model → sentences → voice → paced audio.

Three stages run side by side over small bounded queues, so that the first sentence is heard while
the second is spoken into memory and the third is still being written. Cancelling the one task that
runs :func:`respond` stops all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from realtime_nb.audio import Resampler, encode, format_sample_rate
from realtime_nb.local.llm import LLM, Call, Request, Text
from realtime_nb.local.sentences import SentenceStream
from realtime_nb.local.tts import TTS
from realtime_nb.protocol.server import Respond, ServerProtocol

__all__ = ["Pace", "respond"]

_CHUNK_MS = 100


@dataclass(frozen=True, slots=True)
class Pace:
    """How far audio may run ahead of its own playing time.

    Attributes:
        lead_ms: audio sent at once; after it the stream keeps this lead. Being a little ahead
            rides out stalls; being far ahead only makes speech that an interruption throws away.
        speed: playing time per wall time; above 1 for conversations that run faster than life.
    """

    lead_ms: float = 1_000.0
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class _Spoken:
    text: str
    audio: bytes


async def respond(
    job: Respond,
    core: ServerProtocol,
    pump: Callable[[], None],
    llm: LLM,
    tts: TTS,
    executor: Executor,
    pace: Pace,
) -> None:
    """Runs one response and reports what it makes to ``core``; calls ``pump`` after each report.

    Args:
        executor: runs the voice, which blocks.
        pace: of the audio; text answers go out as they are written.
    """
    request = Request(
        items=job.items,
        instructions=job.settings.instructions,
        tools=job.settings.tools,
        tool_choice=job.settings.tool_choice,
        max_output_tokens=job.settings.max_output_tokens,
    )
    if not job.settings.speaks:
        async for piece in llm.reply(request):
            if isinstance(piece, Text):
                core.receive_text(job.response_id, piece.delta)
            else:
                core.receive_call(job.response_id, piece.name, piece.arguments, piece.call_id)
            pump()
    else:
        sentences: asyncio.Queue[str | Call | None] = asyncio.Queue(maxsize=4)
        spoken: asyncio.Queue[_Spoken | Call | None] = asyncio.Queue(maxsize=2)
        async with asyncio.TaskGroup() as stages:
            stages.create_task(_write(llm.reply(request), sentences))
            stages.create_task(_speak(job, sentences, spoken, tts, executor))
            stages.create_task(_send(job, spoken, core, pump, pace))
    core.receive_response_end(job.response_id)
    pump()


async def _write(
    pieces: AsyncIterator[Text | Call], sentences: asyncio.Queue[str | Call | None]
) -> None:
    stream = SentenceStream()
    async for piece in pieces:
        if isinstance(piece, Text):
            for sentence in stream.push(piece.delta):
                await sentences.put(sentence)
            continue
        for sentence in stream.close():
            await sentences.put(sentence)
        stream = SentenceStream()
        await sentences.put(piece)
    for sentence in stream.close():
        await sentences.put(sentence)
    await sentences.put(None)


async def _speak(
    job: Respond,
    sentences: asyncio.Queue[str | Call | None],
    spoken: asyncio.Queue[_Spoken | Call | None],
    tts: TTS,
    executor: Executor,
) -> None:
    loop = asyncio.get_running_loop()
    voice = job.settings.voice
    name = voice if isinstance(voice, str) else str(voice.get("id", "alloy"))
    format_type = job.settings.output_format["type"]
    while (sentence := await sentences.get()) is not None:
        if isinstance(sentence, Call):
            await spoken.put(sentence)
            continue
        pcm = await loop.run_in_executor(executor, tts.speak, sentence, name, job.speed)
        await spoken.put(_Spoken(sentence, _on_wire(pcm, tts.sample_rate, format_type)))
    await spoken.put(None)


def _on_wire(pcm: bytes, sample_rate: int, format_type: str) -> bytes:
    """Speech of the voice's rate in a session's output format."""
    wire_rate = format_sample_rate(format_type)
    if sample_rate != wire_rate:
        pcm = Resampler(sample_rate, wire_rate).process_pcm(pcm, last=True)
    return encode(format_type, pcm)


async def _send(
    job: Respond,
    spoken: asyncio.Queue[_Spoken | Call | None],
    core: ServerProtocol,
    pump: Callable[[], None],
    pace: Pace,
) -> None:
    loop = asyncio.get_running_loop()
    bytes_per_ms = 48 if job.settings.output_format["type"] == "audio/pcm" else 8
    chunk_bytes = _CHUNK_MS * bytes_per_ms
    began: float | None = None
    sent_ms = 0.0
    while (piece := await spoken.get()) is not None:
        if isinstance(piece, Call):
            core.receive_call(job.response_id, piece.name, piece.arguments, piece.call_id)
            pump()
            continue
        text = piece.text
        for start in range(0, max(1, len(piece.audio)), chunk_bytes):
            now = loop.time()
            began = now if began is None else began
            ahead_ms = sent_ms - (now - began) * 1000 * pace.speed
            if ahead_ms > pace.lead_ms:
                await asyncio.sleep((ahead_ms - pace.lead_ms) / 1000 / pace.speed)
            chunk = piece.audio[start : start + chunk_bytes]
            core.receive_speech(job.response_id, text, chunk)
            sent_ms += len(chunk) / bytes_per_ms
            text = ""
            pump()
