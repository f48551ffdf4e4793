"""From a sentence to speech in the format that a client hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from realtime_nb.audio.pcm import Resampler, encode
from realtime_nb.local.answers import speech_of
from realtime_nb.local.engines import Engines, patience
from realtime_nb.local.tts import TTS, WaitingTTS
from realtime_nb.protocol.audio_formats import wire_format

__all__ = ["voiced"]


async def voiced(
    text: str, voice: str, speed: float, format_type: str, engines: Engines, due_s: float = 0.0
) -> AsyncGenerator[bytes, None]:
    """Yields a text as speech: piece by piece where the engine gives it so, else at once.

    Args:
        due_s: how long it may take to begin, where others need the engine's threads sooner.

    Raises:
        RealtimeError: the engine gives nothing for too long, or something else than speech.
    """
    tts = engines.tts
    wire_rate = wire_format(format_type).sample_rate
    pieces = _streamed(tts, text, voice, speed) if isinstance(tts, WaitingTTS) else None
    if pieces is None:
        loop = asyncio.get_running_loop()
        async with patience("voice", engines.timeout_s):
            threads = engines.voicing.due_in(due_s)
            pcm = await loop.run_in_executor(threads, _spoken, tts, text, voice, speed)
        resampler = Resampler(tts.sample_rate, wire_rate)
        yield encode(format_type, resampler.process_pcm(pcm, last=True))
        return
    resampler = Resampler(tts.sample_rate, wire_rate)
    async with aclosing(pieces):
        last = False
        while not last:
            async with patience("voice", engines.timeout_s):
                pcm = await anext(pieces, b"")
            last = not pcm
            if audio := encode(format_type, resampler.process_pcm(pcm, last=last)):
                yield audio


def _spoken(tts: TTS, text: str, voice: str, speed: float) -> bytes:
    pcm = speech_of(tts, tts.speak(text, voice, speed))
    return pcm[: len(pcm) // 2 * 2]


async def _streamed(
    tts: WaitingTTS, text: str, voice: str, speed: float
) -> AsyncGenerator[bytes, None]:
    """Yields what an engine speaks in whole samples; never nothing."""
    stream: AsyncIterator[bytes] = tts.speak_async(text, voice, speed)
    rest = b""
    try:
        async for piece in stream:
            rest += speech_of(tts, piece)
            whole = len(rest) // 2 * 2
            if whole:
                yield rest[:whole]
            rest = rest[whole:]
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
