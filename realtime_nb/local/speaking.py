"""From a response's request to speech on the wire: model → sentences → voice → audio.

Three stages run side by side over small bounded queues, so that the first sentence is heard while
the second is spoken into memory and the third is still being written. Audio leaves as soon as it is
there, however long it takes to play, but no sooner than the client takes what it was sent before.
Cancelling the one task that runs :func:`respond` stops all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from realtime_nb.errors import ConfigurationError
from realtime_nb.local.answers import piece_of, stream_of
from realtime_nb.local.engines import Engines, patience
from realtime_nb.local.llm import LLM, Call, Request, Text, Usage
from realtime_nb.local.sentences import SentenceStream
from realtime_nb.local.stage_times import ResponseTimes
from realtime_nb.local.voicing import voiced
from realtime_nb.protocol.audio_formats import format_of
from realtime_nb.protocol.server import Respond, ServerProtocol

__all__ = ["SpeechPace", "respond"]

_CHUNK_MS = 100
_SENTENCE_S = 2.0
"""So long before what is there was played the next sentence is due to be spoken."""


@dataclass(frozen=True, slots=True)
class SpeechPace:
    """How far audio may run ahead of its own playing time.

    Attributes:
        lead_ms: audio sent at once; after it the stream keeps this lead. None: no pace is kept,
            as by the hosted service.
        speed: playing time per wall time; above 1 for conversations that run faster than life.

    Raises:
        ConfigurationError: a lead that is none.
    """

    lead_ms: float | None = None
    speed: float = 1.0

    def __post_init__(self) -> None:
        """Refuses a lead that is none."""
        lead_ms: object = self.lead_ms
        known = isinstance(lead_ms, int | float) and not isinstance(lead_ms, bool)
        if lead_ms is not None and not (known and self.lead_ms >= 0):  # type: ignore[operator]
            raise ConfigurationError(
                f"lead_ms is {lead_ms!r}; give milliseconds, 0 or more, or None for audio that is "
                "sent as fast as it is made."
            )

    def wait_s(self, ahead_s: float) -> float:
        """Returns how long to wait with more, where so much is there to be played."""
        if self.lead_ms is None:
            return 0.0
        return max(0.0, ahead_s - self.lead_ms / 1000 / self.speed)


Room = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Spoken:
    text: str
    audio: bytes


_Sentences = asyncio.Queue[str | Call | None]
_Speech = asyncio.Queue[_Spoken | Call | None]


async def respond(
    job: Respond,
    core: ServerProtocol,
    pump: Callable[[], object],
    engines: Engines,
    pace: SpeechPace,
    room: Room,
    times: ResponseTimes | None = None,
) -> None:
    """Runs one response and reports what it makes to ``core``; calls ``pump`` after each report.

    Args:
        pace: of the audio; text answers go out as they are written.
        room: told until when (of the loop's time) the client plays what it was sent; waits until
            it has taken enough of that.
        times: takes note of when its stages were done.

    Raises:
        Exception: whatever an engine raises, perhaps in an ``ExceptionGroup``.
        RealtimeError: an engine gave nothing for too long.
    """
    times = times or ResponseTimes()
    if job.settings.speaks:
        sentences, speech = _Sentences(maxsize=4), _Speech(maxsize=2)
        async with asyncio.TaskGroup() as stages:
            stages.create_task(_write(job, sentences, engines, times))
            stages.create_task(_speak(job, sentences, speech, engines, pace, times))
            stages.create_task(_send(job, speech, core, pump, pace, room, times))
    else:
        async with aclosing(_thoughts(job, engines.llm, engines.timeout_s, times)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Text):
                    core.receive_text(job.response_id, piece.delta)
                else:
                    core.receive_call(job.response_id, piece.name, piece.arguments, piece.call_id)
                pump()
                await asyncio.sleep(0)  # a model that never waits must not stop everybody else
                await room(0.0)
    times.end()
    core.receive_response_end(job.response_id)
    pump()


async def _thoughts(
    job: Respond, llm: LLM, timeout_s: float, times: ResponseTimes
) -> AsyncGenerator[Text | Call]:
    """Yields what the model says. Its stream is closed at the end, wherever that comes."""
    request = Request(
        items=job.items,
        instructions=job.settings.instructions,
        tools=job.settings.tools,
        tool_choice=job.settings.tool_choice,
        max_output_tokens=job.settings.max_output_tokens,
    )
    stream = stream_of(llm, llm.reply(request))
    try:
        while True:
            since_ms = times.now()
            async with patience("language model", timeout_s):
                try:
                    piece = await anext(stream)
                except StopAsyncIteration:
                    times.thought_out = True
                    return
            said = piece_of(llm, piece)
            if isinstance(said, Usage):
                times.usage = said
                continue
            times.thought(since_ms)
            yield said
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


async def _write(
    job: Respond, sentences: _Sentences, engines: Engines, times: ResponseTimes
) -> None:
    stream = SentenceStream()
    async with aclosing(_thoughts(job, engines.llm, engines.timeout_s, times)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Text):
                for sentence in stream.push(piece.delta):
                    await sentences.put(sentence)
                continue
            for sentence in stream.close():
                await sentences.put(sentence)
            await sentences.put(piece)
    for sentence in stream.close():
        await sentences.put(sentence)
    await sentences.put(None)


async def _speak(
    job: Respond,
    sentences: _Sentences,
    speech: _Speech,
    engines: Engines,
    pace: SpeechPace,
    times: ResponseTimes,
) -> None:
    """Has sentences spoken: the first at once, others when they are needed, or when nobody else
    waits for the voice."""
    loop = asyncio.get_running_loop()
    name, format_type = job.settings.voice_name, job.settings.output_format["type"]
    per_ms = format_of(job.settings.output_format).bytes_per_ms
    played_out_at = loop.time()
    while (sentence := await sentences.get()) is not None:
        if isinstance(sentence, Call):
            await speech.put(sentence)
            continue
        times.worded(sentence)
        text = sentence
        due_s = max(0.0, played_out_at - loop.time() - _SENTENCE_S)
        speaking = voiced(sentence, name, job.speed, format_type, engines, due_s)
        async with aclosing(speaking) as pieces:
            async for audio in pieces:
                audio_ms = len(audio) / per_ms
                times.audio_ms += audio_ms
                played_out_at = max(played_out_at, loop.time()) + audio_ms / 1000 / pace.speed
                await speech.put(_Spoken(text, audio))
                text = ""
        if text:  # of which nothing can be said
            await speech.put(_Spoken(text, b""))
    await speech.put(None)


async def _send(
    job: Respond,
    speech: _Speech,
    core: ServerProtocol,
    pump: Callable[[], object],
    pace: SpeechPace,
    room: Room,
    times: ResponseTimes,
) -> None:
    loop = asyncio.get_running_loop()
    per_ms = format_of(job.settings.output_format).bytes_per_ms
    chunk_bytes = _CHUNK_MS * per_ms
    played_out_at = loop.time()  # when a client that plays at once has played all it was sent
    while (piece := await speech.get()) is not None:
        if isinstance(piece, Call):
            core.receive_call(job.response_id, piece.name, piece.arguments, piece.call_id)
            pump()
            continue
        text = piece.text
        for start in range(0, max(1, len(piece.audio)), chunk_bytes):
            await asyncio.sleep(pace.wait_s(played_out_at - loop.time()))
            await room(played_out_at)
            chunk = piece.audio[start : start + chunk_bytes]
            core.receive_speech(job.response_id, text, chunk)
            playing_s = len(chunk) / per_ms / 1000 / pace.speed
            # What came too late was not played while it was missing.
            played_out_at = max(played_out_at, loop.time()) + playing_s
            text = ""
            pump()
            if chunk:
                times.sent()
