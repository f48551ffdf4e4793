"""A page with an agent's panel, what is said into its microphone, and its buttons."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_nb.audio.files import load_audio
from realtime_nb.commands.bench.lab_page import LabPage
from tests.paths import DATA

DEVICE_RATE = 44_100  # of Chromium's fake microphone
YOUNG_MAN = "austen_0880.wav"  # he was not an ill disposed young man
AMIABLE = "austen_0930.wav"  # he might even have been made amiable himself


@pytest.fixture
def says(tmp_path: Path) -> Callable[..., Path]:
    """Writes a WAV for the microphone: a second of silence, then clips and seconds of silence."""

    def write(*parts: str | float) -> Path:
        pieces = [
            load_audio(DATA / part, DEVICE_RATE)
            if isinstance(part, str)
            else np.zeros(int(part * DEVICE_RATE), np.float32)
            for part in (1.0, *parts, 60.0)
        ]
        path = tmp_path / "microphone.wav"
        soundfile.write(path, np.concatenate(pieces), DEVICE_RATE, subtype="PCM_16")
        return path

    return write


def press(page: LabPage, name: str) -> None:
    page.page.get_by_role("button", name=name, exact=True).click()


def show_agent(page: LabPage, arguments: str = '"local"') -> None:
    page.run(f"import time\nimport realtime_nb as rt\nagent = rt.Agent({arguments})")
    page.show("agent")
    page.page.get_by_role("button", name="Talk", exact=True).wait_for()
    page.page.get_by_text("Nothing was said yet.").wait_for()


def connect(page: LabPage) -> None:
    press(page, "Connect")
    page.page.get_by_text("ready", exact=True).wait_for()


def wait_for_words(page: LabPage, *words: str) -> None:
    log = page.page.get_by_role("log")
    for word in words:
        log.get_by_text(re.compile(word, re.IGNORECASE)).first.wait_for(timeout=40_000)


def ask(page: LabPage, expression: str) -> object:
    """The value of an expression in the kernel, if JSON can say it."""
    return json.loads(page.run(f"import json; print(json.dumps({expression}))"))
