"""From the audio of a user item to its words.

A speech-to-text model finds words in anything: Moonshine says "You" to noise. So audio is given to
it only when the speech detector has heard somebody in it.
"""

from __future__ import annotations

import asyncio

from realtime_nb.audio.pcm import decode
from realtime_nb.local.answers import words_of
from realtime_nb.local.engines import Engines
from realtime_nb.local.stt import STT, WaitingSTT
from realtime_nb.protocol.audio_formats import whole_samples, wire_format
from realtime_nb.protocol.input_buffer import SpeechDetector
from realtime_nb.protocol.transcripts import Transcribe
from realtime_nb.protocol.turns import FRAME_MS

__all__ = ["MIN_SPEECH_MS", "hear", "heard"]

MIN_SPEECH_MS = 160
"""Speech that makes a word: a short one, spoken fast, has 190 ms of it."""

_SPEECH_PROBABILITY = 0.5


async def heard(job: Transcribe, engines: Engines) -> str:
    """Returns the words of an item's audio, ``""`` where nobody speaks in it.

    Whatever blocks does so in the threads of ``engines.hearing``.

    Raises:
        RealtimeError: the engine gives something else than words.
    """
    loop, stt = asyncio.get_running_loop(), engines.stt
    detector = engines.detector_for(job.audio_format)
    if not isinstance(stt, WaitingSTT):
        return await loop.run_in_executor(engines.hearing, hear, job, stt, detector)
    pcm, sample_rate = await loop.run_in_executor(engines.hearing, _speech, job, detector)
    return words_of(stt, await stt.transcribe_async(pcm, sample_rate)) if pcm else ""


def hear(job: Transcribe, stt: STT, detector: SpeechDetector) -> str:
    """Returns the words of an item's audio, ``""`` where nobody speaks in it. Blocks.

    Args:
        detector: fresh, for the audio's format.
    """
    pcm, sample_rate = _speech(job, detector)
    return words_of(stt, stt.transcribe(pcm, sample_rate)) if pcm else ""


def _speech(job: Transcribe, detector: SpeechDetector) -> tuple[bytes, int]:
    """Returns an item's audio as PCM16 with its rate, without samples where nobody speaks."""
    wire = wire_format(job.audio_format["type"])
    audio = whole_samples(job.audio, job.audio_format)
    if not _has_speech(audio, 1000 * wire.bytes_per_ms, detector):
        return b"", wire.sample_rate
    return decode(wire.type, audio), wire.sample_rate


def _has_speech(audio: bytes, second_bytes: int, detector: SpeechDetector) -> bool:
    speech_ms = 0
    for start in range(0, len(audio), second_bytes):
        probabilities = detector.push(audio[start : start + second_bytes])
        speech_ms += FRAME_MS * sum(p >= _SPEECH_PROBABILITY for p in probabilities)
        if speech_ms >= MIN_SPEECH_MS:
            return True
    return False
