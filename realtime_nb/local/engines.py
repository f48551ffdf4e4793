"""The engines of a server, and the limits within which they work for its clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from realtime_nb.errors import RealtimeError
from realtime_nb.local.llm import LLM
from realtime_nb.local.stt import STT
from realtime_nb.local.threads import WorkThreads
from realtime_nb.local.tts import TTS
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.input_buffer import SpeechDetector

__all__ = ["Backlog", "Engines", "TurnModel", "patience"]


class TurnModel(Protocol):
    """What says, at a pause, whether the speaker has finished."""

    def completeness_of(self, audio: bytes, format_type: str) -> float:
        """Returns the probability that a turn, of bytes as they were appended, is over. Blocks."""
        ...


@dataclass(frozen=True, slots=True)
class Engines:
    """What a server hears, thinks and speaks with.

    Attributes:
        detector_for: makes a fresh speech detector for a session's audio format.
        hearing: the threads of ``stt``; their number bounds how much is heard at once.
        voicing: the threads of ``tts``.
        turn_model: asked at pauses under ``semantic_vad``; None: that goes by the words.
        judging: the threads of ``turn_model``.
        timeout_s: an engine that gives nothing for so long has failed.
        vad: what the speech detector is called.
        made: those of them that were made for this server, by name, and end with it.
    """

    stt: STT
    llm: LLM
    tts: TTS
    detector_for: Callable[[JsonObject], SpeechDetector]
    hearing: WorkThreads = field(default_factory=lambda: WorkThreads(2, "hearing"), repr=False)
    voicing: WorkThreads = field(default_factory=lambda: WorkThreads(2, "voicing"), repr=False)
    turn_model: TurnModel | None = None
    judging: WorkThreads = field(default_factory=lambda: WorkThreads(2, "judging"), repr=False)
    timeout_s: float = 90.0
    vad: str = ""
    made: tuple[object, ...] = field(default=(), repr=False)

    @property
    def names(self) -> dict[str, str]:
        """What each of them is called, as shown to people."""
        names = {"vad": self.vad, "stt": self.stt.name, "llm": self.llm.name, "tts": self.tts.name}
        return {kind: name for kind, name in names.items() if name}


@asynccontextmanager
async def patience(engine: str, seconds: float) -> AsyncIterator[None]:
    """Waits for an engine, but not forever.

    Raises:
        RealtimeError: the time is up. A thread that hangs can't be stopped; its result is ignored.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise RealtimeError(
            f"The {engine} gave nothing for {seconds:g} s. "
            "Try again; if it stays so, restart the server."
        ) from None


class Backlog:
    """What waits to be worked off. Whoever adds to it waits, between two additions, for room.

    Args:
        limit: an amount above which there is no room; one addition may go beyond it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.amount = 0
        self._room = asyncio.Event()
        self._room.set()

    def add(self, amount: int) -> None:
        """Takes note that more is waiting."""
        self.amount += amount
        self._update()

    def remove(self, amount: int) -> None:
        """Takes note that some of it is done."""
        self.amount -= amount
        self._update()

    async def room(self) -> None:
        """Returns once no more than the limit is waiting."""
        await self._room.wait()

    def _update(self) -> None:
        if self.amount <= self.limit:
            self._room.set()
        else:
            self._room.clear()
