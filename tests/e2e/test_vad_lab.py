"""The VAD lab in a real page: a voice at the microphone, settings dragged, counted, calibrated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from realtime_nb.audio.files import load_audio
from realtime_nb.commands.bench.lab_page import LabPage
from tests.paths import DATA

if TYPE_CHECKING:
    from tests.e2e.conftest import OpenPage

DEVICE_RATE = 44_100  # of Chromium's fake microphone
MAKE = """
import realtime_nb as rt
agent = rt.Agent("local", instructions="Be brief.", audio=rt.BrowserAudioSettings(
    echo_cancellation=False, noise_suppression=False, auto_gain_control=False))
lab = rt.VADLab(agent, ghosts={
    "eager": dict(silence_duration_ms=200), "patient": dict(silence_duration_ms=1500),
    "deaf": dict(threshold=0.99), "open": dict(threshold=0.2), "short": dict(prefix_padding_ms=0),
    "slow": dict(silence_duration_ms=800)})
"""

QUIET = "max(lab._subject.lab.frames(lab._subject.lab.frame_count - 32).probabilities) < 0.1"


def spoken(path: Path) -> Path:
    """Eight seconds of a quiet room, then six of speech, again and again."""
    room = np.random.default_rng(1).normal(0, 0.0006, 8 * DEVICE_RATE).astype(np.float32)
    names = ("cards_001.wav", "austen_0880.wav", "cards_002.wav")
    sound = np.concatenate([room, *(load_audio(DATA / name, DEVICE_RATE) for name in names)])
    soundfile.write(path, np.tile(sound, 12), DEVICE_RATE, subtype="PCM_16")
    return path


def count(page: LabPage, name: str) -> int:
    """How many turns a row of the scoreboard has."""
    row = page.page.locator(".rtnb-lab-scores tbody tr").filter(
        has=page.page.locator(".rtnb-lab-name", has_text=name)
    )
    return int(row.locator("td").first.inner_text())


def drag(page: LabPage, to_share: float) -> None:
    """Drags the threshold's line to a share of the curve's height, from below."""
    handle = page.page.get_by_role("slider", name="Threshold line")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box is not None
    value = float(handle.get_attribute("aria-valuenow") or "nan")
    x, y = box["x"] + box["width"] - 40, box["y"] + box["height"] / 2
    page.page.mouse.move(x, y)
    page.page.mouse.down()
    page.page.mouse.move(x, y + 72 * (value - to_share), steps=5)
    page.page.mouse.up()


@pytest.mark.timeout(240)
def test_settings_are_dragged_counted_labelled_and_calibrated(
    open_page: OpenPage, screenshots: Path, tmp_path: Path
) -> None:
    page = open_page(spoken(tmp_path / "voice.wav"), size=(1100, 1500))
    page.run(MAKE)
    page.show("agent")
    page.show("lab")
    to_do = page.page.locator(".rtnb-note:visible").filter(has_text="Press Connect, then Talk")
    to_do.wait_for()
    page.page.get_by_role("button", name="Talk", exact=True).click()
    to_do.wait_for(state="hidden")
    page.wait_for("len(lab.scores()) and lab.scores()['turns'].min() >= 1", 60)

    page.page.locator(".rtnb-lab canvas").focus()
    page.page.keyboard.press("m")
    page.page.locator(".rtnb-lab-scores th", has_text="false").wait_for()
    page.wait_for("lab.scores()['false_starts'].fillna(0)[0] == 1")
    page.page.locator(".rtnb-lab").screenshot(path=screenshots / "lab_labelled.png")

    drag(page, 1.2)  # over its end
    page.wait_for("agent.conversation.turn_detection['threshold'] == lab.config['threshold'] == 1")
    page.page.locator(".rtnb-lab-state", has_text="In force, confirmed by the server").wait_for()
    heard, ghosts = count(page, "server"), count(page, "eager")
    for _ in range(300):
        if count(page, "eager") > ghosts:
            break
        page.page.wait_for_timeout(100)
    assert count(page, "eager") > ghosts
    assert count(page, "server") <= heard + 1  # which was open when the threshold took force

    page.wait_for(QUIET, 40)
    page.page.get_by_role("button", name="Calibrate").click()
    use = page.page.get_by_role("button", name="Use it")
    use.wait_for(timeout=40_000)
    page.page.locator(".rtnb-lab").screenshot(path=screenshots / "lab_calibrated.png")
    use.click()
    page.wait_for("0 < agent.conversation.turn_detection['threshold'] < 1")
    page.run("agent.disconnect().result(20)")
    assert to_do.count() == 0  # the session that is over is still there to look at

    page.page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    page.page.set_viewport_size({"width": 530, "height": 1500})  # the cell has 400 px
    for theme, name in (("JupyterLab Light", "light"), ("JupyterLab Dark", "dark")):
        page.theme(theme)
        page.page.locator(".rtnb-lab").screenshot(path=screenshots / f"lab_narrow_{name}.png")
    board = page.page.locator(".rtnb-lab-scroll")
    assert board.evaluate("box => box.scrollWidth <= box.clientWidth")  # all of it is there
    page.page.get_by_role("columnheader", name="false").focus()
    page.page.locator(".rtnb-lab-board").get_by_text("false: ").wait_for()
