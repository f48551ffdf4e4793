"""The agent's panel in Firefox: a voice at the microphone of a sound server, and its loudspeaker.

Needs Debian's firefox-esr, pulseaudio and pulseaudio-utils.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import pytest

from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.commands.bench.lab_page import Lab, LabPage
from realtime_nb.local.stt import load_stt
from tests.e2e.firefox import Firefox, SoundServer, firefox, running_firefox, running_sound
from tests.paths import DATA

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.firefox

YOUNG_MAN = DATA / "austen_0880.wav"  # he was not an ill disposed young man
AMIABLE = DATA / "austen_0930.wav"  # he might even have been made amiable himself

if firefox() is None or shutil.which("pulseaudio") is None or shutil.which("paplay") is None:
    pytest.skip("Firefox or PulseAudio is not installed", allow_module_level=True)

ALLOW = ("media.navigator.permission.disabled", True)
DENY = ("permissions.default.microphone", 2)

# What the page opened, and all that it ever complained of.
WATCH = """
globalThis.opened = [];
globalThis.complaints = [];
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await ask(wanted);
  opened.push(...stream.getTracks());
  return stream;
};
new MutationObserver(() => {
  for (const {textContent} of document.querySelectorAll(".rtnb-problem"))
    if (textContent && complaints.at(-1) !== textContent) complaints.push(textContent);
}).observe(document, {subtree: true, childList: true, characterData: true});
"""
READY = """async () => {
  const found = () => [...(globalThis.jupyterapp?.shell?.widgets("main") ?? [])]
    .find((widget) => widget.sessionContext);
  while (!found()) await new Promise((resolve) => setTimeout(resolve, 50));
  await jupyterapp.restored;
  const panel = found();
  jupyterapp.shell.activateById(panel.id);
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session?.kernel?.info;
}"""
STATE = "document.querySelector('.rtnb-panel-state')?.textContent"
TALK = "document.querySelector('[data-talk]')"
PANEL = "document.querySelector('.rtnb-panel')"


class Notebook(NamedTuple):
    """A notebook that shows an agent."""

    browser: Firefox
    cells: LabPage
    sound: SoundServer


OpenAgent = Callable[..., AbstractContextManager[Notebook]]


@pytest.fixture
def open_agent(lab: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> OpenAgent:
    """Shows an agent in a new notebook in a new Firefox."""

    @contextmanager
    def opened(*preferences: tuple[str, bool | int]) -> Iterator[Notebook]:
        name = lab.notebook(f"{request.node.originalname}.ipynb")
        with (
            running_sound(tmp_path / "sound") as sound,
            running_firefox(tmp_path / "profile", sound.environment, preferences) as browser,
        ):
            browser.at_start(WATCH)
            browser.goto(f"{lab.url}/lab/tree/{name}?reset")
            browser.evaluate(READY)
            # All that is used of a page here is evaluate().
            cells = LabPage(cast("Page", browser))
            cells.run("import realtime_nb as rt\nagent = rt.Agent('local')")
            cells.show("agent")
            browser.wait_for(f"{TALK} && document.querySelector('.rtnb-meter')?.offsetParent")
            try:
                yield Notebook(browser, cells, sound)
            finally:
                cells.shut_down_kernel()

    return opened


def button(name: str) -> str:
    found = f"find((one) => one.textContent === {json.dumps(name)})"
    return f"[...document.querySelectorAll('.rtnb-panel button')].{found}"


def connect(notebook: Notebook) -> None:
    notebook.browser.click(button("Connect"))
    notebook.browser.wait_for(f"['ready', 'listening'].includes({STATE})", 40)


def wait_for_words(notebook: Notebook, *words: str) -> None:
    for word in words:
        log = "document.querySelector('.rtnb-panel [role=log]').textContent.toLowerCase()"
        notebook.browser.wait_for(f"{log}.includes({json.dumps(word)})", 30)


def heard(path: Path) -> np.typing.NDArray[np.int16]:
    """What was recorded, from the first sound to the last."""
    pcm = np.frombuffer(path.read_bytes()[: path.stat().st_size // 2 * 2], "<i2")
    sound = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 2)
    return pcm[sound[0] : sound[-1] + 1] if len(sound) else pcm[:0]


def test_a_voice_goes_in_an_answer_comes_out_and_speech_stops_it(
    open_agent: OpenAgent, tmp_path: Path
) -> None:
    with open_agent(ALLOW) as notebook:
        browser, cells, sound = notebook
        connect(notebook)
        browser.click(button("Talk"))
        cells.wait_for("agent._audio.microphone.status == 'on'")
        # Firefox calls a context that is about to begin "suspended": nothing to be told.
        assert browser.evaluate("complaints") == []
        with sound.recorded(tmp_path / "heard"):
            sound.say(YOUNG_MAN)
            wait_for_words(notebook, "young man", "you said")
            browser.wait_for(f"{STATE} === 'speaking'")
            sound.say(AMIABLE)
            wait_for_words(notebook, "amiable himself")
            cells.wait_for("agent.settled().result(30)", timeout_s=40)
        facts = json.loads(
            cells.run(
                "import json\n"
                "answers = [item for item in agent.conversation.items.values()"
                " if item.role == 'assistant']\n"
                "print(json.dumps([answers[0].truncated_ms, answers[0].audio_ms,"
                " agent._audio.page_speaker.statistics.underruns]))"
            )
        )
        browser.click(button("Stop talking"))
        browser.wait_for("opened.every((track) => track.readyState === 'ended')")
    truncated_ms, audio_ms, underruns = facts
    pcm = heard(tmp_path / "heard")
    quiet = np.convolve(np.abs(pcm.astype(np.int32)) > 2, np.ones(SAMPLE_RATE // 2), "valid") < 0.5
    first_ms = float(np.flatnonzero(quiet)[0]) / SAMPLE_RATE * 1000
    print(f"heard {first_ms:.0f} ms of the first answer; {facts}")
    assert underruns == 0
    assert truncated_ms < audio_ms
    assert abs(first_ms - truncated_ms) <= 100
    words = load_stt("moonshine").transcribe(pcm.tobytes(), SAMPLE_RATE).lower()
    assert "you said" in words
    assert "amiable himself" in words


def test_keys_are_the_panels_own(open_agent: OpenAgent) -> None:
    with open_agent(ALLOW) as notebook:
        browser, cells, _ = notebook
        connect(notebook)
        for place in (PANEL, TALK):
            for name in (
                "Stop talking",
                "Talk",
            ):  # once a press: the key doesn't click the button, too
                browser.evaluate(f"() => {{ {place}.focus(); }}")
                browser.press("Space")
                cells.wait_for(f"agent.panel.talking is {name == 'Stop talking'}")
                browser.wait_for(f"{TALK}.textContent === '{name}'")
        assert browser.evaluate("opened.length") == 2
        browser.click(button("Settings"))
        slider = "document.querySelector('.rtnb-panel [aria-label=Silence]')"
        browser.evaluate(f"() => {{ {slider}.focus(); }}")
        browser.press("ArrowRight", "ArrowRight")
        cells.wait_for("agent.conversation.turn_detection['silence_duration_ms'] == 600")
        # In a notebook, letters cut cells and insert some; in a list, they choose.
        count = "jupyterapp.shell.currentWidget.content.model.sharedModel.cells.length"
        before = browser.evaluate(count)
        voices = "document.querySelector('.rtnb-panel .rtnb-settings-wide select')"
        browser.evaluate(f"() => {{ {voices}.focus(); }}")
        browser.press("b")
        browser.wait_for(f"{voices}.value === 'ballad'")
        assert browser.evaluate(count) == before


def test_why_there_is_no_microphone_stays_told(open_agent: OpenAgent) -> None:
    with open_agent(DENY) as notebook:
        browser, cells, _ = notebook
        browser.click(button("Talk"))  # which connects, too
        cells.wait_for("agent.connected and not agent.panel.talking")
        cells.wait_for("agent._audio.microphone.status == 'denied'")
        # Whoever stops the microphone now: there is nothing to stop, and the reason is still true.
        cells.run("agent._audio.microphone.stop()\nagent._audio.microphone.selftest()")
        told = "document.querySelector('.rtnb-panel .rtnb-problem').textContent"
        assert "does not let this page" in browser.evaluate(told)
        assert browser.evaluate(f"{TALK}.textContent") == "Talk"
