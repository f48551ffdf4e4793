"""Findings and static plots of a recording in JupyterLab, dark, and what is saved of them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime_nb.archive.recorder import Recorder
from realtime_nb.commands.bench.lab_page import Lab
from tests.e2e.conftest import OpenPage
from tests.scripted_session import LiveSession, three_turns

BUTTONS = "[...document.querySelectorAll('.rtnb-finding button')]"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    recorder = Recorder(tmp_path, {})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)
    return recorder.path


def test_findings_are_heard_and_saved_without_sound(
    open_page: OpenPage, lab: Lab, path: Path, screenshots: Path
) -> None:
    page = open_page(size=(1_100, 1_200))
    page.theme("JupyterLab Dark")
    page.run(f"import realtime_nb as rt\nrec = rt.load({str(path)!r})")
    page.show("rec.findings()")
    page.wait_in_page(f"{BUTTONS}.length > 0")
    page.page.locator(".rtnb-finding button").first.click()
    page.wait_in_page(f"{BUTTONS}[0].textContent === 'Stop'")
    page.page.screenshot(path=screenshots / "findings-in-lab-dark.png")
    page.wait_in_page(f"{BUTTONS}[0].textContent === 'Play'")
    page.show("rec.plot_timeline(turn=3);")
    page.wait_in_page("document.querySelector('.jp-OutputArea img')?.naturalWidth > 0")
    picture = page.page.locator(".jp-OutputArea img").last
    seen = np.asarray(Image.open(io.BytesIO(picture.screenshot())).convert("L"))
    assert np.median(seen) < 60  # no white block on the dark page
    page.page.screenshot(path=screenshots / "timeline-plot-in-lab-dark.png")
    page.save()
    name = page.page.url.rpartition("/")[2].partition("?")[0]
    saved = json.loads((lab.folder / name).read_text("utf-8"))
    text = json.dumps(saved)
    assert "data-realtime-nb-summary" in text
    assert "audio/" not in text
    assert len(text) < 400_000
