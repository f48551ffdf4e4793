"""Who observes a session is shown what crosses the wire, what is played and which functions run."""

from __future__ import annotations

import asyncio

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import Call, ScriptedLLM
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.testing import MemoryServer
from tests.virtual import virtual


class _Watcher:
    def __init__(self, *, fails: bool = False) -> None:
        self.seen: list[tuple[str, str]] = []
        self.captured_s: list[float | None] = []
        self.reports: list[PlaybackReport] = []
        self.tools: list[ToolReport] = []
        self._fails = fails

    def event(self, event: WireEvent) -> None:
        self.seen.append((event.direction, str(event.raw["type"])))
        if event.raw["type"] == "input_audio_buffer.append":
            self.captured_s.append(event.captured_s)
        if self._fails:
            raise ValueError("an observer's own mistake")

    def playback(self, report: PlaybackReport) -> None:
        self.reports.append(report)

    def tool(self, report: ToolReport) -> None:
        self.tools.append(report)


async def test_observers_are_shown_what_crosses_the_wire_and_what_is_played() -> None:
    watcher = _Watcher()
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        session.observe(watcher)

        await session.append(bytes(960), captured_s=0.125)
        await session.append(bytes(960))
        await session.say("Hi")
        await session.settled()

    assert watcher.captured_s == [0.125, None]
    assert ("sent", "response.create") in watcher.seen
    assert ("received", "response.done") in watcher.seen
    assert [report.kind for report in watcher.reports] == ["started", "finished"]


@virtual
async def test_observers_are_shown_when_functions_run() -> None:
    released, watcher = asyncio.Event(), _Watcher()

    async def slow() -> str:
        """Take your time."""
        await released.wait()
        return "done"

    async with (
        MemoryServer(ScriptedLLM([Call("slow", "{}", "call_1"), "It is done."])) as server,
        rt.connect(transport=server.transport, tools=[slow]) as session,
    ):
        session.observe(watcher)
        await session.say("Do it")
        assert not await session.settled(timeout_s=5)
        assert [(report.call_id, report.kind) for report in watcher.tools] == [
            ("call_1", "started")
        ]
        released.set()
        assert await session.settled()
    assert [(report.kind, report.outcome) for report in watcher.tools] == [
        ("started", None),
        ("ended", "ok"),
    ]


async def test_an_observer_that_fails_is_dropped_and_the_session_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watcher = _Watcher(fails=True)
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        session.observe(watcher)

        await session.say("Hi")

        assert await session.settled()
    assert len(watcher.seen) == 1
    assert "shown nothing more" in caplog.text
