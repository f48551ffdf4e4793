"""The tutorial of events after Run All, in the page: its inspector can be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.commands.bench.lab_page import Lab
from tests.e2e.conftest import OpenPage
from tests.e2e.test_tutorials import run_all


@pytest.mark.timeout(240)
def test_run_all_of_the_tutorial_of_events_leaves_an_inspector_to_search_in(
    open_page: OpenPage, lab: Lab, screenshots: Path
) -> None:
    page = open_page(size=(1100, 1500))
    run_all(page, lab, "04_events.ipynb")
    events = page.page.get_by_label("Events", exact=True).last
    events.scroll_into_view_if_needed()
    page.page.screenshot(path=screenshots / "tutorial-4-after-run-all.png")
    page.page.get_by_label("Search events").last.fill("item.truncate")
    events.get_by_text("conversation.item.truncated").first.wait_for()
    page.page.screenshot(path=screenshots / "tutorial-4-searched.png")
    assert events.get_by_text("session.created").count() == 0
