"""What is over is read from its beginning; what goes on is followed unless one has scrolled up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.commands.bench.view_page import ViewPage
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.widgets.call_inspector import CallInspector
from realtime_nb.widgets.event_inspector import EventInspector
from realtime_nb.widgets.timing import Timing
from realtime_nb.widgets.transcript import Transcript
from realtime_nb.widgets.view import View
from tests.e2e import view_pages
from tests.e2e.view_pages import Show
from tests.scripted_session import LiveSession
from tests.widgets.pages import ToldSession

browser, show = view_pages.browser, view_pages.show

MANY = 40
VIEWS = [
    (EventInspector, "events"),
    (CallInspector, "calls"),
    (Transcript, "transcript"),
    (Timing, "timing"),
]
SCROLLERS = {
    "events": ".rtnb-events-scroller",
    "calls": ".rtnb-calls-scroller",
    "transcript": ".rtnb-log",
    "timing": ".rtnb-turns",
}
OVERFLOWS = "(name) => ((e) => e.scrollHeight > e.clientHeight + 60)(document.querySelector(name))"
FROM_TOP = "(name) => document.querySelector(name).scrollTop"
AT_END = """(name) => ((e) => e.scrollTop > 0 && e.scrollHeight - e.scrollTop - e.clientHeight < 2)(
  document.querySelector(name))"""
every_view = pytest.mark.parametrize(("kind", "name"), VIEWS, ids=[name for _, name in VIEWS])


def happens(live: LiveSession | ToldSession, n: int) -> None:
    """One word and one call, at n seconds."""
    words = [{"type": "input_text", "text": f"Sentence {n}."}]
    said = {"id": f"u{n}", "type": "message", "role": "user", "content": words}
    live.received(n, "conversation.item.added", item=said)
    response = {"id": f"r{n}", "status": "in_progress", "conversation_id": "c"}
    live.received(n, "response.created", response=response)
    call: dict[str, Any] = {"id": f"i{n}", "type": "function_call", "name": "book"}
    call |= {"call_id": f"call_{n}", "arguments": "{}", "status": "completed"}
    live.received(n, "response.output_item.done", item=call, response_id=f"r{n}", output_index=0)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    live = LiveSession(recorder)
    for n in range(MANY):
        happens(live, n)
    recorder.close()
    return load(recorder.path)


@every_view
@pytest.mark.parametrize("given", ["recording", "path"])
def test_a_recording_opens_at_its_beginning(
    show: Show, recording: Recording, kind: Callable[[Any], View], name: str, given: str
) -> None:
    opens_at_its_beginning(show(kind(recording if given == "recording" else recording.path)), name)


def test_events_of_a_recording_too(show: Show, recording: Recording) -> None:
    opens_at_its_beginning(show(EventInspector(recording.raw_events())), "events")


def opens_at_its_beginning(view: ViewPage, name: str) -> None:
    view.until(OVERFLOWS, SCROLLERS[name])
    view.page.wait_for_timeout(300)
    assert view.page.evaluate(FROM_TOP, SCROLLERS[name]) == 0
    assert view.page.locator(".rtnb-jump:visible").count() == 0


@every_view
def test_a_session_that_takes_the_place_of_a_recording_is_followed(
    show: Show, recording: Recording, kind: Callable[[Any], Any], name: str
) -> None:
    widget = kind(recording)
    view = show(widget)
    opens_at_its_beginning(view, name)
    session = ToldSession()
    widget.follow(session)
    for n in range(MANY, 2 * MANY):
        happens(session, n)
    view.until(AT_END, SCROLLERS[name])
    happens(session, 2 * MANY)
    view.page.wait_for_timeout(300)
    view.until(AT_END, SCROLLERS[name])


@every_view
def test_a_session_is_followed_unless_one_has_scrolled_up(
    show: Show, kind: Callable[[Any], View], name: str
) -> None:
    session = ToldSession()
    widget = kind(session)
    scroller = SCROLLERS[name]
    for n in range(MANY):
        happens(session, n)
    view = show(widget)
    view.until(OVERFLOWS, scroller)
    view.until(AT_END, scroller)
    happens(session, MANY)
    view.page.wait_for_timeout(300)
    view.until(AT_END, scroller)
    view.page.locator(scroller).hover()
    view.page.mouse.wheel(0, -60)
    view.page.wait_for_timeout(200)
    read_px = view.page.evaluate(FROM_TOP, scroller)
    for n in range(MANY + 1, MANY + 9):
        happens(session, n)
        view.page.wait_for_timeout(50)
        view.pump()
    view.page.wait_for_timeout(300)
    view.pump()
    assert view.page.evaluate(FROM_TOP, scroller) == read_px > 0
    view.page.mouse.wheel(0, 9_000)
    view.until(AT_END, scroller)
    happens(session, MANY + 20)
    view.page.wait_for_timeout(300)
    view.until(AT_END, scroller)


@every_view
@pytest.mark.parametrize("scrolled_up", [False, True], ids=["at its end", "scrolled up"])
def test_a_tab_that_is_opened_again_is_where_it_was(
    show: Show, kind: Callable[[Any], View], name: str, scrolled_up: bool
) -> None:
    session = ToldSession()
    widget = kind(session)
    scroller = SCROLLERS[name]
    for n in range(MANY):
        happens(session, n)
    view = show(widget)
    view.until(OVERFLOWS, scroller)
    view.until(AT_END, scroller)
    if scrolled_up:
        view.page.locator(scroller).hover()
        view.page.mouse.wheel(0, -60)
        view.page.wait_for_timeout(200)
    read_px = view.page.evaluate(FROM_TOP, scroller)
    view.page.evaluate("document.querySelector('#view').hidden = true")
    for n in range(MANY, MANY + 9):
        happens(session, n)
        view.page.wait_for_timeout(50)
        view.pump()
    view.page.evaluate("document.querySelector('#view').hidden = false")
    view.page.wait_for_timeout(300)
    view.pump()
    if scrolled_up:
        assert view.page.evaluate(FROM_TOP, scroller) == read_px
    else:
        view.until(AT_END, scroller)


# Each message comes when the one before was painted, and before the page hears of its scrolling.
BETWEEN_FRAMES = """() => {
  const deliver = window.deliver;
  window.deliver = async (messages) => {
    for (const one of JSON.parse(messages)) {
      deliver(JSON.stringify([one]));
      await new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
    }
  };
}"""


def test_a_long_session_that_comes_in_parts_is_followed_to_its_end(show: Show) -> None:
    session = ToldSession()
    widget = EventInspector(session)
    for n in range(4_000):
        happens(session, n)
    view = show(widget)
    view.page.evaluate(BETWEEN_FRAMES)
    view.until("document.querySelector('.rtnb-events-count')?.textContent.includes('12,000')")
    view.page.wait_for_timeout(300)
    view.until(AT_END, SCROLLERS["events"])
