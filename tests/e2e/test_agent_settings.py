"""The panel's settings in a real page: what is in force, what is pending, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from realtime_nb.commands.bench.lab_page import LabPage

if TYPE_CHECKING:
    from tests.e2e.conftest import OpenPage

UPDATES = (
    "import json\n"
    "print(json.dumps([line.event['session']['audio']['input'].get('turn_detection')"
    " for line in rt.load(agent.recording).raw_events()"
    " if line.event['type'] == 'session.update'"
    " and 'turn_detection' in line.event['session'].get('audio', {}).get('input', {})]))"
)
CHANGE_LATER = """
import threading, time
from pathlib import Path
def change():
    while not Path({go!r}).exists():
        time.sleep(0.01)
    agent.update(turn_detection=rt.ServerVAD())
threading.Thread(target=change, daemon=True).start()
"""


def open_settings(page: LabPage) -> None:
    page.run("import realtime_nb as rt\nagent = rt.Agent('local', turn_detection=rt.ServerVAD())")
    page.show("agent")
    page.page.get_by_role("button", name="Connect", exact=True).click()
    page.page.get_by_text("ready", exact=True).wait_for()
    page.page.get_by_role("tab", name="Settings", exact=True).click()


def a_setting_that_goes_hands_its_focus_on(page: LabPage, go: Path) -> None:
    """Code changes the kind while somebody types; the next keys are not the notebook's."""
    page.run(CHANGE_LATER.format(go=str(go)))
    page.page.get_by_label("Eagerness").focus()
    go.touch()
    page.page.get_by_label("Eagerness").wait_for(state="hidden")
    focused = page.page.evaluate("document.activeElement.ariaLabel")
    assert focused == "Turns end by"


def test_settings_are_in_force_pending_or_refused(
    open_page: OpenPage, screenshots: Path, tmp_path: Path
) -> None:
    page = open_page(size=(1100, 1100))
    open_settings(page)
    status = page.page.locator(".rtnb-settings-status")
    status.get_by_text("In force, confirmed by the server").wait_for()
    silence = page.page.get_by_role("slider", name="Silence")
    assert silence.input_value() == "500"  # asked for where nobody says
    silence.focus()
    for _ in range(6):
        page.page.keyboard.press("ArrowRight")
    assert silence.input_value() == "800"
    page.wait_for("agent.conversation.turn_detection['silence_duration_ms'] == 800")
    status.get_by_text("In force, confirmed by the server").wait_for()
    page.page.get_by_label("Turns end by").select_option(label="Semantic VAD")
    page.wait_for("agent.conversation.turn_detection['type'] == 'semantic_vad'")
    page.page.get_by_label("Eagerness").select_option("low")
    page.wait_for("agent.conversation.turn_detection['eagerness'] == 'low'")
    page.page.get_by_text("rt.SemanticVAD(eagerness='low')").wait_for()
    page.page.screenshot(path=screenshots / "settings_semantic.png")
    a_setting_that_goes_hands_its_focus_on(page, tmp_path / "go")
    page.page.get_by_label("Turns end by").select_option(label="Push-to-talk")
    page.wait_for("agent.conversation.turn_detection is None and agent.panel.push_to_talk")
    field = page.page.get_by_role("textbox", name="Message")
    field.fill("Please count to three")
    field.press("Enter")
    page.wait_for("agent.settled().result(30)", timeout_s=40)
    page.page.locator(".rtnb-settings select").first.select_option("sage")
    page.page.get_by_role("alert").filter(has_text="Press Disconnect, then Connect").wait_for()
    page.page.get_by_text("sage from the next session on").wait_for()
    canvas = page.page.locator("canvas").first
    assert "changed setting" in (canvas.get_attribute("aria-label") or "")
    page.page.screenshot(path=screenshots / "settings_refused.png")
    page.page.get_by_role("button", name="Disconnect", exact=True).click()
    page.page.get_by_role("button", name="Connect", exact=True).wait_for()
    asked = json.loads(page.run(UPDATES))
    assert [one and one["type"] for one in asked[1:]] == [
        *("server_vad", "semantic_vad", "semantic_vad", "server_vad", None)
    ]  # six presses of a key are one update
