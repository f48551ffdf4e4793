"""When the stages of a connection's turns were done, and how much went through each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from realtime_nb.local.engines import Engines
from realtime_nb.local.llm import Usage
from realtime_nb.protocol.audio_formats import format_of
from realtime_nb.protocol.events import JsonObject, dump
from realtime_nb.protocol.responses import Respond
from realtime_nb.protocol.stages import Stages
from realtime_nb.protocol.transcripts import Transcribe

__all__ = ["ResponseTimes", "StageTimes", "stages_of"]

_MOST_ITEMS = 64
"""Of so many items that wait for an answer it is known how they were heard."""


@dataclass(slots=True)
class _Heard:
    """How one item was heard."""

    committed_ms: float | None = None
    from_ms: float | None = None
    done_ms: float | None = None
    audio_ms: float = 0.0


def _never() -> float:
    return 0.0


@dataclass(slots=True)
class ResponseTimes:
    """The stages of one response; every moment is noted once, when it first comes.

    Attributes:
        now: the clock, in ms.
        thought_out: whether the model has said all it had to say.
        ended: is given all of it once, just before the client is told that the response is done;
            of one that was cancelled, just after.
    """

    now: Callable[[], float] = _never
    ended: Callable[[ResponseTimes], None] | None = None
    item_id: str | None = None
    heard: _Heard = field(default_factory=_Heard)
    asked_ms: float | None = None
    first_token_ms: float | None = None
    thinking_ms: float | None = None
    thought_out: bool = False
    sentence_ms: float | None = None
    sent_ms: float | None = None
    usage: Usage | None = None
    characters: int = 0
    audio_ms: float = 0.0

    def end(self) -> None:
        """Hands out what was noted; only the first time counts."""
        ended, self.ended = self.ended, None
        if ended is not None:
            ended(self)

    def thought(self, since_ms: float) -> None:
        """Notes that something of what the model says came, which was waited for since then."""
        now_ms = self.now()
        self.thinking_ms = (self.thinking_ms or 0.0) + now_ms - since_ms
        if self.first_token_ms is None:
            self.first_token_ms = now_ms

    def worded(self, sentence: str) -> None:
        """Notes that the voice is given a sentence."""
        self.characters += len(sentence)
        if self.sentence_ms is None:
            self.sentence_ms = self.now()

    def sent(self) -> None:
        """Notes that audio was handed to the socket."""
        if self.sent_ms is None:
            self.sent_ms = self.now()


class StageTimes:
    """The stages of one connection, on its own clock: ms since it began, as its loop counts.

    What it keeps of items is bounded: the last 64 that no response has answered yet.
    """

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._began_s = self._clock()
        self._heard: dict[str, _Heard] = {}

    def now(self) -> float:
        """Returns the time, in ms."""
        return (self._clock() - self._began_s) * 1000

    def committed(self, item_id: str) -> None:
        """Notes that a turn was taken for over."""
        self._of(item_id).committed_ms = self.now()

    def hears(self, job: Transcribe) -> None:
        """Notes that an attempt to recognise an item begins."""
        heard = self._of(job.item_id)
        heard.from_ms, heard.done_ms = self.now(), None
        heard.audio_ms += len(job.audio) / format_of(job.audio_format).bytes_per_ms

    def has_heard(self, job: Transcribe) -> None:
        """Notes that it ended; the last one counts."""
        self._of(job.item_id).done_ms = self.now()

    def answers(self, job: Respond, ended: Callable[[ResponseTimes], None]) -> ResponseTimes:
        """Returns the stages of a response that begins now; ``ended`` is given them once."""
        last = job.items[-1] if job.items else {}
        item_id = last.get("id") if last.get("role") == "user" else None
        heard = self._heard.pop(item_id, None) if isinstance(item_id, str) else None
        known_id = item_id if heard else None
        return ResponseTimes(self.now, ended, known_id, heard or _Heard(), self.now())

    def _of(self, item_id: str) -> _Heard:
        if item_id not in self._heard:
            self._heard[item_id] = _Heard()
            if len(self._heard) > _MOST_ITEMS:
                del self._heard[next(iter(self._heard))]
        return self._heard[item_id]


def stages_of(response_id: str, times: ResponseTimes, engines: Engines) -> JsonObject:
    """Returns the event that tells a client of a response's stages."""
    heard = times.heard
    was_heard, was_spoken = heard.from_ms is not None, times.sentence_ms is not None
    usage = times.usage or Usage(None, None)
    stages = Stages(
        response_id=response_id,
        item_id=times.item_id,
        stt=_name(engines.stt) if was_heard else None,
        llm=_name(engines.llm),
        tts=_name(engines.tts) if was_spoken else None,
        committed_ms=_rounded(heard.committed_ms),
        heard_from_ms=_rounded(heard.from_ms),
        heard_ms=_rounded(heard.done_ms),
        asked_ms=_rounded(times.asked_ms),
        first_token_ms=_rounded(times.first_token_ms),
        thinking_ms=_rounded(times.thinking_ms) if times.thought_out else None,
        sentence_ms=_rounded(times.sentence_ms),
        sent_ms=_rounded(times.sent_ms),
        stt_audio_ms=_rounded(heard.audio_ms) if was_heard else None,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        tts_characters=times.characters if was_spoken else None,
        tts_audio_ms=_rounded(times.audio_ms) if was_spoken else None,
    )
    return dump(stages)


def _name(engine: object) -> str | None:
    name = getattr(engine, "name", None)
    return name if isinstance(name, str) else None


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)
