"""Takes the README's pictures of panel and lab: a real JupyterLab, Chromium, and recorded speech.

``python scripts/take_pictures.py`` writes panel-light.png, panel-dark.png, lab-light.png,
lab-dark.png and panel.webp, the conversation as it comes, into docs/pictures. Look at them before
you commit them.
"""

from __future__ import annotations

import tempfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import Locator

from realtime_nb.audio.files import load_audio
from realtime_nb.commands.bench.browser import open_browser, start_playwright
from realtime_nb.commands.bench.lab_page import LabPage, open_notebook, running_lab

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SPOKEN = ("austen_0930.wav", 4.0, "cards_005.wav", 60.0)
DEVICE_RATE = 44_100
MOST_BYTES = 150_000
MOST_ANIMATED_BYTES = 1_000_000
FRAMES_PER_S = 2.0
AGENT = """\
import realtime_nb as rt

def opening_hours(day: str) -> str:
    "Says when the practice is open."
    return f"{day}: 9:00 to 17:00"

agent = rt.Agent("local", tools=[opening_hours], instructions="You are a receptionist.")
"""
LAB = """\
rec = rt.samples("cut_short")
lab = rt.VADLab(rec, ghosts={"patient": rt.ServerVAD(silence_duration_ms=900)})
"""


def microphone(path: Path) -> Path:
    """Writes what is said into the page's microphone."""
    pieces = [
        load_audio(ROOT / "tests" / "data" / part, DEVICE_RATE)
        if isinstance(part, str)
        else np.zeros(int(part * DEVICE_RATE), np.float32)
        for part in (1.0, *SPOKEN)
    ]
    soundfile.write(path, np.concatenate(pieces), DEVICE_RATE, subtype="PCM_16")
    return path


def small(picture: bytes, path: Path) -> None:
    """Writes a screenshot with 256 colours, which shows none of it otherwise."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")
    assert path.stat().st_size <= MOST_BYTES


def watch(panel: Locator, words: str, frames: list[bytes], longest_s: float = 40.0) -> None:
    """Takes frames of the panel until it shows some words."""
    ends_s = time.monotonic() + longest_s
    while words.lower() not in panel.inner_text().lower():
        assert time.monotonic() < ends_s, f"{words!r} was not shown within {longest_s:.0f} s"
        frames.append(panel.screenshot())
        time.sleep(1 / FRAMES_PER_S)
    frames.append(panel.screenshot())


def animate(frames: list[bytes], path: Path) -> None:
    """Writes frames as an animation that stays on its last picture for a while."""
    images = [Image.open(BytesIO(frame)).convert("RGB") for frame in frames]
    size = (images[0].width, max(image.height for image in images))
    shown = []
    for image in images:  # the panel grows while they talk
        page = Image.new("RGB", size, "white")
        page.paste(image)
        shown.append(page.resize((size[0] * 3 // 4, size[1] * 3 // 4)))
    durations = [int(1000 / FRAMES_PER_S)] * (len(shown) - 1) + [3_000]
    shown[0].save(
        path,
        save_all=True,
        append_images=shown[1:],
        duration=durations,
        loop=0,
        quality=60,
        method=4,
    )
    print(f"{path.relative_to(ROOT)}: {len(shown)} frames, {path.stat().st_size / 1000:.0f} kB")
    assert path.stat().st_size <= MOST_ANIMATED_BYTES


def talk(page: LabPage) -> tuple[Locator, list[bytes]]:
    """Has a conversation in the panel; returns it, and frames of how it went."""
    page.page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    page.run(AGENT)
    page.show("agent")
    panel = page.page.locator(".rtnb-panel").first

    def press(name: str) -> None:
        page.page.get_by_role("button", name=name, exact=True).click()

    page.page.get_by_role("button", name="Talk", exact=True).wait_for()
    press("Connect")
    page.page.get_by_text("ready", exact=True).wait_for()
    frames: list[bytes] = []
    press("Talk")
    watch(panel, "amiable", frames)
    watch(panel, "spades", frames)
    press("Stop talking")
    page.page.get_by_role("textbox", name="Message").fill("What are your opening hours on Monday?")
    press("Send")
    watch(panel, "9:00", frames)
    time.sleep(1)
    return panel, frames


def open_lab(page: LabPage) -> Locator:
    """Shows a recording in the lab, with all that it counts."""
    page.page.set_viewport_size({"width": 1000, "height": 1300})  # all of it at once
    page.run(LAB)
    page.show("lab")
    lab = page.page.locator(".rtnb-lab")
    lab.locator(".rtnb-lab-name", has_text="patient").wait_for()
    time.sleep(1)  # the waves are drawn after the counts
    return lab


def main() -> None:
    """Takes all of them."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, start_playwright() as playwright:
        folder = Path(name)
        with (
            running_lab(folder) as lab,
            open_browser(playwright, microphone(folder / "microphone.wav")) as browser,
        ):
            notebook = lab.notebook("panel.ipynb")
            page = open_notebook(browser, lab, notebook, "127.0.0.1", (1000, 900))
            panel, frames = talk(page)
            small(panel.screenshot(), PICTURES / "panel-light.png")
            lab = open_lab(page)
            small(lab.screenshot(), PICTURES / "lab-light.png")
            page.theme("JupyterLab Dark")
            small(lab.screenshot(), PICTURES / "lab-dark.png")
            small(panel.screenshot(), PICTURES / "panel-dark.png")
            animate(frames, PICTURES / "panel.webp")
            page.shut_down_kernel()


if __name__ == "__main__":
    main()
