"""The panel's tabs in a real page: Tools, Timing, and a transcript that is read while it grows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import agent_page as agents
from tests.e2e.conftest import OpenPage

says = agents.says

TOOL = """
import realtime_nb as rt
def weather(city: str) -> dict:
    "Tells the weather in a city."
    return {"city": city, "days": [{"day": n, "sky": "sunny <b>all day</b>"} for n in range(9)]}
"""
AT_END = """() => {
  const log = document.querySelector("[role=log]");
  return log.scrollTop > 0 && log.scrollHeight - log.scrollTop - log.clientHeight < 2;
}"""


def figure(line: str) -> float | None:
    """The milliseconds that a line tells; None where it says why there are none."""
    found = re.search(r"([\d,]+) ms", line)
    assert found or "(" in line or "typed" in line, line
    return float(found[1].replace(",", "")) if found else None


def test_the_timing_tab_says_what_the_recording_says(
    open_page: OpenPage, says: Callable[..., Path], screenshots: Path
) -> None:
    page = open_page(says(agents.YOUNG_MAN, 4.0, agents.AMIABLE), size=(1200, 1000))
    page.page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    page.run(TOOL)
    agents.show_agent(page, '"local", tools=[weather]')
    agents.connect(page)
    agents.press(page, "Talk")
    agents.wait_for_words(page, "young man", "amiable himself")
    agents.press(page, "Stop talking")
    page.page.get_by_role("textbox", name="Message").fill("What is the weather in Paris?")
    agents.press(page, "Send")
    agents.wait_for_words(page, "sunny")
    page.page.get_by_text("speaking", exact=True).wait_for()
    agents.press(page, "Stop answer")  # which would read all of it
    page.wait_for("agent.settled().result(30)", timeout_s=40)
    # Tabs, by keys alone.
    page.page.get_by_role("tab", name="Transcript", exact=True).focus()
    for name in ("Events", "Tools 1", "Timing"):
        page.page.keyboard.press("ArrowRight")
        focused = page.page.evaluate("document.activeElement.textContent")
        assert re.match(name, focused), focused
    grid = page.page.get_by_role("grid", name="Latency by turn")
    grid.get_by_role("row").nth(2).wait_for()
    grid.focus()
    page.page.keyboard.press("Home")
    facts = page.page.get_by_label("Turn in parts")
    assert "Turn 1:" in facts.inner_text() and "playout" in facts.inner_text()
    page.page.screenshot(path=screenshots / "agent_timing_light.png")
    page.run("recording = rt.load(agent.disconnect().result(20) or agent.recording)")
    table = agents.ask(
        page,
        "[[None if v != v else v for v in row] for row in recording.latency[['latency_ms',"
        " 'uplink_ms', 'endpoint_wait_ms', 'commit_wait_ms', 'model_first_audio_ms',"
        " 'playout_ms']].to_numpy(float).tolist()]",
    )
    assert isinstance(table, list) and len(table) == 3
    for recorded, shown in zip(table, grid.get_by_role("row").all(), strict=True):
        words = shown.get_attribute("aria-label") or ""
        assert list(map(figure, words.splitlines())) == [
            None if ms is None else pytest.approx(ms, abs=0.51) for ms in recorded
        ]
    assert [row[0] is None for row in table] == [False, False, True]
    assert words.startswith("Turn 3: typed") and "uplink – (typed)" in words
    chips = page.page.locator(".rtnb-latency-chip")
    page.page.get_by_role("tab", name="Transcript", exact=True).click()
    assert chips.count() == 2
    page.page.get_by_role("tab", name="Tools").click()
    page.page.get_by_role("grid", name="Function calls").focus()
    page.page.keyboard.press("Home")
    page.page.get_by_text("Recorded output").wait_for()
    page.page.get_by_text("✓ The arguments fit the schema.").wait_for()
    agents.press(page, "Run")
    page.page.get_by_role("status").filter(has_text="ok · ").wait_for()
    page.page.screenshot(path=screenshots / "agent_tools_light.png")


def test_how_the_tabs_look_when_narrow_and_dark(
    open_page: OpenPage, says: Callable[..., Path], screenshots: Path
) -> None:
    page = open_page(says(agents.YOUNG_MAN), size=(1200, 1000))
    page.page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    page.run(TOOL)
    agents.show_agent(page, '"local", tools=[weather]')
    page.page.get_by_role("tab", name="Timing").click()
    page.page.get_by_text("No turns yet.").wait_for()
    page.page.get_by_role("tab", name="Tools").click()
    page.page.get_by_text("No function calls.").wait_for()
    agents.press(page, "Talk")
    page.page.get_by_role("tab", name="Transcript", exact=True).click()
    agents.wait_for_words(page, "young man")
    agents.press(page, "Stop talking")
    page.page.get_by_role("textbox", name="Message").fill("What is the weather in Paris?")
    agents.press(page, "Send")
    agents.wait_for_words(page, "sunny")
    page.page.get_by_text("speaking", exact=True).wait_for()
    agents.press(page, "Stop answer")  # which would read all of it
    page.wait_for("agent.settled().result(30)", timeout_s=40)
    page.theme("JupyterLab Dark")
    for width, name in ((1200, "wide"), (530, "narrow")):
        page.page.set_viewport_size({"width": width, "height": 1000})  # 530: the cell has 400 px
        for tab in ("Tools", "Timing", "Transcript"):
            page.page.get_by_role("tab", name=tab).click()
            if tab != "Transcript":
                page.page.get_by_role("grid").locator("visible=true").focus()
                page.page.keyboard.press("Home")
            page.page.wait_for_timeout(200)  # for the picture
            wide = page.page.evaluate(
                """() => [...document.querySelectorAll(".rtnb-panel, .rtnb-panel *")]
                     .filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1
                       && getComputedStyle(e).overflowX === "visible")
                     .map((e) => e.className || e.tagName)"""
            )
            assert wide == []
            page.page.screenshot(path=screenshots / f"agent_{tab.lower()}_dark_{name}.png")
    tabs = page.page.get_by_role("tablist", name="Views")
    assert tabs.evaluate("(list) => list.scrollWidth <= list.clientWidth"), "all tabs are seen"
    assert "<b>all day</b>" in json.dumps(page.page.get_by_role("log").inner_text())


def test_the_transcript_follows_unless_somebody_scrolled_up(
    open_page: OpenPage, says: Callable[..., Path]
) -> None:
    page = open_page(says(agents.YOUNG_MAN), size=(1100, 900))
    agents.show_agent(page)
    field = page.page.get_by_role("textbox", name="Message")
    for n in range(14):
        field.fill(f"Message number {n}. " + "It has a few words more. " * 3)
        field.press("Enter")
    log = page.page.get_by_role("log")
    log.get_by_text("Message number 13").first.wait_for()
    page.wait_for("agent.settled().result(30)", timeout_s=40)
    page.wait_in_page(AT_END)
    log.hover()
    for _ in range(6):  # slowly, as a hand on a trackpad
        page.page.mouse.wheel(0, -4)
        page.page.wait_for_timeout(30)
    page.wait_in_page(f"() => !({AT_END})()")
    page.page.wait_for_timeout(300)  # the browser scrolls smoothly
    before = log.evaluate("(log) => log.scrollTop")
    field.fill("Please count to three")
    field.press("Enter")
    log.get_by_text("one, two, three", exact=False).wait_for()
    assert abs(log.evaluate("(log) => log.scrollTop") - before) <= 1
    page.page.get_by_role("tab", name="Settings", exact=True).click()
    page.page.get_by_role("tab", name="Transcript", exact=True).click()
    assert abs(log.evaluate("(log) => log.scrollTop") - before) <= 1, "where it was left"
    latest = page.page.get_by_role("button", name="Latest")
    latest.focus()
    page.page.keyboard.press("Enter")
    page.wait_in_page(AT_END)
    assert page.page.evaluate("document.activeElement.getAttribute('role')") == "log"
    field.fill("Please count to two")
    field.press("Enter")
    log.get_by_text("count to two").wait_for()
    page.wait_for("agent.settled().result(30)", timeout_s=40)
    page.wait_in_page(AT_END)
    page.page.get_by_role("tab", name="Settings", exact=True).click()
    agents.ask(page, "agent.say('Please count to four').result(20)")
    page.page.get_by_role("tab", name="Transcript", exact=True).click()
    page.wait_in_page(AT_END)
