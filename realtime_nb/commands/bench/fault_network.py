"""Conversations over real sockets, each through a network that fails in one way."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from realtime_nb.commands.bench.fault_talk import (
    CHUNK_MS,
    KnowingLLM,
    Outcome,
    Talk,
    ToneSTT,
    is_voice,
)
from realtime_nb.local.engines import Engines
from realtime_nb.local.server import LocalServer
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.session.connect import connect
from realtime_nb.session.open_connection import PING_INTERVAL_S
from realtime_nb.session.reconnecting import Reconnect
from realtime_nb.testing import (
    Corrupt,
    Drop,
    Duplicate,
    FakeTTS,
    Fault,
    FaultyNetwork,
    HalfOpen,
    LoudnessDetector,
    Moment,
    Refuse,
    SlowHandshake,
    expiry,
    randomly,
    received,
    sent,
)

__all__ = ["KINDS", "NetworkKind", "bound_ms", "outcome", "served"]

_PIECES = ("response.output_audio.delta", "response.output_audio_transcript.delta")


def bound_ms(kind: str) -> float:
    """Returns how far the loss that a session reports may be from the true one.

    A chunk may be under way when the connection ends. Of one that is half open nothing tells what
    arrived since the last ping that was answered.
    """
    return CHUNK_MS + (PING_INTERVAL_S * 1000 if kind == "half-open" else 0.0)


NetworkKind = Callable[[random.Random], "list[list[Fault]]"]
"""Makes the faults of the connections of one conversation, one list for each in a row."""


def _some_time(chance: random.Random) -> Moment:
    """Returns a moment of the conversation, which lasts about seven seconds."""
    return Moment(after_s=chance.uniform(0.2, 4.5))


def _voice(chance: random.Random) -> Moment:
    return sent(is_voice, chance.randint(1, 8))


KINDS: dict[str, NetworkKind] = {
    "closed without a word (FIN)": lambda r: [[Drop(_some_time(r))]],
    "reset (RST)": lambda r: [[Drop(_some_time(r), tcp="rst")]],
    "expired (1001)": lambda r: [[expiry(_some_time(r))]],
    "failed (1011)": lambda r: [[Drop(_some_time(r), 1011)]],
    "restarted (1012)": lambda r: [[Drop(_some_time(r), 1012)]],
    "overloaded (1013)": lambda r: [[Drop(_some_time(r), 1013)]],
    "half-open": lambda r: [[HalfOpen(_some_time(r))]],
    "in the middle of a frame": lambda r: [
        [Drop(Moment("sent", byte=r.randint(20_000, 200_000)), tcp=r.choice(["fin", "rst"]))]
    ],
    "then 429, Retry-After": lambda r: [
        [Drop(_some_time(r))],
        [Refuse(r.randint(1, 2), 429, retry_after_s=1)],
    ],
    "then 503, Retry-After": lambda r: [
        [Drop(_some_time(r))],
        [Refuse(r.randint(1, 2), 503, retry_after_s=1)],
    ],
    "then handshakes cut off": lambda r: [[Drop(_some_time(r))], [Refuse(2, None)]],
    "then a slow handshake": lambda r: [[Drop(_some_time(r))], [SlowHandshake(r.uniform(0.5, 2))]],
    "while the user speaks": lambda r: [[Drop(_voice(r), tcp=r.choice(["fin", "rst"]))]],
    "while the agent speaks": lambda r: [
        [Drop(received(_PIECES[0], r.randint(1, 14)), passes=r.random() < 0.5)]
    ],
    "during a function": lambda r: [[]],  # struck by the function itself
    "during session.update": lambda r: [
        [Drop(r.choice([sent("session.update", 2), received("session.updated", 2)]))]
    ],
    "while it is restored": lambda r: [
        [Drop(_some_time(r))],
        [Drop(r.choice([received(r.randint(1, 8)), sent(r.randint(1, 6))]))],
    ],
    "twice in a row": lambda r: [[Drop(_some_time(r))], [Drop(Moment(after_s=r.uniform(0, 1)))]],
    "broken texts": lambda r: [
        [Corrupt(received(lambda event: event.get("type") in _PIECES, r.randint(1, 20)))]
    ],
    "broken frames": lambda r: [[Corrupt(received(r.randint(3, 120)), "frame")]],
    "events that come twice": lambda r: [[Duplicate(randomly(0.2, "received"), None)]],
}
"""How a conversation is disturbed."""


@asynccontextmanager
async def served(llm: KnowingLLM) -> AsyncIterator[LocalServer]:
    """Runs a local server without models."""
    engines = Engines(stt=ToneSTT(), llm=llm, tts=FakeTTS(100), detector_for=LoudnessDetector)
    server = LocalServer(
        engines,
        port=0,
        token=secrets.token_urlsafe(8),
        pace=SpeechPace(),
        session_s=3_600.0,
        max_connections=400,
    )
    async with server:
        yield server


async def outcome(
    server: LocalServer, llm: KnowingLLM, kind: str, seed: int
) -> tuple[Outcome, int]:
    """Has one conversation; returns what came of it, and how many faults struck."""
    talk = Talk(f"{kind} {seed}.")
    faults = KINDS[kind](random.Random(f"{kind} {seed}"))
    network = FaultyNetwork(server, faults, seed=seed)

    async def in_tool() -> None:
        if len(network.connections) == 1:
            await network.inflict(Drop())

    if kind == "during a function":
        talk.in_tool = in_tool
    policy = Reconnect(first_s=0.2)
    async with network as url:
        session = await connect(
            url,
            api_key=server.token,
            tools=[talk.book],
            instructions=talk.name,
            reconnect=policy,
        )
        try:
            problem = await talk.hold(session)
            await session._driver.until(session._driver.all_left, 5)
            result = talk.outcome(session, llm, problem)
            result.true_ms = await _lost_ms(network, session.conversation.input_ms, result)
        finally:
            await session.close()
    return result, _struck(network, faults)


async def _lost_ms(network: FaultyNetwork, appended_ms: float, result: Outcome) -> float:
    """Returns what never arrived, once what is under way has."""
    for _ in range(20):
        if appended_ms - network.sent_audio_ms <= result.reported_ms:
            break
        await asyncio.sleep(0.02)
    return appended_ms - network.sent_audio_ms


def _struck(network: FaultyNetwork, faults: Sequence[Sequence[Fault]]) -> int:
    """Returns how many faults struck: endings, refused and slow handshakes, broken events."""
    ended = sum(len(connection.struck) for connection in network.connections)
    reached = [fault for row in faults[: len(network.connections)] for fault in row]
    others = sum(isinstance(one, SlowHandshake | Corrupt | Duplicate) for one in reached)
    return ended + network.refused + others
