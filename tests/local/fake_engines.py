"""Engines for tests of the server: they say what they are told, fail and hang when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from realtime_nb import testing
from realtime_nb.local.engines import Engines, TurnModel
from realtime_nb.local.llm import LLM
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.local.stt import STT
from realtime_nb.local.tls import Certificate
from realtime_nb.local.tts import TTS

__all__ = ["WatchedSTT", "WatchedTTS", "WatchedTurnModel", "fake_engines", "fake_server"]


class WatchedSTT:
    """Understands the same in everything.

    Args:
        says: the text, or what makes it from the audio; may raise.
        gate: what every call waits for.
    """

    name = "fake-stt"

    def __init__(
        self,
        says: str | Callable[[bytes], str] = "hello there",
        gate: threading.Event | None = None,
    ) -> None:
        self.says = says
        self.gate = gate
        self.calls: list[tuple[int, int]] = []  # bytes, sample rate
        self.called = threading.Event()

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        self.calls.append((len(pcm), sample_rate))
        self.called.set()
        if self.gate is not None:
            assert self.gate.wait(20)
        return self.says if isinstance(self.says, str) else self.says(pcm)


class WatchedTTS:
    """Hums for a while instead of speaking.

    Args:
        audio_ms: for every sentence.
        gate: waits for it before the sentences from ``gated_from`` on.
        error: raised by every call.
    """

    name = "fake-tts"

    def __init__(
        self,
        audio_ms: float = 500,
        sample_rate: int = 24_000,
        gate: threading.Event | None = None,
        gated_from: int = 0,
        error: Exception | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.audio_ms = audio_ms
        self.gate = gate
        self.gated_from = gated_from
        self.error = error
        self.calls: list[tuple[str, str, float]] = []
        self.called = threading.Event()

    def speak(self, text: str, voice: str, speed: float = 1.0) -> bytes:
        self.calls.append((text, voice, speed))
        self.called.set()
        if self.error is not None:
            raise self.error
        if self.gate is not None and len(self.calls) > self.gated_from:
            assert self.gate.wait(20)
        return testing.tone(self.audio_ms * self.sample_rate / 24_000)


class WatchedTurnModel:
    """Says the same of every pause.

    Args:
        says: the probability, or what makes it from the audio; may raise.
        gate: what every call waits for.
    """

    def __init__(
        self, says: float | Callable[[bytes], float] = 0.9, gate: threading.Event | None = None
    ) -> None:
        self.says = says
        self.gate = gate
        self.calls: list[int] = []  # bytes
        self.threads: set[str] = set()
        self.called = threading.Event()

    def completeness_of(self, audio: bytes, format_type: str) -> float:
        self.calls.append(len(audio))
        self.threads.add(threading.current_thread().name)
        self.called.set()
        if self.gate is not None:
            assert self.gate.wait(20)
        return self.says(audio) if callable(self.says) else self.says


def fake_engines(
    stt: STT | None = None,
    llm: LLM | None = None,
    tts: TTS | None = None,
    timeout_s: float = 30.0,
    turn_model: TurnModel | None = None,
) -> Engines:
    return testing.fake_engines(
        llm,
        stt=stt or WatchedSTT(),
        tts=tts or WatchedTTS(),
        turn_model=turn_model,
        timeout_s=timeout_s,
    )


def fake_server(
    stt: STT | None = None,
    llm: LLM | None = None,
    tts: TTS | None = None,
    *,
    turn_model: TurnModel | None = None,
    timeout_s: float = 30.0,
    pace: SpeechPace | None = None,
    session_s: float = 3_600.0,
    max_connections: int | None = 200,
    allow_origins: Sequence[str] = (),
    certificate: Certificate | None = None,
) -> LocalServer:
    """A server without models; its conversations run a hundred times faster than life."""
    return LocalServer(
        fake_engines(stt, llm, tts, timeout_s, turn_model),
        port=0,
        token="a-token",
        pace=pace or SpeechPace(speed=100.0),
        session_s=session_s,
        max_connections=max_connections,
        allow_origins=allow_origins,
        certificate=certificate,
    )
