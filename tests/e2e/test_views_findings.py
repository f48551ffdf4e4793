"""Findings in Chromium: what is seen, and what is heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.analysis.findings.evidence import Finding
from realtime_nb.analysis.findings.findings import Findings
from realtime_nb.recordings.recording import Recording
from realtime_nb.widgets.findings_view import FindingsView
from tests.e2e import view_pages
from tests.e2e.view_pages import EVIL, HARMLESS, Show, themed

browser, recording, show = view_pages.browser, view_pages.recording, view_pages.show

FOUND = [
    Finding("slow-answer", "error", 1, 3.0, 4.0, f"turn 1: {EVIL}.", {}, "Use another model."),
    Finding("clipping", "warning", None, 12.0, 12.5, "The microphone clips.", {}),
    Finding("no-cache", "note", None, float("nan"), float("nan"), "Nothing was cached."),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1_200, 400])
def test_findings_are_listened_to(
    show: Show, recording: Recording, screenshots: Path, theme: str, width: int
) -> None:
    widget = FindingsView(Findings(FOUND, recording=recording))
    view = show(widget, width=width, height=300, head=themed(theme))
    buttons = view.page.locator(".rtnb-finding button")
    view.until("document.querySelectorAll('.rtnb-finding').length === 3")
    assert buttons.count() == 2
    assert view.page.evaluate(HARMLESS)
    buttons.first.click()
    view.until("document.querySelector('.rtnb-finding button').textContent === 'Stop'")
    view.page.screenshot(path=screenshots / f"findings-{theme}-{width}.png")
    buttons.nth(1).click()
    view.until(
        "[...document.querySelectorAll('.rtnb-finding button')]"
        ".map((one) => one.textContent).join() === 'Play,Stop'"
    )
    # A second and a half is heard, then it ends by itself.
    view.until(
        "[...document.querySelectorAll('.rtnb-finding button')]"
        ".every((one) => one.textContent === 'Play')"
    )
    assert view.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
