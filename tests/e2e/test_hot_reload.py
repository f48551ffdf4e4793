"""Files of a copy of the package are saved while its widgets are on a page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenPage
from tests.paths import ROOT

OF_A_COPY = """
import os, sys
os.environ["ANYWIDGET_HMR"] = "1"
sys.path.insert(0, {copy!r})
import realtime_nb as rt
assert rt.__file__.startswith({copy!r})
agent = rt.Agent("local")
"""


@pytest.mark.long
def test_saved_code_and_styles_are_on_the_page_and_the_conversation_goes_on(
    open_page: OpenPage, tmp_path: Path, screenshots: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "realtime_nb", copy / "realtime_nb")

    def save(name: str, old: str, new: str) -> None:
        file = copy / "realtime_nb" / "widgets" / name
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    page = open_page(size=(1100, 900))
    page.run(OF_A_COPY.format(copy=str(copy)))
    page.show("agent")
    page.show("agent.transcript")  # once more, by itself
    page.page.get_by_role("button", name="Connect", exact=True).click()
    page.page.get_by_text("ready", exact=True).wait_for()
    page.page.get_by_role("textbox", name="Message").fill("My name is Ada.")
    page.page.keyboard.press("Enter")
    page.wait_for("agent.settled(60).result(70)", timeout_s=80)
    page.run("session = agent.session")

    save("transcript.js", '"aria-label": "Transcript"', '"aria-label": "Saved words"')
    for place in (page.page.locator(".rtnb-panel"), page.page):
        log = place.get_by_role("log", name="Saved words").last
        log.get_by_text("My name is Ada.").wait_for()

    save("agent_panel.css", ".rtnb-panel {", ".rtnb-panel { outline: 3px solid rgb(0, 128, 128);")
    page.wait_in_page(
        "getComputedStyle(document.querySelector('.rtnb-panel')).outlineColor == 'rgb(0, 128, 128)'"
    )

    save("agent_panel.js", "export default", "nonsense (; export default")
    page.page.locator(".rtnb-panel").wait_for(state="detached")
    save("agent_panel.js", "nonsense (; export", "export")
    save("agent_panel.js", 'const talk = button("Talk"', 'const talk = button("Talk to it"')
    save("agent_panel.js", ': "Talk");', ': "Talk to it");')
    panel = page.page.locator(".rtnb-panel")
    panel.get_by_role("button", name="Talk to it", exact=True).wait_for()
    panel.get_by_role("log").get_by_text("My name is Ada.").wait_for()

    panel.get_by_role("textbox", name="Message").fill("Are you still there?")
    page.page.keyboard.press("Enter")
    panel.get_by_role("log").get_by_text("Are you still there?").first.wait_for()
    page.page.screenshot(path=screenshots / "hot_reload.png")
    assert page.run("print(agent.session is session)") == "True\n"
    page.run("agent.close()")
