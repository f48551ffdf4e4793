"""The tutorials after Run All, in the page: what one can do then, and what their files hold."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_nb.audio.files import load_audio
from realtime_nb.commands.bench.lab_page import Lab, LabPage, wait_for_notebook
from tests.e2e.conftest import OpenPage
from tests.paths import DATA, ROOT

DEVICE_RATE = 44_100  # of Chromium's fake microphone
RUN_ALL = "() => jupyterapp.commands.execute('notebook:run-all-cells')"
ERRORS = """
() => jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells
  .flatMap((cell) => cell.outputs ?? []).filter((output) => output.output_type === "error")
"""

LISTEN = "//button[.='Listen'][not(ancestor::*[@aria-label='Voice agent'])]"
"""That of the timeline below the recording; panels have timelines, too."""


@pytest.fixture
def young_man(tmp_path: Path) -> Path:
    """A microphone's second of silence, a sentence, and a minute of silence."""
    quiet = np.zeros(DEVICE_RATE, np.float32)
    voice = load_audio(DATA / "austen_0880.wav", DEVICE_RATE)
    path = tmp_path / "microphone.wav"
    soundfile.write(path, np.concatenate([quiet, voice, np.tile(quiet, 60)]), DEVICE_RATE)
    return path


def run_all(page: LabPage, lab: Lab, name: str) -> Path:
    """Opens a tutorial in the page and runs all of its cells, none of which may fail."""
    place = lab.folder / name
    place.write_bytes((ROOT / "notebooks" / name).read_bytes())
    page.shut_down_kernel()
    page.page.goto(f"{lab.url}/lab/tree/{name}?reset")
    wait_for_notebook(page.page)
    page.page.evaluate(RUN_ALL)
    assert page.page.evaluate(ERRORS) == []
    return place


def saved(page: LabPage, place: Path) -> str:
    page.save()
    page.wait_in_page("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    return place.read_text(encoding="utf-8")


@pytest.mark.timeout(240)
def test_run_all_of_the_first_tutorial_leaves_a_panel_to_talk_to(
    open_page: OpenPage, lab: Lab, young_man: Path, screenshots: Path
) -> None:
    page = open_page(young_man, size=(1100, 1500))
    place = run_all(page, lab, "01_first_conversation.ipynb")
    listen = page.page.locator(LISTEN)
    listen.scroll_into_view_if_needed()
    listen.click()
    pause = page.page.get_by_role("button", name="Pause", exact=True)
    pause.wait_for()
    page.page.screenshot(path=screenshots / "tutorial-1-listening.png")
    pause.click()
    assert_no_sound_in(saved(page, place))

    panel = page.page.get_by_label("Voice agent").last  # at the end, where Run All leaves one
    panel.scroll_into_view_if_needed()
    said = panel.get_by_role("log")
    assert said.get_by_text(re.compile("young man")).count() == 0
    panel.get_by_role("button", name="Talk", exact=True).click()
    said.get_by_text(re.compile("young man", re.IGNORECASE)).first.wait_for(timeout=30_000)
    page.wait_for("agent.settled().result(30)", timeout_s=40)
    assert (
        json.loads(page.run("import json; print(json.dumps(agent.conversation.transcript()))"))[-1][
            0
        ]
        == "assistant"
    )
    page.page.screenshot(path=screenshots / "tutorial-1-after-run-all.png")

    page.run("agent.close()")
    index = page.show("agent")
    (output,) = page.outputs(index)
    text = "".join(output["data"]["text/plain"])
    assert text.count("Make a new one") == 1
    assert "Run the cell" not in text


def assert_no_sound_in(file: str) -> None:
    assert "audio" not in {
        kind.partition("/")[0]
        for cell in json.loads(file)["cells"]
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    }
    assert "<audio" not in file
    assert len(file) < 400_000  # the pictures; with its sound it was 2.6 MB


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["00_index", "02_the_connection"])
def test_run_all_of_what_has_no_panel(
    name: str, open_page: OpenPage, lab: Lab, screenshots: Path
) -> None:
    page = open_page(size=(1100, 1500))
    place = run_all(page, lab, f"{name}.ipynb")
    page.page.screenshot(path=screenshots / f"{name}.png")

    assert_no_sound_in(saved(page, place))
