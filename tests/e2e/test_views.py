"""Transcript, event inspector and timeline in Chromium: what is seen, and what keys and pointer do.

The pages here have no Jupyter around them; ``test_in_jupyterlab`` shows all three in a notebook.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realtime_nb.commands.bench.inspector import stream
from realtime_nb.commands.bench.view_page import ViewPage
from realtime_nb.recordings.recording import Recording
from realtime_nb.widgets.event_inspector import EventInspector
from realtime_nb.widgets.timeline import Timeline
from realtime_nb.widgets.transcript import Transcript
from tests.e2e import view_pages
from tests.e2e.view_pages import EVIL, HARMLESS, Show, labelled, themed
from tests.scripted_session import LiveSession

if TYPE_CHECKING:
    from playwright.sync_api import Locator

browser, recording, show = view_pages.browser, view_pages.recording, view_pages.show


def words(view: ViewPage, selector: str) -> list[str]:
    return [text.strip() for text in view.page.locator(selector).all_inner_texts()]


# --- transcript ---


def say(live: LiveSession, n: int, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    item = {"id": f"u{n}", "type": "message", "role": "user", "content": content}
    live.received(float(n), "conversation.item.added", item=item)


def test_a_transcript_as_it_is_said(show: Show) -> None:
    live = LiveSession()
    transcript = Transcript(live.conversation)
    view = show(transcript)
    log = view.page.get_by_role("log", name="Transcript")
    assert log.get_attribute("aria-live") == "polite"
    live.received(0.5, "input_audio_buffer.speech_started", audio_start_ms=0, item_id="u")
    transcript.update()
    view.until("document.querySelector('.rtnb-user.rtnb-pending') !== null")
    assert "speaking" in log.inner_text()
    live.user_item(1.0, "u", "Hello.")
    live.response_begins(1.1, "r")
    item = {"id": "a", "type": "message", "role": "assistant", "status": "in_progress"}
    live.received(1.2, "conversation.item.added", item={**item, "content": []})
    ids: dict[str, Any] = {"response_id": "r", "item_id": "a", "content_index": 0}
    for delta in ("One two", " three four", f" {EVIL}"):
        live.received(1.3, "response.output_audio_transcript.delta", delta=delta, **ids)
        transcript.update()
        view.until(
            "(text) => document.querySelector('[role=log]').textContent.includes(text)", delta
        )
    live.received(1.4, "response.output_audio.delta", delta="AAAA" * 16_000, **ids)
    live.received(2.0, "conversation.item.truncated", content_index=0, item_id="a", audio_end_ms=80)
    transcript.update()
    view.until("document.querySelector('.rtnb-agent s')?.textContent.includes('three')")
    assert "interrupted after 0.1 s" in log.inner_text()
    assert words(view, ".rtnb-who") == ["you", "agent"]
    assert view.page.evaluate(HARMLESS)


def test_a_transcript_that_is_read_is_not_moved(show: Show) -> None:
    live = LiveSession()
    for n in range(60):
        say(live, n, f"Sentence {n}.")
    transcript = Transcript(live.conversation)
    view = show(transcript)
    at_end = """() => {
      const log = document.querySelector("[role=log]");
      return log.scrollTop > 0 && log.scrollHeight - log.scrollTop - log.clientHeight < 2;
    }"""
    view.until(at_end)
    log = view.page.get_by_role("log")
    log.hover()
    view.page.mouse.wheel(0, -400)
    view.until(f"!({at_end})()")
    before = log.evaluate("(log) => log.scrollTop")
    say(live, 60, "Another.")
    transcript.update()
    view.until("document.querySelector('[role=log]').textContent.includes('Another.')")
    assert log.evaluate("(log) => log.scrollTop") == before
    view.page.get_by_role("button", name="Latest").click()
    view.until(at_end)
    say(live, 61, "The last.")
    transcript.update()
    view.until("document.querySelector('[role=log]').textContent.includes('The last.')")
    view.until(at_end)


def call(live: LiveSession, n: int, output: str | None) -> None:
    item = {"id": f"i{n}", "type": "function_call", "name": "find", "call_id": f"c{n}"}
    item |= {"arguments": '{"q": "short"}', "status": "completed"}
    live.received(float(n), "conversation.item.added", item=item)
    if output is not None:
        result = {"type": "function_call_output", "call_id": f"c{n}", "output": output}
        live.sent(n + 0.5, "conversation.item.create", item=result)


LONG = json.dumps({"found": [{"name": f"{EVIL} {n}"} for n in range(20)]})


def test_long_json_is_folded_to_a_line_and_opened_on_click(show: Show) -> None:
    live = LiveSession()
    for n in range(30):
        say(live, n, f"Sentence {n}.")
    call(live, 30, LONG)
    transcript = Transcript(live.conversation)
    view = show(transcript)
    line = view.page.locator(".rtnb-call-line").nth(1)
    view.until("document.querySelector('.rtnb-folded') !== null")
    one_line = line.evaluate("(line) => line.clientHeight")
    assert one_line < 30
    assert view.page.locator(".rtnb-fold:visible").count() == 1  # the arguments are short
    button = view.page.get_by_role("button", name="All of the output")
    assert button.get_attribute("aria-expanded") == "false"
    button.focus()
    view.page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert line.evaluate("(line) => line.clientHeight") > 5 * one_line
    assert line.inner_text().count("\n") > 20
    log = view.page.get_by_role("log")
    before = log.evaluate("(log) => log.scrollTop")
    say(live, 31, "The next.")
    transcript.update()
    view.until("document.querySelector('[role=log]').textContent.includes('The next.')")
    assert log.evaluate("(log) => log.scrollTop") == before  # what was opened is being read
    line.click()
    assert button.get_attribute("aria-expanded") == "true"  # and stays, wherever one clicks in it
    button.click()
    assert line.evaluate("(line) => line.clientHeight") == one_line
    line.click(position={"x": 60, "y": 8})
    assert button.get_attribute("aria-expanded") == "true"
    assert view.page.evaluate(HARMLESS)


def test_a_slow_wheel_leaves_the_end_while_words_come_in(show: Show) -> None:
    live = LiveSession()
    for n in range(60):
        say(live, n, f"Sentence {n}.")
    transcript = Transcript(live.conversation)
    view = show(transcript)
    log = view.page.get_by_role("log")
    view.until("document.querySelector('[role=log]').scrollTop > 0")
    log.hover()
    before = log.evaluate("(log) => log.scrollTop")
    for n in range(60, 70):
        view.page.mouse.wheel(0, -6)
        view.page.wait_for_timeout(30)
        say(live, n, f"Sentence {n}.")
        transcript.update()
        text = f"Sentence {n}."
        view.until("(t) => document.querySelector('[role=log]').textContent.includes(t)", text)
    assert before - 80 <= log.evaluate("(log) => log.scrollTop") <= before - 40


# --- event inspector ---


def rows(view: ViewPage) -> Locator:
    return view.page.locator(".rtnb-events-row:visible")


def shown(view: ViewPage, text: str) -> None:
    view.until(
        "(t) => document.querySelector('.rtnb-events-count').textContent.startsWith(t)", text
    )


def details(view: ViewPage) -> Any:
    view.until("/^[{[]/.test(document.querySelector('pre')?.textContent ?? '')")
    return json.loads(view.page.locator("pre").inner_text())


def selected(view: ViewPage) -> str:
    chosen = view.page.locator(".rtnb-events-row[aria-selected=true]")
    assert chosen.count() == 1
    active = view.page.get_by_role("grid").get_attribute("aria-activedescendant")
    assert chosen.get_attribute("id") == active
    return chosen.inner_text()


def test_a_hundred_thousand_events(show: Show) -> None:
    inspector = EventInspector()
    for n, (direction, event) in enumerate(stream(100_000)):
        inspector.add("sent" if direction == "sent" else "received", event, n / 200)
    view = show(inspector)
    shown(view, "100,000 events")
    view.page.get_by_role("button", name="Fold").click()
    view.until("document.querySelector('[role=grid]').ariaRowCount === '100001'")
    view.page.get_by_role("grid").focus()
    for key, time in (("Home", "0.000"), ("End", "499.995"), ("PageUp", "499.94")):
        view.page.keyboard.press(key)
        assert selected(view).startswith(time)
        assert view.page.locator("#view *").count() <= 300
    view.page.get_by_label("Search").fill("resp_001234")
    shown(view, "34 of 100,000")
    assert view.page.get_by_role("row").count() <= 40


def test_live_events_arrive_all(show: Show) -> None:
    inspector = EventInspector()
    view = show(inspector)
    for n, (direction, event) in enumerate(stream(3_000)):
        inspector.add("sent" if direction == "sent" else "received", event, n / 200)
        if n % 500 == 0:
            shown(view, f"{n + 1:,} event")
    shown(view, "3,000 events")
    assert view.posted < 100


def test_keys_lead_through_the_table(show: Show, recording: Recording) -> None:
    view = show(EventInspector(recording))
    shown(view, "8")
    view.page.get_by_role("grid").focus()
    view.page.keyboard.press("Home")
    assert "session.created" in selected(view)
    view.page.keyboard.press("ArrowDown")
    assert "session.update" in selected(view)
    view.page.keyboard.press("Enter")
    assert details(view)["session"]["instructions"] == "Be brief."
    view.page.keyboard.press("Escape")
    view.until("document.querySelector('.rtnb-event').hidden")
    for _ in range(2):
        view.page.keyboard.press("ArrowDown")
    assert "▸ 53× input_audio_buffer.append" in selected(view)
    view.page.keyboard.press("ArrowRight")
    view.until("document.querySelector('.rtnb-child') !== null")
    assert "▾ 53× input_audio_buffer.append" in selected(view)
    view.page.keyboard.press("ArrowLeft")
    view.until("document.querySelector('.rtnb-child:not([hidden])') === null")
    view.page.keyboard.press("Enter")
    assert len(details(view)) > 10


def test_an_error_leads_to_its_cause_and_back(show: Show, recording: Recording) -> None:
    view = show(EventInspector(recording))
    shown(view, "8")
    view.page.get_by_label("Search").fill("invalid_value")
    shown(view, "1 of")
    rows(view).first.click()
    assert details(view)["error"]["event_id"] == "mine_1"
    view.page.get_by_role("button", name="caused by").click()
    assert details(view)["session"]["instructions"] == EVIL
    assert "session.update" in selected(view)
    view.page.get_by_role("button", name="refused by").click()
    assert "error" in selected(view)
    assert view.page.evaluate(HARMLESS)


def test_filters(show: Show, recording: Recording) -> None:
    view = show(EventInspector(recording))
    shown(view, "8")
    total = len(list(recording.raw_events()))
    view.page.get_by_role("button", name="received").click()
    sent = sum(line.direction == "sent" for line in recording.raw_events())
    shown(view, f"{sent} of {total}")
    view.page.get_by_role("button", name="received").click()
    shown(view, f"{total} events")
    view.page.get_by_role("button", name="Types").click()
    view.page.get_by_role("button", name="None").click()
    shown(view, f"0 of {total}")
    view.page.get_by_label("response.created").check()
    shown(view, f"6 of {total}")
    view.page.get_by_role("button", name="All", exact=True).click()
    shown(view, f"{total} events")
    view.page.get_by_label("Search").fill("call_1")
    view.until("document.querySelectorAll('.rtnb-events-row:not([hidden])').length === 5")
    rows(view).first.click()
    view.page.get_by_role("button", name="resp_2").click()
    view.until("document.querySelectorAll('.rtnb-events-row:not([hidden])').length === 2")
    view.page.get_by_role("button", name="Stop filtering by resp_2").click()
    view.until("document.querySelectorAll('.rtnb-events-row:not([hidden])').length === 5")


def test_paused_it_stands_still_and_then_catches_up(show: Show) -> None:
    inspector = EventInspector()
    inspector.add("sent", {"type": "first"}, 0.0)
    view = show(inspector)
    shown(view, "1 event")
    view.page.get_by_role("button", name="Pause").click()
    inspector.add("sent", {"type": "second"}, 1.0)
    shown(view, "1 event · 1 new")
    assert rows(view).count() == 1
    view.page.get_by_role("button", name="Pause").click()
    shown(view, "2 events")
    view.until("document.querySelectorAll('.rtnb-events-row:not([hidden])').length === 2")


def test_copied_json_is_the_event(show: Show, recording: Recording) -> None:
    view = show(EventInspector(recording))
    view.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown(view, "8")
    view.page.get_by_role("grid").focus()
    view.page.keyboard.press("Home")
    view.page.keyboard.press("Enter")
    event = details(view)
    view.page.get_by_role("button", name="Copy JSON").click()
    view.page.get_by_text("Copied").wait_for()
    assert json.loads(view.page.evaluate("navigator.clipboard.readText()")) == event


def test_without_a_kernel_the_summary_stays(show: Show) -> None:
    inspector = EventInspector()
    inspector.add("received", {"type": "response.output_text.done", "text": "All there is"}, 0.0)
    view = show(inspector)
    shown(view, "1 event")
    inspector.close()
    rows(view).first.click()
    view.page.get_by_text("The kernel does not answer").wait_for(timeout=8_000)
    assert view.page.locator("pre").inner_text() == "All there is"


# --- all ---


def test_a_closed_view_leaves_nothing(show: Show, recording: Recording) -> None:
    for widget in (Transcript(recording), EventInspector(recording), Timeline(recording)):
        view = show(widget)
        view.until("document.querySelector('.rtnb') !== null")
        view.page.evaluate("window.close_view()")
        widget.flush()
        view.pump()
        view.page.keyboard.press("End")
        view.page.set_viewport_size({"width": 500, "height": 400})


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [860, 400])
def test_pictures(
    show: Show, recording: Recording, screenshots: Path, theme: str, width: int
) -> None:
    """Nothing is wider than its cell; the pictures are for looking at."""
    head = themed(theme)
    ready = "document.querySelector('.rtnb-said, canvas, .rtnb-event') !== null"
    for kind in (Transcript, EventInspector, Timeline):
        view = show(kind(recording), width=width, height=600, head=head)
        if kind is EventInspector:
            shown(view, "8")
            view.page.get_by_role("grid").focus()
            view.page.keyboard.press("End")
            view.page.keyboard.press("Enter")
            details(view)
        view.until(ready)
        if kind is Timeline:
            labelled(view, "2 stretches")
        assert view.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        view.page.screenshot(path=screenshots / f"{kind.__name__.lower()}-{theme}-{width}.png")


def test_a_narrow_event_list_keeps_what_events_say(show: Show, recording: Recording) -> None:
    view = show(EventInspector(recording), width=400)
    view.until("document.querySelector('.rtnb-events-row')?.textContent !== ''")
    widths = view.page.evaluate(
        "[...document.querySelector('.rtnb-events-header').children].map((one) => one.offsetWidth)"
    )
    assert widths[4] > 100  # content
    assert view.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
