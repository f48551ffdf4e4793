"""One hour of one session, on virtual time: its memory, and its move before the server ends it.

Somebody talks, types and has things booked all the time. The server allows forty minutes, so that
the session moves once. What the audio came to is counted on the way to the servers, and in what
they understood.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import tracemalloc
import types
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import numpy as np

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import SAMPLE_RATE, pcm_from_samples, samples_from_pcm
from realtime_nb.commands.samples import AUSTEN
from realtime_nb.local.llm import Call, Reply, Request, ScriptedLLM, Text
from realtime_nb.session.connect import connect
from realtime_nb.session.reconnecting import Reconnect
from realtime_nb.session.session import Session
from realtime_nb.session.transport import Transport
from realtime_nb.testing import (
    FakeTTS,
    FaultyTransport,
    MemoryServer,
    run_on_virtual_clock,
    silence,
)

__all__ = ["HourFigures", "HourRow", "hour", "run"]

_CHUNK_MS = 200
_CHUNK_BYTES = 2 * SAMPLE_RATE * _CHUNK_MS // 1000
_ROUND_S = 30.0
_PATIENCE_S = 60.0
_VOICED = 0.02


@dataclass(slots=True)
class HourRow:
    """What there is after some minutes.

    Attributes:
        minute: since the session began.
        memory_mb: what Python has allocated since then, for the client and its server.
        items, events: in the conversation, and folded into it.
        connections: that there were, with the one in force.
        restored: items that the one in force was told when it began.
        conversation_mb, server_mb: what the conversation, and the server's side of it, hold on
            purpose: items with their texts, what was said and heard, the server also audio.
        latest_mb: the user's latest audio and the events that nobody has read yet; both bounded.
    """

    minute: float
    memory_mb: float
    items: int
    events: int
    connections: int
    restored: int
    conversation_mb: float = 0.0
    server_mb: float = 0.0
    latest_mb: float = 0.0

    @property
    def rest_mb(self) -> float:
        """What is allocated and none of these; it would grow if anything leaked."""
        return self.memory_mb - self.conversation_mb - self.server_mb - self.latest_mb


@dataclass(slots=True)
class HourFigures:
    """What came of the session.

    Attributes:
        rows: in the order of time.
        rollovers: how often it moved to another server before it expired.
        gaps: how often its connection was lost otherwise.
        lost_ms: the user's audio that no server had, as the session says.
        true_lost_ms: the same, as it was counted on the way.
        spoken_ms: of the user's voice, without pauses.
        understood_ms: of it, that servers took for speech.
        turns, answers: what the user said or typed, and how often the agent was done speaking.
        bookings, booked: what was asked for, and what functions did.
        errors: that servers told of.
        released_mb: what was left of the memory once the session and the servers had ended, and
            nobody held them.
    """

    rows: list[HourRow] = field(default_factory=list)
    rollovers: int = 0
    gaps: int = 0
    lost_ms: float = 0.0
    true_lost_ms: float = 0.0
    spoken_ms: float = 0.0
    understood_ms: float = 0.0
    turns: int = 0
    answers: int = 0
    bookings: int = 0
    booked: int = 0
    errors: list[str] = field(default_factory=list)
    released_mb: float = 0.0

    @property
    def kb_per_item(self) -> list[float]:
        """What each item has cost between one row and the next."""
        pairs = zip(self.rows, self.rows[1:], strict=False)
        return [
            1000 * (b.memory_mb - a.memory_mb) / (b.items - a.items)
            for a, b in pairs
            if b.items > a.items
        ]


def run(minutes: float = 60.0, session_s: float = 2_400.0, every: float = 10.0) -> HourFigures:
    """Measures, prints a table and returns what is in it.

    Args:
        minutes: how long the session lasts.
        session_s: how long a server lets it last.
        every: minutes between two rows.
    """
    with _traced():
        figures = run_on_virtual_clock(hour(minutes, session_s, every))
        figures.released_mb = _megabytes()
    _print(figures, minutes, session_s)
    return figures


@contextmanager
def _traced() -> Iterator[None]:
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start(1)
    try:
        yield
    finally:
        if ours:
            tracemalloc.stop()


def _megabytes() -> float:
    gc.collect()
    return tracemalloc.get_traced_memory()[0] / 1e6


_NOT_HELD = (
    *(type, types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinFunctionType),
    *(types.CodeType, types.FrameType, asyncio.AbstractEventLoop, asyncio.Future),
)
"""What is of the program, or leads to whoever holds it."""


def held_mb(roots: Iterable[object], seen: set[int]) -> float:
    """Returns the size of objects and of all that they hold, but for what was ``seen``."""
    size = 0
    left = list(roots)
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, _NOT_HELD):
            continue
        seen.add(id(one))
        size += sys.getsizeof(one)
        left += gc.get_referents(one)
    return size / 1e6


# --- the conversation -----------------------------------------------------------------------------


class _MeasuringSTT:
    """Understands how much voice there is in a turn."""

    name = "measuring"

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        """Returns the milliseconds of voice, as a text."""
        return f"{_voiced_ms(samples_from_pcm(pcm), sample_rate):.1f}"


class _BookingLLM:
    """Answers in a sentence, and books what it is asked to."""

    name = "booking"

    def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        """Streams the answer to the last thing that was said or returned."""
        return ScriptedLLM([_answer(request)]).reply(request)


def _answer(request: Request) -> Reply:
    last = [item for item in request.items if item.get("role") != "assistant"][-1]
    if last["type"] == "function_call_output":
        return "That is booked now."
    text = str(last["content"][0].get("text") or "")
    if "book" in text:
        return Call("book", '{"day": "Friday"}')
    return "That is good to hear and here is what I think of it."


def _voiced_ms(samples: np.ndarray, sample_rate: int) -> float:
    return float(np.sum(np.abs(samples) > _VOICED)) / sample_rate * 1000


class _Servers:
    """One server after the other; each goes when the next one is in force."""

    def __init__(self, session_s: float) -> None:
        self.transports = 0
        self._reached_ms = 0.0
        self._session_s = session_s
        self._running: list[tuple[MemoryServer, FaultyTransport]] = []

    async def dial(self) -> Transport:
        server = MemoryServer(
            _BookingLLM(), stt=_MeasuringSTT(), tts=FakeTTS(), session_s=self._session_s
        )
        await server.__aenter__()
        self._running.append((server, FaultyTransport(server.transport)))
        self.transports += 1
        return self._running[-1][1]

    async def end(self, but: int = 0) -> None:
        """Ends the servers, without the newest ``but``."""
        while len(self._running) > but:
            server, transport = self._running.pop(0)
            self._reached_ms += transport.passed.sent_audio_ms
            await server.__aexit__(None, None, None)

    @property
    def cores(self) -> list[object]:
        """What the servers know of the conversation."""
        links = [server._connection for server, _ in self._running]
        return [link.core for link in links if link is not None]

    @property
    def reached_ms(self) -> float:
        """How much of the user's audio any server got."""
        return self._reached_ms + sum(one.passed.sent_audio_ms for _, one in self._running)


async def hour(minutes: float, session_s: float, every: float) -> HourFigures:
    """Returns what came of one session; see `run`."""
    figures, servers = HourFigures(), _Servers(session_s)
    before_mb = _megabytes()

    def book(day: str) -> str:
        """Books a day."""
        figures.booked += 1
        return f"{day} is booked"

    policy = Reconnect(before_expiry_s=min(120.0, session_s / 2))
    async with connect(transport=servers.dial, tools=[book], reconnect=policy) as session:
        figures.rows.append(_row(session, servers, before_mb))
        async with _microphone(session) as said:
            while session.clock() < minutes * 60:
                await _round(session, said, figures)
                if servers.transports == 1 + len(session.reconnections):
                    await servers.end(but=1)  # no other one waits for the session to move
                if session.clock() / 60 >= figures.rows[-1].minute + every:
                    figures.rows.append(_row(session, servers, before_mb))
            await session.settled(_PATIENCE_S)
        await session._driver.until(session._driver.all_left, 5)
        _note(session, servers, figures)
    await servers.end()
    return figures


@asynccontextmanager
async def _microphone(session: Session) -> AsyncIterator[list[bytes]]:
    """Sends what is put into a list, and silence where there is nothing."""
    said: list[bytes] = []

    async def sending() -> None:
        quiet = silence(_CHUNK_MS)
        while True:
            await session.append(said.pop(0) if said else quiet)
            await asyncio.sleep(_CHUNK_MS / 1000)

    task = asyncio.create_task(sending())
    try:
        yield said
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _round(session: Session, said: list[bytes], figures: HourFigures) -> None:
    """Has the user say something twice and type once; every fourth time it is a booking."""
    end_s = session.clock() + _ROUND_S
    pcm, voiced_ms = _voice()
    for _ in range(2):
        said += [pcm[at : at + _CHUNK_BYTES] for at in range(0, len(pcm), _CHUNK_BYTES)]
        figures.spoken_ms += voiced_ms
        figures.turns += 1
        await _all_said(session, said)
        await asyncio.sleep(0.7)
        await session.settled(_PATIENCE_S)
    books = figures.turns % 8 == 2
    figures.bookings += books
    figures.turns += 1
    await session.say("Please book Friday." if books else "Thank you.")
    await session.settled(_PATIENCE_S)
    await asyncio.sleep(max(0.0, end_s - session.clock()))


@functools.cache
def _voice() -> tuple[bytes, float]:
    """Returns what the user says, and how many milliseconds of it are voice."""
    voice = load_audio(AUSTEN)
    return pcm_from_samples(voice), _voiced_ms(voice, SAMPLE_RATE)


async def _all_said(session: Session, said: list[bytes]) -> None:
    await session._driver.until(lambda: not said, _PATIENCE_S)


def _row(session: Session, servers: _Servers, before_mb: float) -> HourRow:
    said, driver = session.conversation, session._driver
    memory_mb = round(_megabytes() - before_mb, 2)  # before it is looked through, which takes some
    seen: set[int] = set()
    conversation_mb = held_mb([said], seen)
    latest_mb = held_mb([driver.turn_audio._kept, driver._inbox], seen)
    server_mb = held_mb(servers.cores, seen)
    return HourRow(
        minute=round(session.clock() / 60, 1),
        memory_mb=memory_mb,
        items=len(said.items),
        events=said.events_applied,
        connections=servers.transports,
        restored=len(session.reconnections[-1].restored) if session.reconnections else 0,
        conversation_mb=conversation_mb,
        server_mb=server_mb,
        latest_mb=latest_mb,
    )


def _note(session: Session, servers: _Servers, figures: HourFigures) -> None:
    said = session.conversation
    gaps = session.reconnections
    figures.rollovers = sum(gap.planned for gap in gaps)
    figures.gaps = len(gaps) - figures.rollovers
    figures.lost_ms = sum(gap.audio_lost_ms for gap in gaps)
    figures.true_lost_ms = round(said.input_ms - servers.reached_ms, 3)
    figures.answers = sum(one.status == "completed" for one in said.responses.values())
    figures.errors = [f"{error.code}: {error.message}" for error in said.errors]
    heard = [text for role, text in said.transcript() if role == "user"]
    figures.understood_ms = sum(float(text) for text in heard if text[:1].isdigit())


# --- what is printed ------------------------------------------------------------------------------


def _print(figures: HourFigures, minutes: float, session_s: float) -> None:
    print(
        f"A session of {minutes:g} minutes on virtual time, whose server allows {session_s / 60:g}"
    )
    print(
        f"{'minute':>8}{'memory, MB':>12}{'conversation':>14}{'server':>8}{'latest':>8}{'rest':>7}"
        f"{'items':>8}{'events':>9}{'connections':>13}  restored"
    )
    for row in figures.rows:
        print(
            f"{row.minute:>8.0f}{row.memory_mb:>12.1f}{row.conversation_mb:>14.1f}"
            f"{row.server_mb:>8.1f}{row.latest_mb:>8.1f}{row.rest_mb:>7.1f}"
            f"{row.items:>8}{row.events:>9}"
            f"{row.connections:>13}{row.restored:>10}"
        )
    rest = [row.rest_mb for row in figures.rows[1:]]
    if rest:
        print(f"  the rest, after the first row: from {min(rest):.2f} to {max(rest):.2f} MB")
    costs = ", ".join(f"{kb:.1f}" for kb in figures.kb_per_item)
    print(f"  kept for each item between two rows, kB (client and server): {costs}")
    print(f"  left once it had ended: {figures.released_mb:.1f} MB")
    print(
        f"  {figures.rollovers} rollovers, {figures.gaps} other gaps: {figures.lost_ms:.0f} ms of "
        f"audio lost as the session says, {figures.true_lost_ms:.0f} ms as counted on the way;\n"
        f"  {figures.understood_ms / 1000:.1f} of {figures.spoken_ms / 1000:.1f} s of voice "
        f"understood; {figures.turns} turns, {figures.answers} answers, "
        f"{figures.booked} of {figures.bookings} bookings; {len(figures.errors)} errors"
    )
