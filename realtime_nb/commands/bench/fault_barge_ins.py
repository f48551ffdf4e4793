"""Barge-ins at random moments, with drops among them, on virtual time.

What the last server remembers of each answer is compared with what the speaker played of it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.local.llm import Call, Request, ScriptedLLM, Text
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.connect import connect
from realtime_nb.session.reconnecting import Reconnect
from realtime_nb.session.session import Session
from realtime_nb.session.transport import Transport
from realtime_nb.testing import FakeTTS, MemoryServer, run_on_virtual_clock, silence, tone

__all__ = ["MOST_MS", "BargeIns", "added", "interrupted", "total"]

MOST_MS = 100.0
"""What a server may remember beyond what was played."""

_WORD_MS = 250.0
_WORDS = ("alpha", "bravo", "delta", "hotel", "india", "romeo", "tango", "xrays")
_CHUNK_MS = 40
_PATIENCE_S = 150.0  # of answers that take two minutes to play


@dataclass(slots=True)
class BargeIns:
    """What came of a conversation that was interrupted again and again.

    Attributes:
        barge_ins: how often the agent was cut short while it was heard.
        after_done: of those, how many of an answer whose ``response.done`` had come before.
        drops: how often the connection was lost.
        errors: what the servers refused.
        beyond_ms: the most that the last server remembers of an answer beyond what was played.
        short_ms: the most that it lacks of what was played.
    """

    barge_ins: int = 0
    after_done: int = 0
    drops: int = 0
    errors: list[str] = field(default_factory=list)
    beyond_ms: float = 0.0
    short_ms: float = 0.0


class _Talkative:
    """Answers in many words of one length, so that words tell time: in seconds, or now and then for
    half a minute or two."""

    name = "talkative"

    def __init__(self, chance: random.Random, at_length: bool) -> None:
        self._chance = chance
        self._at_length = at_length

    def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        count = self._chance.randint(4, 14)
        if self._at_length:
            count = self._chance.choice([count] * 6 + [120, 480])
        words = self._chance.choices(_WORDS, k=count)
        return ScriptedLLM([" ".join(words)]).reply(request)


class _Heard:
    """Notes what the speaker has played of each answer."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    def event(self, event: WireEvent) -> None:
        """Ignores what is said on the wire."""

    def tool(self, report: ToolReport) -> None:
        """Ignores functions."""

    def playback(self, report: PlaybackReport) -> None:
        """Takes what the speaker reported."""
        self.ms[report.item_id] = max(self.ms.get(report.item_id, 0.0), report.played_ms)


def interrupted(seed: int, count: int, lead_ms: float | None = None) -> BargeIns:
    """Returns what came of one conversation with so many barge-ins.

    Args:
        lead_ms: of the server's answers. None: they are there at once, and long ones among them.
    """
    return run_on_virtual_clock(_Talk(seed, lead_ms).hold(count))


def total(seeds: Iterable[int], count: int, lead_ms: float | None = None) -> BargeIns:
    """Returns what came of several conversations, added up."""
    return added(interrupted(seed, count, lead_ms) for seed in seeds)


def added(results: Iterable[BargeIns]) -> BargeIns:
    """Returns results, added up."""
    whole = BargeIns()
    for one in results:
        whole.barge_ins += one.barge_ins
        whole.after_done += one.after_done
        whole.drops += one.drops
        whole.errors += one.errors
        whole.beyond_ms = max(whole.beyond_ms, one.beyond_ms)
        whole.short_ms = max(whole.short_ms, one.short_ms)
    return whole


class _Talk:
    def __init__(self, seed: int, lead_ms: float | None) -> None:
        self._chance = random.Random(seed)
        self._pace = SpeechPace(lead_ms)
        self._at_length = lead_ms is None
        self._llm = _Talkative(self._chance, self._at_length)
        self._servers: list[MemoryServer] = []
        self._said: list[bytes] = []
        self._heard = _Heard()
        self._result = BargeIns()

    async def hold(self, count: int) -> BargeIns:
        async with AsyncExitStack() as running:

            async def dial() -> Transport:
                server = MemoryServer(self._llm, tts=FakeTTS(_WORD_MS), pace=self._pace)
                self._servers.append(await running.enter_async_context(server))
                return server.transport

            policy = Reconnect(first_s=self._chance.uniform(0.05, 0.5), jitter=False)
            async with connect(transport=dial, reconnect=policy) as session:
                session.observe(self._heard)
                microphone = asyncio.create_task(self._microphone(session))
                while self._result.barge_ins < count:
                    await self._turn(session)
                await session.settled(_PATIENCE_S)
                await asyncio.sleep(0.1)  # a loss is noticed a little later
                await session._driver.until(lambda: not session.reconnecting, _PATIENCE_S)
                assert await session.settled(_PATIENCE_S)
                microphone.cancel()
                self._compare(session.conversation, self._servers[-1].conversation)
        self._result.errors = [
            f"{error.code}: {error.message}" for error in session.conversation.refused
        ]
        return self._result

    async def _microphone(self, session: Session) -> None:
        quiet = silence(_CHUNK_MS)
        while True:
            await session.append(self._said.pop(0) if self._said else quiet)
            await asyncio.sleep(_CHUNK_MS / 1000)

    async def _turn(self, session: Session) -> None:
        """Has the agent speak, and cuts it short; now and then the connection is lost."""
        chance = self._chance
        if not session.speaker.playing:
            await session.say("Go on.")
        await self._perhaps_drop(0.1)
        await session._driver.until(lambda: session.speaker.playing, _PATIENCE_S)
        late = self._at_length and chance.random() < 0.2
        await asyncio.sleep(chance.uniform(0, 40 if late else 2.5))
        await self._perhaps_drop(0.15)
        if not session.speaker.playing:
            return
        is_done = not session.conversation.running
        match chance.choice(["speech", "speech", "speech", "typing", "stop"]):
            case "speech":
                self._speak(chance.uniform(120, 700))
                await session._driver.until(lambda: not session.speaker.playing, 1.0)
                if session.speaker.playing:
                    return  # no server heard it
            case "typing":
                await session.say("Wait.")
            case "stop":
                await session.interrupt()
        self._result.barge_ins += 1
        self._result.after_done += is_done
        await self._perhaps_drop(0.15)
        await asyncio.sleep(chance.choice([0.0, 0.05, 0.3, 1.5]))

    def _speak(self, duration_ms: float) -> None:
        size = 2 * SAMPLE_RATE * _CHUNK_MS // 1000
        pcm = tone(duration_ms)
        self._said += [pcm[at : at + size] for at in range(0, len(pcm), size)]

    async def _perhaps_drop(self, share: float) -> None:
        if self._chance.random() < share:
            self._result.drops += 1
            await self._servers[-1].vanish(self._chance.choice([1006, 1001, 1011, 1012]))
            await asyncio.sleep(self._chance.choice([0.0, 0.0, 0.2, 2.0]))

    def _compare(self, ours: Conversation, remembered: Conversation) -> None:
        for item in (*ours.items.values(), *ours.deleted.values()):
            if item.role != "assistant":
                continue
            played_ms = self._heard.ms.get(item.id, 0.0)
            kept_ms = 0.0
            if remembered.holds(item.id):
                known = remembered.items[item.id]
                kept_ms = len(known.text.split()) * _WORD_MS
                if known.audio_ms:
                    kept_ms = known.remembered_ms
            self._result.beyond_ms = max(self._result.beyond_ms, kept_ms - played_ms)
            self._result.short_ms = max(self._result.short_ms, played_ms - kept_ms)
