"""What the panel shows once a session is over: its recording, the line to copy, its report."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from realtime_nb.commands.bench.lab_page import LabPage

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.e2e.conftest import OpenPage

ODD = 'it\'s my "odd" \\n folder 日本'
WIDE = """() => [...document.querySelectorAll(".rtnb-panel, .rtnb-panel *")]
  .filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1
    && getComputedStyle(e).overflowX === "visible")
  .map((e) => e.className || e.tagName)"""


def press(page: LabPage, name: str) -> None:
    page.page.get_by_role("button", name=name, exact=True).click()


def talk(page: LabPage, arguments: str = "'local'") -> None:
    """An agent that has answered a typed message."""
    page.run(f"import realtime_nb as rt\nagent = rt.Agent({arguments})")
    page.show("agent")
    press(page, "Connect")
    page.page.get_by_text("ready", exact=True).wait_for()
    say(page, "What can you do?")


def say(page: LabPage, words: str) -> None:
    field = page.page.get_by_role("textbox", name="Message")
    field.fill(words)
    field.press("Enter")
    page.wait_for("agent.settled().result(30)", timeout_s=40)


def last(page: LabPage) -> Locator:
    return page.page.get_by_role("region", name="Last session")


def run_copied(page: LabPage, text: str) -> None:
    """Pastes the line into a cell and runs it."""
    assert text.startswith('rec = rt.load("')
    page.run(text)
    assert page.run("print(rec.complete, rec.path == agent.recording)").strip() == "True True"


def test_after_disconnect_the_line_is_copied_and_gives_the_recording(open_page: OpenPage) -> None:
    page = open_page()
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    talk(page, f"'local', record={ODD!r}")
    assert last(page).is_hidden()
    press(page, "Disconnect")
    last(page).wait_for()
    last(page).get_by_text("Recorded: a session of").wait_for()
    assert ODD in last(page).inner_text()
    end_s = int(page.run("print(agent.timeline._now_s)").partition(".")[0])
    whole = f"Timeline, 0:00 to 0:{end_s:02d}:"
    page.page.wait_for_function(
        "(whole) => document.querySelector('canvas').ariaLabel.startsWith(whole)", arg=whole
    )
    assert not page.page.get_by_role("button", name="Live", exact=True).is_visible()
    last(page).get_by_role("button", name="Copy").click()
    last(page).get_by_text("Copied").wait_for()
    run_copied(page, page.page.evaluate("() => navigator.clipboard.readText()"))
    press(page, "Connect")
    page.page.get_by_text("ready", exact=True).wait_for()
    assert last(page).is_hidden()


def test_the_report_is_written_and_opened(open_page: OpenPage) -> None:
    page = open_page()
    talk(page, "'local', record='my recordings #1'")
    press(page, "Disconnect")
    press(page, "Report")
    last(page).get_by_text("Writing the report").wait_for()
    link = last(page).get_by_role("link", name="report.html")
    link.wait_for(timeout=40_000)
    # The button was off meanwhile.
    assert page.page.evaluate("document.activeElement.matches('.rtnb-panel')"), "focus stays here"
    with page.page.context.expect_page() as opened:
        link.click()
    report = opened.value
    report.get_by_role("heading", level=1).wait_for()
    assert "What can you do?" in report.locator("body").inner_text()
    report.close()
    page.run("import shutil; _ = shutil.move(agent.recording, 'elsewhere')")
    press(page, "Report")
    last(page).get_by_text("The recording is no longer at").wait_for(timeout=40_000)
    assert last(page).get_by_role("link").count() == 0


@pytest.mark.parametrize("how", ["server", "hang_up"])
def test_a_session_that_ends_by_itself_shows_it_too(open_page: OpenPage, how: str) -> None:
    page = open_page()
    page.run(
        "import realtime_nb as rt\n"
        "from realtime_nb.agent.io_thread import io_thread\n"
        "server = io_thread().run(rt.serve().__aenter__()).result(20)"
    )
    talk(page, "server.url, api_key=server.token, record='by itself'")
    if how == "server":
        page.run(  # on purpose: what is lost leaves a recording that is not complete
            "for connection in list(server._connections):\n"
            "    io_thread().run(connection._socket.close(1000, 'Enough.')).result(20)"
        )
    else:
        page.run("agent.session.hang_up()")
    last(page).wait_for()
    page.page.get_by_role("alert").filter(has_text="Press Connect for a new").wait_for()
    run_copied(page, last(page).locator("code").first.inner_text())


def test_what_was_not_recorded_says_so(open_page: OpenPage) -> None:
    page = open_page()
    talk(page, "'local', record=None")
    press(page, "Disconnect")
    last(page).get_by_text("Not recorded: a session of").wait_for()
    for name in ("Copy", "Report"):
        assert last(page).get_by_role("button", name=name).count() == 0


def test_how_it_looks_after_disconnect(open_page: OpenPage, screenshots: Path) -> None:
    page = open_page(size=(1300, 1000))
    page.page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    talk(page)
    say(page, "And what else?")
    press(page, "Disconnect")
    last(page).wait_for()
    page.page.screenshot(path=screenshots / "after_light.png")
    press(page, "Report")
    last(page).get_by_role("link", name="report.html").wait_for(timeout=40_000)
    page.theme("JupyterLab Dark")
    page.page.screenshot(path=screenshots / "after_dark.png")
    for width in (1300, 530):  # the cell has 400 px then
        page.page.set_viewport_size({"width": width, "height": 1000})
        for tab in ("Transcript", "Settings"):
            page.page.get_by_role("tab", name=tab, exact=True).click()
            assert page.page.evaluate(WIDE) == []
            path = screenshots / f"after_{width}_{tab.lower()}.png"
            page.page.locator(".rtnb-panel").screenshot(path=path)
    folder = str(page.run("print(agent.recording)")).strip()
    os.rename(folder, folder + " moved")
    press(page, "Report")
    last(page).get_by_text("The recording is no longer at").wait_for(timeout=40_000)
    page.page.locator(".rtnb-panel").screenshot(path=screenshots / "after_530_failed.png")
