"""The longer tutorials after Run All, in the page: one talks to the panels that they leave."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from realtime_nb.commands.bench.lab_page import Lab
from tests.e2e.conftest import OpenPage
from tests.e2e.test_tutorials import assert_no_sound_in, run_all, saved, young_man

__all__ = ["young_man"]  # a fixture

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]


@pytest.mark.parametrize(
    "name", ["05_function_calling", "06_session_management", "08_turn_detection"]
)
def test_one_talks_to_the_panel_at_its_end(
    name: str, open_page: OpenPage, lab: Lab, young_man: Path, screenshots: Path
) -> None:
    page = open_page(young_man, size=(1100, 1500))
    run_all(page, lab, f"{name}.ipynb")
    panel = page.page.get_by_label("Voice agent").last
    panel.scroll_into_view_if_needed()
    panel.get_by_role("button", name="Talk", exact=True).click()
    said = panel.get_by_role("log")
    said.get_by_text(re.compile("young man", re.IGNORECASE)).first.wait_for(timeout=60_000)
    page.wait_for("agent.settled().result(30)", timeout_s=40)
    page.page.screenshot(path=screenshots / f"{name}.png")
    page.run("agent.close()")


def test_one_listens_to_the_recording_and_searches_its_events(
    open_page: OpenPage, lab: Lab, screenshots: Path
) -> None:
    page = open_page(size=(1100, 1500))
    place = run_all(page, lab, "09_recorded_sessions.ipynb")
    listen = page.page.get_by_role("button", name="Listen", exact=True).first
    listen.scroll_into_view_if_needed()
    listen.click()
    page.page.get_by_role("button", name="Pause", exact=True).first.click()
    page.page.screenshot(path=screenshots / "09_recorded_sessions.png")
    assert_no_sound_in(saved(page, place))
