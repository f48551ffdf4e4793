"""From the audio of a user item to its words.

A speech-to-text model finds words in anything: Moonshine says "You" to noise. So audio is given to
it only when the speech detector has heard somebody in it.
"""

from __future__ import annotations

from realtime_nb.audio.pcm import decode
from realtime_nb.local.stt import STT
from realtime_nb.protocol.audio_formats import whole_samples, wire_format
from realtime_nb.protocol.input_buffer import SpeechDetector
from realtime_nb.protocol.transcripts import Transcribe
from realtime_nb.protocol.turns import FRAME_MS

__all__ = ["MIN_SPEECH_MS", "hear"]

MIN_SPEECH_MS = 160
"""Speech that makes a word: a short one, spoken fast, has 190 ms of it."""

_SPEECH_PROBABILITY = 0.5


def hear(job: Transcribe, stt: STT, detector: SpeechDetector) -> str:
    """Returns the words of an item's audio, ``""`` where nobody speaks in it. Blocks.

    Args:
        detector: fresh, for the audio's format.
    """
    wire = wire_format(job.audio_format["type"])
    audio = whole_samples(job.audio, job.audio_format)
    if not _has_speech(audio, 1000 * wire.bytes_per_ms, detector):
        return ""
    return stt.transcribe(decode(wire.type, audio), wire.sample_rate)


def _has_speech(audio: bytes, second_bytes: int, detector: SpeechDetector) -> bool:
    speech_ms = 0
    for start in range(0, len(audio), second_bytes):
        probabilities = detector.push(audio[start : start + second_bytes])
        speech_ms += FRAME_MS * sum(p >= _SPEECH_PROBABILITY for p in probabilities)
        if speech_ms >= MIN_SPEECH_MS:
            return True
    return False
