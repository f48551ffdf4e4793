"""What tests of lost connections need: servers that follow one another, and a model that books."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any, Literal

from realtime_nb.local.llm import LLM, Call, Reply, Request, ScriptedLLM
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.local.stt import STT
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.transport import Transport
from realtime_nb.testing import FaultyTransport, MemoryServer
from realtime_nb.testing.faults import Fault


class Servers:
    """One server after the other, each with nothing in its head.

    Args:
        llm: of all of them.
        faults: what goes wrong on each connection, one after the other.
        session_s: how long each lets a session last.
        stt: of all of them, None: one that is told what it hears.
        dialect: of all of them.
        pace: of their voices; None: all of an answer comes at once.
    """

    def __init__(
        self,
        llm: LLM,
        *faults: list[Fault],
        session_s: float = 3_600.0,
        stt: STT | None = None,
        dialect: Literal["ga", "beta"] = "ga",
        pace: SpeechPace | None = None,
    ) -> None:
        self.transports: list[FaultyTransport] = []
        self.refusals: list[Exception] = []
        self._llm = llm
        self._stt = stt
        self._pace = pace
        self._dialect: Literal["ga", "beta"] = dialect
        self._session_s = session_s
        self._faults = list(faults)
        self._stack = AsyncExitStack()
        self._servers: list[MemoryServer] = []

    async def __aenter__(self) -> Servers:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._stack.aclose()

    async def dial(self) -> Transport:
        if self.transports and self.refusals:
            raise self.refusals.pop(0)
        server = await self._stack.enter_async_context(
            MemoryServer(
                self._llm,
                stt=self._stt,
                pace=self._pace,
                session_s=self._session_s,
                dialect=self._dialect,
            )
        )
        number = len(self.transports)
        faults = self._faults[number] if number < len(self._faults) else []
        self._servers.append(server)
        self.transports.append(FaultyTransport(server.transport, faults))
        return self.transports[-1]

    async def vanish(self, code: int = 1006) -> None:
        await self._servers[-1].vanish(code)


class Thinking:
    """A model that books once what it is asked to book, and remembers every request."""

    name = "thinking"

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def reply(self, request: Request) -> Any:
        self.requests.append(request)
        return ScriptedLLM([self._answer(request)]).reply(request)

    def _answer(self, request: Request) -> Reply:
        last = [item for item in request.items if item.get("role") != "assistant"][-1]
        if last["type"] == "function_call_output":
            return f"It is {last['output'].strip(chr(34))}."
        text = text_of(last)
        if "book" in text:
            return Call("book", '{"day": "Friday"}')
        return f"You said {text}"


def text_of(item: JsonObject) -> str:
    return " ".join(part.get("text") or part.get("transcript") or "" for part in item["content"])


def users(items: list[JsonObject]) -> list[str]:
    return [text_of(item) for item in items if item.get("role") == "user"]
