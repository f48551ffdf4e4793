"""A conversation to break off: what its user says and wants, who answers, and what came of it.

There is speech in it, typing, functions that run side by side, and a change of the settings. The
model, the user's ears and the functions note what they were given, so that what is told afterwards
need not be asked of the session that is examined.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from realtime_nb.audio.pcm import SAMPLE_RATE, samples_from_pcm
from realtime_nb.local.llm import Call, Reply, Request, ScriptedLLM, Text
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.session import Session
from realtime_nb.testing import silence, tone

__all__ = ["CHUNK_MS", "KnowingLLM", "Outcome", "Talk", "ToneSTT", "is_voice"]

CHUNK_MS = 100
"""Of the user's audio, in one append."""

_WORDS_MS = 400.0
_TURN_S = 40.0
_THRESHOLD = 0.6
_CUT = "(cut off)"
_SPOKEN = {300.0: "Please book Friday.", 600.0: "What did I ask for?"}

_TURNS: tuple[str, ...] = (
    "My name is Ada.",
    "Please book Friday.",
    "Please book Monday and Tuesday.",
    "What did I ask for?",
    "Thank you.",
)
_DAYS = ("Friday", "Monday", "Tuesday")


class ToneSTT:
    """Understands tones: each is a sentence, where it is whole."""

    name = "tones"

    def transcribe(self, pcm: bytes, sample_rate: int) -> str:
        """Returns the sentence that a tone stands for."""
        samples = samples_from_pcm(pcm)
        voiced = samples[np.abs(samples) > 0.01]
        if len(voiced) < sample_rate * (_WORDS_MS - 20) / 1000 * 0.9:
            return _CUT
        hz = float(np.sum(np.diff(np.sign(voiced)) > 0)) / len(voiced) * sample_rate
        return _SPOKEN[min(_SPOKEN, key=lambda known: abs(known - hz))]


class KnowingLLM:
    """Answers by what it is given, and books what it is asked to.

    Attributes:
        requests: what it was asked, by the instructions of who asked.
    """

    name = "knowing"

    def __init__(self) -> None:
        self.requests: dict[str, list[Request]] = defaultdict(list)

    def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        """Streams the answer to the last thing that was said or returned."""
        self.requests[request.instructions].append(request)
        return ScriptedLLM([_answer(request)]).reply(request)


def _answer(request: Request) -> Reply:
    others = [item for item in request.items if item.get("role") != "assistant"]
    if not others:
        return "Hello."
    asked = next(_text(item) for item in reversed(others) if item.get("role") == "user")
    called = {item["arguments"] for item in others if item["type"] == "function_call"}
    wanted = [json.dumps({"day": day}) for day in _DAYS if day in asked]
    calls = [Call("book", arguments) for arguments in wanted if arguments not in called]
    if calls:
        return calls
    return "That is booked now." if wanted else f"I heard {asked}"


def _text(item: JsonObject) -> str:
    parts = item.get("content") or []
    return " ".join(str(part.get("text") or part.get("transcript") or "") for part in parts)


def is_voice(event: JsonObject) -> bool:
    """Tells whether an event of the client carries the user's voice, and no silence."""
    audio = event.get("audio")
    return isinstance(audio, str) and bool(audio.strip("A="))


@dataclass(slots=True)
class Outcome:
    """What came of a conversation.

    Attributes:
        gaps: how often the connection was lost and regained.
        continued: whether it went on to its end, with the settings that were asked for.
        intact: whether the last server knows all that was said, called and returned, in order.
        duplicated: functions that ran more than once for one call, and outputs told twice.
        lost_turns: what the user said, and the last server does not know.
        said_again: turns that were cut off and said once more.
        reported_ms: the user's audio that no server had, as the session says.
        true_ms: the same, as the network counted.
        problem: what went wrong first, "" if nothing did.
    """

    gaps: int = 0
    continued: bool = False
    intact: bool = False
    duplicated: int = 0
    lost_turns: int = 0
    said_again: int = 0
    reported_ms: float = 0.0
    true_ms: float = 0.0
    problem: str = ""


@dataclass(slots=True)
class Talk:
    """One user, one session, five turns.

    Attributes:
        name: tells it from others on the same server.
        in_tool: done whenever a function has begun to run.
        ran: the days that were booked, in order.
    """

    name: str
    in_tool: Callable[[], Awaitable[None]] | None = None
    ran: list[str] = field(default_factory=list)
    _said: list[bytes] = field(default_factory=list)
    _again: int = 0

    async def book(self, day: str) -> str:
        """Books a day."""
        self.ran.append(day)
        if self.in_tool is not None:
            await self.in_tool()
        await asyncio.sleep(0.15)
        return "booked"

    async def hold(self, session: Session) -> str:
        """Has the whole conversation; returns what went wrong, "" if nothing did."""
        listening = asyncio.create_task(self._microphone(session))
        try:
            for number, text in enumerate(_TURNS):
                spoken = [hz for hz, words in _SPOKEN.items() if words == text]
                if spoken:
                    await self._speak(session, text, tone(_WORDS_MS, hz=spoken[0]))
                else:
                    await session.say(text)
                if not await self._answered(session):
                    return f"no answer to {text!r}"
                if number == 2:
                    await session.update(turn_detection={"type": "server_vad", **_DETECTION})
            return ""
        except Exception as error:
            return repr(error)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _microphone(self, session: Session) -> None:
        """Sends what is said, or silence, whether anybody hears it or not: at the pace of life, or
        slower on a slow machine, but never several chunks at once."""
        quiet = silence(CHUNK_MS)
        while True:
            await session.append(self._said.pop(0) if self._said else quiet)
            await asyncio.sleep(CHUNK_MS / 1000)

    async def _speak(self, session: Session, text: str, pcm: bytes) -> None:
        """Says a sentence until it was understood: who sees that the connection is lost stops, and
        begins anew once it is back."""
        size = 2 * SAMPLE_RATE * CHUNK_MS // 1000
        loop = asyncio.get_running_loop()
        while True:
            await session._driver.until(lambda: not session.reconnecting, _TURN_S)
            gaps = len(session.reconnections)
            self._said[:] = [pcm[at : at + size] for at in range(0, len(pcm), size)]
            end_s = loop.time() + _TURN_S
            while not _understood(session, text) and loop.time() < end_s:
                await asyncio.sleep(0.02)
                if len(session.reconnections) > gaps:
                    self._said.clear()
                    await session._driver.until(lambda: not session.reconnecting, _TURN_S)
                    break
            if _understood(session, text) or loop.time() >= end_s:
                return
            await session.settled(_TURN_S)  # a turn that was over is told to the next server
            if _understood(session, text):
                return
            self._again += 1

    async def _answered(self, session: Session) -> bool:
        """Waits until all is said; a loss that comes as nothing is under way is waited for, too."""
        if not await session.settled(_TURN_S):
            return False
        await asyncio.sleep(0.1)
        await session._driver.until(lambda: not session.reconnecting, _TURN_S)
        return await session.settled(_TURN_S)

    def outcome(self, session: Session, llm: KnowingLLM, problem: str) -> Outcome:
        """Returns what came of it, apart from what the network counted."""
        requests = llm.requests[self.name]
        known = requests[-1].items if requests else []
        users = [_text(item) for item in known if item.get("role") == "user"]
        users = [text for text in users if text and text != _CUT]
        ids = [item["call_id"] for item in known if item["type"] == "function_call_output"]
        calls = [item["call_id"] for item in known if item["type"] == "function_call"]
        conversation = session.conversation
        lost = [text for text in _TURNS if text not in users]
        in_force: Any = conversation.session["audio"]["input"]["turn_detection"]
        faults = [f"error: {error.message}" for error in conversation.errors]
        if in_force.get("threshold") != _THRESHOLD:
            faults.append("the settings are not those that were asked for")
        if conversation.transcript()[-1:] != [("assistant", f"I heard {_TURNS[-1]}")]:
            faults.append("the last answer is missing")
        intact = users == list(_TURNS) and sorted(ids) == sorted(calls) and len(ids) == len(_DAYS)
        intact = intact and _answers_are_whole(known)
        if not intact:
            faults.append(f"the server knows {users}, {len(calls)} calls, {len(ids)} outputs")
        return Outcome(
            gaps=len(session.reconnections),
            continued=not problem and not [one for one in faults if "knows" not in one],
            intact=intact,
            duplicated=len(self.ran) - len(set(self.ran)) + len(ids) - len(set(ids)),
            lost_turns=len(lost),
            said_again=self._again,
            reported_ms=sum(gap.audio_lost_ms for gap in session.reconnections),
            problem=problem or next(iter(faults), ""),
        )


_DETECTION: JsonObject = {"threshold": _THRESHOLD, "silence_duration_ms": 200}


def _understood(session: Session, text: str) -> bool:
    return ("user", text) in session.conversation.transcript()


def _answers_are_whole(items: Sequence[JsonObject]) -> bool:
    """Tells whether all that the agent is told to have said is the beginning of what it says."""
    whole = ["That is booked now.", *(f"I heard {text}" for text in (*_TURNS, _CUT))]
    told = [_text(item) for item in items if item.get("role") == "assistant"]
    return all(any(one.startswith(text) for one in whole) for text in told)
