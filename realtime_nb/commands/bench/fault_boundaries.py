"""A conversation that is broken off at every event of it, on virtual time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack

from realtime_nb.commands.bench.fault_talk import KnowingLLM, Outcome, Talk, ToneSTT
from realtime_nb.session.connect import connect
from realtime_nb.session.reconnecting import Reconnect
from realtime_nb.session.transport import Transport
from realtime_nb.testing import (
    Drop,
    FakeTTS,
    Fault,
    FaultyTransport,
    MemoryServer,
    received,
    run_on_virtual_clock,
    sent,
)

__all__ = ["boundaries", "outcomes"]

Boundary = tuple[str, int, bool]
"""Which way the event goes, its number, and whether it still passes."""


def boundaries() -> list[Boundary]:
    """Returns every event of the conversation after the greeting, as it goes undisturbed."""
    transports = run_on_virtual_clock(_undisturbed())
    counts = {
        "sent": transports.passed.sent.total(),
        "received": transports.passed.received.total(),
    }
    return [
        (way, number, passes)
        for way, count in counts.items()
        for number in range(2, count + 1)
        for passes in (False, True)
    ]


def outcomes(chosen: Iterable[Boundary]) -> Iterator[tuple[Boundary, Outcome]]:
    """Yields what came of the conversation, dropped at each of these events."""
    for boundary in chosen:
        way, number, passes = boundary
        at = sent(number) if way == "sent" else received(number)
        yield boundary, run_on_virtual_clock(_outcome([Drop(at, passes=passes)]))[0]


async def _undisturbed() -> FaultyTransport:
    return (await _outcome([]))[1]


async def _outcome(faults: list[Fault]) -> tuple[Outcome, FaultyTransport]:
    llm, talk = KnowingLLM(), Talk("Talk.")
    transports: list[FaultyTransport] = []
    async with AsyncExitStack() as servers:

        async def dial() -> Transport:
            server = MemoryServer(llm, stt=ToneSTT(), tts=FakeTTS(100))
            await servers.enter_async_context(server)
            transports.append(FaultyTransport(server.transport, [] if transports else faults))
            return transports[-1]

        policy = Reconnect(first_s=0.3)
        async with connect(
            transport=dial, tools=[talk.book], instructions=talk.name, reconnect=policy
        ) as session:
            problem = await talk.hold(session)
            await session._driver.until(session._driver.all_left, 5)
        outcome = talk.outcome(session, llm, problem)
    appended_ms = session.conversation.input_ms
    outcome.true_ms = appended_ms - sum(one.passed.sent_audio_ms for one in transports)
    return outcome, transports[0]
