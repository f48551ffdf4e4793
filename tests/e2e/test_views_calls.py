"""The call inspector in Chromium: what is seen, what keys do, and a tool that runs again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime_nb.protocol.conversation import Conversation, ToolReport
from realtime_nb.tools import tool
from realtime_nb.widgets.call_inspector import CallInspector
from realtime_nb.widgets.transcript import Transcript
from tests.e2e import view_pages
from tests.e2e.view_pages import EVIL, HARMLESS, Show, themed
from tests.scripted_session import LiveSession
from tests.widgets.pages import ToldSession

browser, show = view_pages.browser, view_pages.show


@tool
def book_appointment(date: str, time: str, people: int = 1) -> dict[str, Any]:
    """Book an appointment."""
    if time == "never":
        raise ValueError(EVIL)
    return {"booked": f"{date} {time}", "people": people}


class Held:
    """Something with a conversation."""

    def __init__(self, live: LiveSession) -> None:
        self.conversation: Conversation = live.conversation


def call(live: LiveSession | ToldSession, n: int, arguments: str, output: str | None) -> None:
    """A whole call, at n seconds."""
    name = "book_appointment"
    item = {"id": f"i{n}", "type": "function_call", "name": name, "call_id": f"call_{n}"}
    ids: dict[str, Any] = {"response_id": f"r{n}", "output_index": 0}
    response = {"id": f"r{n}", "status": "in_progress", "conversation_id": "c"}
    live.received(n, "response.created", response=response)
    begun = {**item, "arguments": "", "status": "in_progress"}
    live.received(n + 0.1, "response.output_item.added", item=begun, **ids)
    done = {**item, "arguments": arguments, "status": "completed"}
    live.received(n + 0.2, "response.output_item.done", item=done, **ids)
    if output is not None:
        result = {"type": "function_call_output", "call_id": f"call_{n}", "output": output}
        live.sent(n + 0.3 + n % 4 / 10, "conversation.item.create", item=result)


def ran(live: LiveSession, n: int, began_s: float, ended_s: float) -> None:
    """The session reports when the function of the n-th call ran."""
    live.tool(ToolReport(f"call_{n}", "started", n + began_s))
    live.tool(ToolReport(f"call_{n}", "ended", n + ended_s, "ok"))


def answer(live: LiveSession, t_s: float) -> None:
    """The first audio of a response after the output of a call."""
    live.response_begins(t_s, f"answer_{t_s}")
    item = {"id": f"m_{t_s}", "type": "message", "role": "assistant", "status": "in_progress"}
    ids: dict[str, Any] = {"response_id": f"answer_{t_s}", "output_index": 0}
    live.received(t_s + 0.1, "response.output_item.added", item={**item, "content": []}, **ids)
    audio = {"item_id": item["id"], "content_index": 0, "delta": "AAAA", **ids}
    live.received(t_s + 0.25, "response.output_audio.delta", **audio)


@pytest.fixture
def live() -> LiveSession:
    live = LiveSession()
    live.received(0.0, "session.created", session={"tools": [book_appointment.definition()]})
    call(live, 1, '{"date":"2026-11-24","time":"10:00"}', '{"booked":"2026-11-24 10:00"}')
    call(live, 2, '{"date":"2026-11-24","time":10,"guest":"Ann"}', '{"error":"It does not fit."}')
    ran(live, 1, 0.23, 0.39)
    answer(live, 1.41)
    ran(live, 2, 0.24, 0.47)
    answer(live, 2.52)
    call(live, 3, f'{{"date":"{EVIL}","time":"now"}}', f'{{"error":"{EVIL}"}}')
    call(live, 4, '{"date":"2026-11-25","time":"11:30","people":3}', None)
    return live


def until_text(view: Any, selector: str, text: str) -> None:
    view.until("([s, t]) => document.querySelector(s)?.textContent.includes(t)", [selector, text])


def test_keys_lead_through_the_calls(show: Show, live: LiveSession) -> None:
    view = show(CallInspector(Held(live), tools=[book_appointment]))
    until_text(view, ".rtnb-events-count", "4 calls")
    grid = view.page.get_by_role("grid", name="Function calls")
    grid.focus()
    view.page.keyboard.press("ArrowDown")
    until_text(view, "[aria-label='Recorded arguments']", '"time": "10:00"')
    until_text(view, ".rtnb-calls-schema", "fit the schema")
    view.page.keyboard.press("ArrowDown")
    until_text(view, ".rtnb-calls-broken", "time must be string, not 10")
    until_text(view, ".rtnb-calls-broken", "guest is unknown")
    chosen = view.page.locator("[role=row][aria-selected=true]")
    assert chosen.get_attribute("id") == grid.get_attribute("aria-activedescendant")
    assert "2 off schema" in chosen.inner_text()
    view.page.keyboard.press("End")
    until_text(view, "[aria-label='Recorded output']", "no output")
    view.page.keyboard.press("ArrowUp")
    until_text(view, "[aria-label='Recorded arguments']", "onerror")
    assert view.page.evaluate(HARMLESS)
    view.page.keyboard.press("Escape")
    view.until("document.querySelector('.rtnb-call').hidden")
    view.page.get_by_label("Search calls").fill("schema")
    until_text(view, ".rtnb-events-count", "1 of 4")


def test_each_part_of_a_calls_time_is_seen(show: Show, live: LiveSession) -> None:
    view = show(CallInspector(Held(live)))
    view.until("document.querySelectorAll('.rtnb-calls-row').length === 4")
    header = view.page.get_by_role(
        "columnheader", name="decide · queue · run · send · others · resume"
    )
    assert header.evaluate("(cell) => cell.scrollWidth <= cell.clientWidth")
    first = view.page.locator(".rtnb-calls-row").first
    first.click()
    until_text(view, ".rtnb-calls-ran", "The run ended: ok. Run is from the beginning of its run")
    times = view.page.locator(".rtnb-key").all_inner_texts()
    assert times == [
        *("decide 200 ms", "queue 30 ms", "run 160 ms", "send 10 ms"),
        *("others 0 ms", "resume 260 ms"),
    ]
    seen = "(bar) => [...bar.children].filter((part) => part.offsetWidth >= 2).length"
    assert first.locator(".rtnb-bar").evaluate(seen) == 5  # nothing waited for others
    colours = view.page.locator(".rtnb-call .rtnb-bar").evaluate(
        "({ children }) => new Set([...children].map("
        "(one) => getComputedStyle(one).backgroundColor)).size"
    )
    assert colours == 6
    view.page.locator(".rtnb-calls-row").nth(2).click()
    until_text(view, ".rtnb-calls-ran", "No queue: when the function began to run is not recorded")
    times = view.page.locator(".rtnb-key").all_inner_texts()
    assert times[1::2] == ["queue –", "send –", "resume –"]
    assert view.page.locator(".rtnb-call .rtnb-bar").evaluate(seen) == len(
        [text for text in times if "–" not in text]
    )


def test_a_call_runs_again_with_other_arguments(show: Show, live: LiveSession) -> None:
    view = show(CallInspector(Held(live), tools=[book_appointment]))
    view.until("document.querySelectorAll('.rtnb-calls-row').length === 4")
    view.page.locator(".rtnb-calls-row").first.click()
    editor = view.page.get_by_label("Arguments to run it with")
    view.until("document.querySelector('textarea').value.includes('10:00')")
    view.page.get_by_role("grid").focus()
    view.page.keyboard.press("Enter")
    view.until("document.activeElement.tagName === 'TEXTAREA'")
    editor.fill('{"date": "2026-12-01", "time": "12:15", "people": 4}')
    view.page.get_by_role("button", name="Run").click()
    until_text(view, "[aria-label='Output of the run']", '"booked": "2026-12-01 12:15"')
    until_text(view, "[aria-label='Recorded output']", '"booked": "2026-11-24 10:00"')
    until_text(view, ".rtnb-calls-sides [role=status]", "ok ·")
    editor.fill('{"date": "x", "time": "never"}')
    view.page.keyboard.press("Control+Enter")
    until_text(view, "[aria-label='Output of the run']", "ValueError")
    view.page.get_by_text("Traceback", exact=True).click()
    assert "raise ValueError(EVIL)" in view.page.locator("details pre").inner_text()
    editor.fill("{")
    view.page.keyboard.press("Control+Enter")
    until_text(view, ".rtnb-calls-sides [role=status]", "invalid")
    view.page.get_by_role("button", name="Reset").click()
    assert '"10:00"' in editor.input_value()
    assert view.page.evaluate(HARMLESS)


def test_without_its_function_the_button_says_what_to_give(show: Show, live: LiveSession) -> None:
    view = show(CallInspector(Held(live)))
    view.until("document.querySelectorAll('.rtnb-calls-row').length === 4")
    view.page.locator(".rtnb-calls-row").first.click()
    until_text(view, ".rtnb-calls-sides [role=status]", "tools=[book_appointment]")
    assert view.page.get_by_role("button", name="Run").is_disabled()


def test_a_thousand_calls_are_a_few_rows(show: Show) -> None:
    live = LiveSession()
    for n in range(1_000):
        call(live, n, '{"date":"2026-11-24","time":"10:00"}', "{}")
    view = show(CallInspector(Held(live), tools=[book_appointment]))
    until_text(view, ".rtnb-events-count", "1,000 calls")
    view.page.get_by_role("grid").focus()
    for key in ("End", "PageUp", "Home", "PageDown", "End"):
        view.page.keyboard.press(key)
    until_text(view, "[role=row][aria-selected=true]", "16:39.1")
    until_text(view, ".rtnb-call .rtnb-toolbar", "call_999")
    assert view.page.locator("#view *").count() <= 300


def test_arguments_are_seen_as_they_stream(show: Show) -> None:
    live = LiveSession()
    item = {"id": "i", "type": "function_call", "name": "book", "call_id": "call_1"}
    ids: dict[str, Any] = {"response_id": "r", "output_index": 0}
    live.response_begins(1.0, "r")
    begun = {**item, "arguments": "", "status": "in_progress"}
    live.received(1.1, "response.output_item.added", item=begun, **ids)
    inspector = CallInspector(Held(live))
    view = show(inspector)
    view.until("document.querySelectorAll('.rtnb-calls-row').length === 1")
    view.page.locator(".rtnb-calls-row").first.click()
    for delta, seen in (('{"date":"20', '{\n  "date": "20'), ('26","t', '"2026",\n  "t')):
        live.received(
            1.2,
            "response.function_call_arguments.delta",
            delta=delta,
            call_id="call_1",
            item_id="i",
            **ids,
        )
        inspector.flush()
        until_text(view, "[aria-label='Recorded arguments']", seen)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [860, 400])
def test_pictures(show: Show, live: LiveSession, screenshots: Path, theme: str, width: int) -> None:
    """Nothing is wider than its cell; the pictures are for looking at."""
    view = show(
        CallInspector(Held(live), tools=[book_appointment]),
        width=width,
        height=700,
        head=themed(theme),
    )
    view.until("document.querySelectorAll('.rtnb-calls-row').length === 4")
    view.page.locator(".rtnb-calls-row").nth(1).click()
    until_text(view, ".rtnb-calls-broken", "guest is unknown")
    view.page.get_by_label("Arguments to run it with").fill('{"date": "x", "time": "12:15"}')
    view.page.get_by_role("button", name="Run").click()
    until_text(view, "[aria-label='Output of the run']", "12:15")
    assert view.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    view.page.screenshot(path=screenshots / f"callinspector-{theme}-{width}.png")


def test_without_calls_it_says_so_where_it_can_be_read(show: Show) -> None:
    view = show(CallInspector(Held(LiveSession())))
    view.until("document.querySelector('.rtnb-empty')?.textContent === 'No function calls.'")
    # Its styles may come later than its words.
    view.until(
        """() => {
          const [words, grid] = [".rtnb-empty", ".rtnb-events-grid"]
            .map((selector) => document.querySelector(selector).getBoundingClientRect());
          return grid.height > 0 && words.bottom <= grid.bottom;
        }"""
    )


class Running(ToldSession):
    """A session whose function goes on, whatever it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.tools = {"book_appointment": book_appointment}
        self.cancelled: list[str] = []
        self.received(0.0, "session.created", session={"tools": [book_appointment.definition()]})
        call(self, 1, '{"date":"2026-11-24","time":"10:00"}', '{"booked":"2026-11-24 10:00"}')
        call(self, 2, '{"date":"2026-11-24","time":"10:30"}', None)
        for n in (1, 2):
            item = {"id": f"i{n}", "type": "function_call", "name": "book_appointment"}
            self.received(n + 0.2, "conversation.item.added", item=item | {"call_id": f"call_{n}"})
        self.tool(ToolReport("call_2", "started", 2.25))

    def cancel_call(self, call_id: str) -> bool:
        self.cancelled.append(call_id)
        return True

    def tells(self, words: str) -> None:
        self.tool(ToolReport("call_2", "progress", 2.3, progress=words))


def test_a_call_that_runs_is_cancelled_by_keys_alone(show: Show) -> None:
    session = Running()
    view = show(CallInspector(session))
    view.until("document.querySelectorAll('.rtnb-calls-row').length === 2")
    grid = view.page.get_by_role("grid", name="Function calls")
    grid.focus()
    view.page.keyboard.press("Home")
    until_text(view, "[aria-label='Recorded output']", "booked")
    cancel = view.page.get_by_role("button", name="Cancel this call")
    assert cancel.is_hidden()  # it has ended
    view.page.keyboard.press("End")
    session.tells(f"asking 3 of 12 {EVIL}")
    until_text(view, ".rtnb-calls-progress", "asking 3 of 12 <img")
    until_text(view, "[role=row][aria-selected=true]", "running · asking 3 of 12")
    view.page.keyboard.press("Tab")
    assert cancel.evaluate("(one) => one === document.activeElement")
    view.page.keyboard.press("Enter")
    until_text(view, ".rtnb-call .rtnb-toolbar", "Cancelling…")
    session.tells("undoing it")
    until_text(view, ".rtnb-calls-progress", "undoing it")
    assert session.cancelled == ["call_2"]
    session.tool(ToolReport("call_2", "ended", 2.6, "cancelled"))
    output = {"type": "function_call_output", "call_id": "call_2", "output": '{"error": "…"}'}
    session.sent(2.6, "conversation.item.create", item=output)
    until_text(view, "[role=row][aria-selected=true]", "cancelled")
    assert cancel.is_hidden()
    assert grid.evaluate("(one) => one === document.activeElement"), "the focus stays in the view"
    assert view.page.locator(".rtnb-calls-progress").is_hidden()
    assert view.page.evaluate(HARMLESS)


def test_how_far_a_call_is_stands_in_the_transcript(show: Show) -> None:
    session = Running()
    view = show(Transcript(session))
    session.tells(f"asking 3 of 12 {EVIL}")
    until_text(view, ".rtnb-pending .rtnb-call-output", "asking 3 of 12 <img")
    assert view.page.evaluate(HARMLESS)
    output = {"type": "function_call_output", "call_id": "call_2", "output": "done"}
    session.sent(2.6, "conversation.item.create", item=output)
    view.until("document.querySelectorAll('.rtnb-call-output')[1]?.textContent === 'done'")
    assert view.page.locator(".rtnb-pending").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [860, 400])
def test_pictures_of_calls_that_run(show: Show, screenshots: Path, theme: str, width: int) -> None:
    for kind in (CallInspector, Transcript):
        session = Running()
        view = show(kind(session), width=width, height=520, head=themed(theme))
        session.tells("asked 3 of 12 calendars; the next one is that of Doctor Pfeiffer-Reinhold")
        if kind is CallInspector:
            view.until("document.querySelectorAll('.rtnb-calls-row').length === 2")
            view.page.locator(".rtnb-calls-row").nth(1).click()
            until_text(view, ".rtnb-calls-progress", "Doctor")
            view.page.get_by_role("button", name="Cancel this call").focus()
        else:
            until_text(view, ".rtnb-pending .rtnb-call-output", "Doctor")
        assert view.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        name = kind.__name__.lower()
        view.page.screenshot(path=screenshots / f"{name}-running-{theme}-{width}.png")
