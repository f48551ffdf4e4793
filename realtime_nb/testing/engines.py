"""Engines of the local server that need no models."""

from __future__ import annotations

from collections import deque

from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.local.engines import Engines, TurnModel
from realtime_nb.local.llm import LLM, ScriptedLLM
from realtime_nb.local.stt import STT
from realtime_nb.local.tts import TTS
from realtime_nb.testing.signals import LoudnessDetector, tone

__all__ = ["FakeSTT", "FakeTTS", "fake_engines"]


class FakeSTT:
    """Hears what it is told to: the texts in turn, the last one again and again."""

    name = "fake"

    def __init__(self, *texts: str) -> None:
        self._texts = deque(texts or ("hello",))

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        """Returns the next text, whatever the audio."""
        return self._texts.popleft() if len(self._texts) > 1 else self._texts[0]


class FakeTTS:
    """Hums instead of speaking, for as long as the words would take."""

    name = "fake"
    sample_rate = SAMPLE_RATE

    def __init__(self, word_ms: float = 250.0) -> None:
        self._word_ms = word_ms

    def speak(self, text: str, voice: str, speed: float = 1.0) -> bytes:
        """Returns ``word_ms`` of humming for every word."""
        return tone(len(text.split()) * self._word_ms / speed, hz=220.0)


def fake_engines(
    llm: LLM | None = None,
    *,
    stt: STT | None = None,
    tts: TTS | None = None,
    turn_model: TurnModel | None = None,
    timeout_s: float = 90.0,
) -> Engines:
    """Returns engines for a :class:`~realtime_nb.local.server.LocalServer` that need no models."""
    return Engines(
        stt=stt or FakeSTT(),
        llm=llm or ScriptedLLM([]),
        tts=tts or FakeTTS(),
        detector_for=LoudnessDetector,
        turn_model=turn_model,
        timeout_s=timeout_s,
    )
