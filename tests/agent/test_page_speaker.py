from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import pytest

from realtime_nb.agent import page_speaker
from realtime_nb.agent.page_speaker import BrowserSpeaker
from realtime_nb.errors import SessionClosedError
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.widgets.speaker import PagePlaybackReport

TENTH = bytes(4800)


class Page:
    """The widget, as far as the speaker needs it."""

    def __init__(self, page: str | None = "page 1", status: str = "ready") -> None:
        self.page = page
        self.left = False
        self.status = status
        self.error = ""
        self.written: dict[str, int] = {}
        self.ended: list[str] = []
        self.flushes: list[Future[list[tuple[str, float]]]] = []

    def write(self, item_id: str, pcm: bytes) -> None:
        self.written[item_id] = self.written.get(item_id, 0) + len(pcm)

    def end(self, item_id: str) -> None:
        self.ended.append(item_id)

    def flush(self) -> Future[list[tuple[str, float]]]:
        future: Future[list[tuple[str, float]]] = Future()
        if self.flushes:  # nothing is left by then
            future.set_result([])
        self.flushes.append(future)
        return future

    def played_ms(self, item_id: str) -> float:
        return 40.0


class Session:
    """A session's clock and ears."""

    pace = 1.0
    error: Exception | None = None

    def __init__(self) -> None:
        self.reports: list[PlaybackReport] = []
        self.speaker: BrowserSpeaker | None = None
        self.truncated: list[tuple[str, float]] = []
        self.interruptions = 0
        self.heard: list[tuple[str, int, float]] = []
        self.now_s: float | None = 1.0

    def clock(self) -> float:
        return time.perf_counter() if self.now_s is None else self.now_s

    def playback_report(self, report: PlaybackReport) -> None:
        self.reports.append(report)

    def audio_played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        self.heard.append((item_id, len(pcm) // 2, t_s))

    async def interrupt(self) -> None:
        """Stops the response; what was heard of it is told to the server."""
        self.interruptions += 1
        if self.error is not None:
            raise self.error
        assert self.speaker is not None
        self.truncated += await self.speaker.flush()

    @property
    def kinds(self) -> list[tuple[str, str, float]]:
        return [(report.kind, report.item_id, report.played_ms) for report in self.reports]


Made = tuple[BrowserSpeaker, Session, list[str]]


@pytest.fixture
async def make() -> Any:
    made: list[BrowserSpeaker] = []

    def speaker(page: Page) -> Made:
        session, problems = Session(), list[str]()
        one = BrowserSpeaker(page, session, problems.append)  # type: ignore[arg-type]
        made.append(one)
        session.speaker = one
        return one, session, problems

    yield speaker
    for one in made:
        if one._watching is not None:
            one._watching.cancel()
        await one._clocked.close()


Make = Callable[[Page], Made]


def report(
    kind: str, played: int = 0, item_id: str = "a", t_ms: float | None = None
) -> PagePlaybackReport:
    return PagePlaybackReport(kind=kind, item_id=item_id, played_samples=played, page_time_ms=t_ms)  # type: ignore[typeddict-item]


async def until(condition: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + 5
    while not condition():
        assert loop.time() < until_s
        await asyncio.sleep(0.005)


async def test_the_page_plays_and_what_it_played_is_recorded(make: Make) -> None:
    page = Page()
    speaker, session, _ = make(page)
    speaker.write("a", TENTH)
    speaker.write("a", TENTH)
    speaker.end("a")
    assert (page.written, page.ended) == ({"a": 9600}, ["a"])
    speaker.take(report("started"))
    session.now_s = 1.1
    speaker.take(report("progress", 2400))
    playing = [speaker.playing]
    session.now_s = 1.2
    speaker.take(report("finished", 4800))
    assert [*playing, speaker.playing] == [True, False]
    assert session.kinds == [("started", "a", 0.0), ("finished", "a", 200.0)]
    assert session.heard == [("a", 2400, 1.0), ("a", 2400, 1.1)]


async def test_times_are_those_of_the_page(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    arrives_s = iter([70.0, 70.4])
    monkeypatch.setattr(page_speaker, "monotonic", lambda: next(arrives_s))
    speaker, session, _ = make(Page())
    speaker.write("a", TENTH)
    speaker.take(report("started", t_ms=5000.0))
    session.now_s = 1.4
    speaker.take(report("finished", 2400, t_ms=5100.0))  # 0.3 s late
    assert [report.t_s for report in session.reports] == [1.0, 1.1]
    assert session.heard == [("a", 2400, 1.0)]


async def test_a_flush_tells_what_the_page_told_and_takes_no_more_of_the_item(make: Make) -> None:
    page = Page()
    speaker, session, _ = make(page)
    speaker.write("a", TENTH)
    flushed = asyncio.ensure_future(_wait(speaker.flush()))
    speaker.write("a", TENTH)
    assert page.written == {"a": 4800}
    speaker.take(report("flushed", 1200))
    page.flushes[0].set_result([("a", 50.0)])
    assert await flushed == [("a", 50.0)]
    assert session.kinds == [("flushed", "a", 50.0)]
    assert not speaker.playing
    speaker.take(report("unplayed"))
    speaker.write("b", TENTH)
    assert page.written == {"a": 4800, "b": 4800}


async def _wait(flush: Awaitable[list[tuple[str, float]]]) -> list[tuple[str, float]]:
    return await flush


@pytest.mark.parametrize("page", [Page(page=None), Page(status="insecure")], ids=["none", "mute"])
async def test_where_no_page_can_play_the_clock_does(make: Make, page: Page) -> None:
    speaker, session, problems = make(page)
    session.now_s = None
    speaker.write("a", TENTH)
    speaker.end("a")
    assert speaker.playing
    await until(lambda: not speaker.playing)
    assert session.kinds == [("started", "a", 0.0), ("finished", "a", 100.0)]
    assert sum(samples for _, samples, _ in session.heard) == 2400
    assert (page.written, problems) == ({}, [])


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_speaker, "_LOOK_EVERY_S", 0.001)


@pytest.mark.usefixtures("soon")
async def test_nobody_waits_for_a_page_that_does_not_play(make: Make) -> None:
    page = Page()
    page.error = "The browser holds the sound back."
    speaker, session, problems = make(page)
    speaker.write("a", TENTH)
    await until(lambda: bool(session.truncated))
    assert session.truncated == [("a", 40.0)]
    assert session.kinds == [("flushed", "a", 40.0)]
    assert problems == [page.error]
    assert not speaker.playing
    speaker.take(report("flushed", 960))  # the page answers after all: it was told already
    speaker.write("a", TENTH)
    assert len(session.reports) == 1
    assert not speaker.playing
    assert session.interruptions == 1


async def test_a_page_that_goes_away_ends_its_answer(make: Make) -> None:
    page = Page()
    speaker, session, problems = make(page)
    for item_id in ("a", "b"):
        speaker.write(item_id, TENTH)
    speaker.take(report("started"))
    speaker.take(report("progress", 960))
    page.page, page.left = None, True
    for item_id in ("a", "b"):
        speaker.take(report("unplayed", 960, item_id))
    assert not speaker.playing  # at once
    await until(lambda: bool(session.truncated))
    assert session.truncated == [("a", 40.0), ("b", 40.0)]
    assert session.kinds[1:] == [("flushed", "a", 40.0), ("flushed", "b", 40.0)]
    assert (session.interruptions, len(problems)) == (1, 1)
    assert "went away in the middle of an answer" in problems[0]
    speaker.write("a", TENTH)  # was under way
    assert page.written == {"a": 4800, "b": 4800}
    assert await _wait(speaker.flush()) == []  # told once


async def test_a_page_that_goes_away_while_it_stops_changes_nothing(make: Make) -> None:
    page = Page()
    speaker, session, problems = make(page)
    speaker.write("a", TENTH)
    flushed = asyncio.ensure_future(_wait(speaker.flush()))
    speaker.take(report("unplayed", 960))
    speaker.take(report("flushed", 960))
    page.flushes[0].set_result([("a", 40.0)])
    assert await flushed == [("a", 40.0)]
    assert (session.interruptions, problems) == (0, [])


@pytest.mark.usefixtures("soon")
async def test_an_answer_waits_for_a_page_that_reloads(make: Make) -> None:
    page = Page(page=None)
    page.left = True
    speaker, session, problems = make(page)
    speaker.write("a", TENTH)
    speaker.write("a", TENTH)
    speaker.end("a")
    speaker.write("b", TENTH)
    assert (speaker.playing, page.written) == (True, {})
    page.page, page.left = "page 2", False
    await until(lambda: page.written == {"a": 9600, "b": 4800})
    assert page.ended == ["a"]
    speaker.write("b", TENTH)
    assert page.written["b"] == 9600
    speaker.take(report("finished", 4800))
    assert (session.interruptions, problems) == (0, [])


@pytest.mark.usefixtures("soon")
async def test_an_answer_does_not_wait_for_ever(make: Make) -> None:
    page = Page(page=None)
    page.left = True
    page.played_ms = lambda item_id: 0.0  # type: ignore[method-assign]
    speaker, session, problems = make(page)
    speaker.write("a", TENTH)
    await until(lambda: bool(session.truncated))
    assert session.truncated == [("a", 0.0)]
    assert problems == [page_speaker._STAYS_AWAY]
    assert not speaker.playing


async def test_what_waits_for_a_page_can_be_interrupted(make: Make) -> None:
    page = Page(page=None)
    page.left = True
    page.flushes.append(Future())  # it has nothing to flush
    speaker, session, _ = make(page)
    speaker.write("a", TENTH)
    assert await _wait(speaker.flush()) == [("a", 0.0)]
    assert session.kinds == [("flushed", "a", 0.0)]
    assert not speaker.playing


@pytest.mark.usefixtures("soon")
async def test_who_reads_along_in_a_page_that_never_sounds_keeps_the_answer(make: Make) -> None:
    page = Page()
    speaker, session, problems = make(page)
    session.now_s = None
    speaker.write("a", TENTH)
    speaker.end("a")
    page.status = "insecure"
    await until(lambda: not speaker.playing)
    assert session.kinds == [("started", "a", 0.0), ("finished", "a", 100.0)]
    assert (session.interruptions, problems) == (0, [])  # the page says what is wrong by itself


@pytest.mark.usefixtures("soon")
async def test_a_session_that_is_over_needs_no_interruption(make: Make) -> None:
    speaker, session, _ = make(Page())
    session.error = SessionClosedError("It is over.")
    speaker.write("a", TENTH)
    await until(lambda: session.interruptions == 1)
    assert speaker._interrupting is not None
    await speaker._interrupting


async def test_a_page_that_goes_on_reporting_is_waited_for(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_speaker, "_LOOK_EVERY_S", 0.001)
    looks = page_speaker._MISSED_LOOKS
    speaker, _, problems = make(Page())
    speaker.write("a", TENTH)
    for _ in range(3 * looks):
        speaker.take(report("progress", 10))
        await asyncio.sleep(0.001)
        assert speaker.playing
    assert problems == []


async def test_closing_stops_everything(make: Make) -> None:
    page = Page()
    speaker, session, _ = make(page)
    speaker.write("a", TENTH)
    closing = asyncio.ensure_future(speaker.close())
    await until(lambda: bool(page.flushes))
    speaker.take(report("flushed", 480))
    page.flushes[0].set_result([("a", 20.0)])
    await closing
    assert session.kinds == [("flushed", "a", 20.0)]
    assert speaker._watching is not None
    await asyncio.gather(speaker._watching, return_exceptions=True)


async def test_closing_says_how_far_an_answer_was_heard_of_which_the_page_is_silent(
    make: Make,
) -> None:
    page = Page()
    speaker, session, _ = make(page)
    speaker.write("a", TENTH)
    speaker.take(report("started", 0))
    closing = asyncio.ensure_future(speaker.close())
    await until(lambda: bool(page.flushes))
    page.flushes[0].set_result([("a", 20.0)])
    await closing

    assert session.kinds == [("started", "a", 0.0), ("flushed", "a", 20.0)]
    ((item_id, samples, start_s),) = session.heard
    assert (item_id, samples, round(start_s, 6)) == ("a", 480, 0.98)
    assert speaker._watching is not None
    await asyncio.gather(speaker._watching, return_exceptions=True)
