"""Sound between a page and its kernel, in a real JupyterLab with a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from realtime_nb.audio.files import load_audio
from realtime_nb.commands.bench.lab_page import Lab, LabPage, wait_for_notebook
from tests.e2e.conftest import OpenPage
from tests.paths import DATA

Samples = npt.NDArray[np.float64]

DEVICE_RATE = 44_100  # of Chromium's fake microphone: a file at this rate passes it unchanged
RAW = "echo_cancellation=False, noise_suppression=False, auto_gain_control=False"
WIDGETS = f"""
import threading, time
import numpy as np
from realtime_nb.widgets.microphone import Microphone
from realtime_nb.widgets.speaker import SpeakerWidget
chunks, problems, reports = [], [], []
microphone = Microphone(
    lambda pcm, captured_s: chunks.append((microphone._next_position - len(pcm) // 2, pcm)),
    problems.append,
    {RAW},
)
speaker = SpeakerWidget(reports.append, gate=microphone)
"""


def speech_with_noise(seconds: float) -> Samples:
    """Recorded speech over steady noise, so that every stretch of it can be told from any other."""
    pieces = [load_audio(path, DEVICE_RATE) for path in sorted(DATA.glob("austen_*.wav"))]
    speech = np.concatenate(pieces).astype(np.float64)
    speech = np.resize(speech, int(seconds * DEVICE_RATE))
    white = np.random.default_rng(5).standard_normal(len(speech) + 7)
    noise = 0.02 * np.convolve(white, np.hanning(8), "valid")  # little above 8 kHz
    silence = np.zeros(DEVICE_RATE)
    return np.concatenate([silence, 0.5 * speech + noise[: len(speech)], silence])


@pytest.fixture
def spoken(tmp_path: Path) -> Callable[[float], Path]:
    """Writes a WAV for the microphone of so many seconds."""

    def write(seconds: float) -> Path:
        path = tmp_path / "microphone.wav"
        soundfile.write(path, speech_with_noise(seconds), DEVICE_RATE, subtype="PCM_16")
        return path

    return write


def show_widgets(page: LabPage) -> None:
    page.run(WIDGETS)
    page.show("display(microphone, speaker)")
    page.page.get_by_role("button", name="Talk").wait_for()
    page.page.get_by_text("Speaker", exact=True).wait_for()


@pytest.mark.alone
def test_what_is_played_is_counted_and_a_flush_tells_where_it_stopped(open_page: OpenPage) -> None:
    page = open_page()
    show_widgets(page)
    page.run("tone = (3000 * np.sin(np.arange(24000) / 8)).astype('<i2').tobytes()")
    page.run("for i in range(0, len(tone), 1920): speaker.write('one', tone[i:i + 1920])")
    page.run("speaker.end('one')")
    page.wait_for("any(r['kind'] == 'finished' for r in reports)")
    kinds = json.loads(page.run("import json; print(json.dumps(reports))"))
    assert [r["kind"] for r in kinds if r["kind"] != "progress"] == ["started", "finished"]
    assert kinds[-1]["played_samples"] == 24000
    took_ms = (kinds[-1]["page_time_ms"] - kinds[0]["page_time_ms"]) / 1000
    assert 0.9 < took_ms < 1.2

    page.run("for _ in range(10): speaker.write('two', tone)")
    page.wait_for("speaker.played_ms('two') >= 1000")
    page.run("began = time.perf_counter(); told = speaker.flush().result(5)")
    page.run("took_ms = (time.perf_counter() - began) * 1000")
    told, playing, statistics = json.loads(
        page.run("print(json.dumps([told, speaker.playing, speaker.statistics.underruns]))")
    )
    assert [item for item, _ in told] == ["two"]
    assert 1000 <= told[0][1] < 2000
    assert playing is False
    assert statistics == 0
    page.run("speaker.write('two', tone); speaker.write('three', tone); speaker.end('three')")
    page.wait_for("reports[-1]['kind'] == 'finished' and reports[-1]['item_id'] == 'three'")
    assert page.run("print(reports[-1]['played_samples'])").strip() == "24000"
    lost = json.loads(
        page.run("print(json.dumps([r for r in reports if r['kind'] == 'unplayed']))")
    )
    assert [(r["item_id"], r["unplayed_samples"]) for r in lost] == [("two", 24000)]


@pytest.mark.alone
def test_playback_goes_on_while_a_cell_computes(open_page: OpenPage) -> None:
    page = open_page()
    show_widgets(page)
    page.run(
        """
def speak():
    began = time.monotonic()
    for i in range(60):  # as a model that is 0.3 s ahead
        speaker.write("answer", bytes(4800))
        time.sleep(max(0, began + (i - 2) * 0.1 - time.monotonic()))
    speaker.end("answer")
speaking = threading.Thread(target=speak); speaking.start()
until = time.monotonic() + 7
while time.monotonic() < until: sum(range(1000))
over = [r["kind"] for r in reports]"""
    )
    assert page.run("print(over[-1], speaker.statistics.underruns)").strip() == "finished 0"


def test_sound_that_the_browser_holds_back_waits_for_a_press(open_page: OpenPage) -> None:
    page = open_page()
    show_widgets(page)
    page.run("speaker.write('one', bytes(48000 * 5))")
    page.wait_for("speaker.playing")
    page.page.evaluate("() => opened.contexts[0].suspend()")
    page.page.get_by_role("alert").filter(has_text="until you press something").wait_for()
    page.wait_for("speaker.status == 'suspended'")
    told = page.run("print(speaker.flush().result(2))")
    assert "'one'" in told
    page.run("speaker.write('two', bytes(48000)); speaker.end('two')")
    page.page.get_by_role("button", name="Allow sound").click()
    page.wait_for("reports[-1]['kind'] == 'finished' and reports[-1]['item_id'] == 'two'")
    page.wait_for("speaker.status == 'ready' and speaker.error == ''")


def test_speech_lowers_the_speaker_in_the_page(
    open_page: OpenPage, spoken: Callable[[float], Path]
) -> None:
    page = open_page(spoken(10))
    show_widgets(page)
    page.run("speaker.write('answer', bytes(48000 * 20))")
    page.wait_for("speaker.playing")
    assert page.page.get_by_text("lowered").count() == 0
    page.page.get_by_role("button", name="Talk").click()
    page.page.get_by_text("playing, lowered").wait_for()


def test_shown_twice_there_is_one_microphone(
    open_page: OpenPage, spoken: Callable[[float], Path]
) -> None:
    page = open_page(spoken(10))
    show_widgets(page)
    page.show("display(microphone)")
    buttons = page.page.get_by_role("button", name="Talk")
    page.wait_in_page("() => document.querySelectorAll('.rtnb-main').length === 2")
    buttons.last.click()
    page.wait_for("len(chunks) > 5")
    assert page.page.get_by_role("button", name="Stop talking").count() == 2
    assert page.page.evaluate("[opened.tracks.length, opened.contexts.length]") == [1, 1]
    page.page.get_by_role("button", name="Stop talking").first.click()
    page.wait_in_page("() => opened.tracks.every((track) => track.readyState === 'ended')")
    page.wait_for("microphone.status == 'off'")


def test_a_reloaded_page_takes_over(open_page: OpenPage, spoken: Callable[[float], Path]) -> None:
    page = open_page(spoken(20))
    show_widgets(page)
    page.page.get_by_role("button", name="Talk").click()
    page.wait_for("len(chunks) > 5")
    page.run("speaker.write('answer', bytes(48000 * 30))")
    page.wait_for("speaker.played_ms('answer') > 500")
    page.run("first = microphone.page")
    page.save()
    page.page.reload()
    page = wait_for_notebook(page.page)
    page.page.get_by_role("button", name="Talk").wait_for()
    page.wait_for("microphone.page not in (None, first) and microphone.status == 'off'")
    page.wait_for("speaker.page is not None and reports[-1]['kind'] == 'unplayed'")
    page.run("chunks.clear(); speaker.write('answer', bytes(48000)); speaker.end('answer')")
    page.wait_for("reports[-1]['kind'] == 'finished'")
    assert str(31 * 24000) == page.run("print(reports[-1]['played_samples'])").strip()
    page.page.get_by_role("button", name="Talk").click()
    page.wait_for("len(chunks) > 5 and chunks[0][0] == 0")


@pytest.mark.parametrize("how", ["restarted", "killed", "shut down"])
def test_the_microphone_goes_off_with_its_kernel(
    open_page: OpenPage, spoken: Callable[[float], Path], how: str
) -> None:
    page = open_page(spoken(20))
    show_widgets(page)
    page.page.get_by_role("button", name="Talk").click()
    page.wait_for("len(chunks) > 5")
    page.run("speaker.write('answer', bytes(48000 * 30))")
    page.wait_for("speaker.playing")
    session = "jupyterapp.shell.currentWidget.sessionContext"
    if how == "restarted":
        page.page.evaluate(f"() => {session}.session.kernel.restart()")
    elif how == "killed":
        page.start("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    else:
        page.page.evaluate(f"() => {session}.shutdown()")
    page.wait_in_page("() => opened.tracks.every((track) => track.readyState === 'ended')")
    page.wait_in_page("() => opened.contexts.every((context) => context.state === 'closed')")


def test_without_its_view_the_microphone_goes_off(
    open_page: OpenPage, spoken: Callable[[float], Path]
) -> None:
    page = open_page(spoken(20))
    page.run(WIDGETS)
    index = page.show("display(microphone)")
    talk = page.page.get_by_role("button", name="Talk", exact=True)
    talk.click()
    page.wait_for("len(chunks) > 5")
    active = "jupyterapp.shell.currentWidget.content.activeCellIndex"
    run = "jupyterapp.commands.execute('notebook:{}-cell-outputs')"
    page.page.evaluate(f"(index) => {{ {active} = index; return {run.format('hide')}; }}", index)
    page.wait_in_page("() => opened.tracks.every((track) => track.readyState === 'ended')")
    page.wait_for("microphone.status == 'off'")
    page.page.evaluate(f"(index) => {{ {active} = index; return {run.format('show')}; }}", index)
    talk.click()
    page.wait_for("microphone.status == 'on'")
    page.page.evaluate(
        "(index) => jupyterapp.shell.currentWidget.content.widgets[index].outputArea.model.clear()",
        index,
    )
    page.wait_in_page("() => opened.tracks.every((track) => track.readyState === 'ended')")
    page.wait_for("microphone.status == 'off'")


@pytest.mark.parametrize(
    ("status", "words", "options"),
    [
        ("denied", "Allow it beside the page's address", {"allow": False, "fake": True}),
        ("missing", "There is no microphone", {}),
        ("insecure", "https:// or from localhost", {"host": "insecure.test"}),
    ],
)
def test_why_there_is_no_microphone_is_said_in_words(
    open_page: OpenPage, status: str, words: str, options: dict[str, object]
) -> None:
    flags = ["--use-fake-device-for-media-stream"] if options.get("fake") else []
    host = str(options.get("host", "127.0.0.1"))
    page = open_page(allow=bool(options.get("allow", True)), flags=flags, host=host)
    page.run(WIDGETS)
    page.show("display(microphone, speaker)")
    page.page.get_by_role("button", name="Talk").click()
    page.page.get_by_role("alert").filter(has_text=words).wait_for()
    page.wait_for(f"microphone.status == {status!r} and problems == [microphone.error]")
    if status == "insecure":
        page.run("speaker.write('answer', bytes(48000))")
        page.wait_for("speaker.status == 'insecure' and 'https://' in speaker.error")


def test_an_unplugged_and_a_silent_microphone_are_told(open_page: OpenPage, tmp_path: Path) -> None:
    wav = tmp_path / "silence.wav"
    soundfile.write(wav, np.zeros(DEVICE_RATE * 30), DEVICE_RATE, subtype="PCM_16")
    page = open_page(wav)
    show_widgets(page)
    page.page.get_by_role("button", name="Talk").click()
    page.page.get_by_role("alert").filter(has_text="nothing but silence").wait_for(timeout=15000)
    page.wait_for("microphone.status == 'on' and 'silence' in problems[-1]")
    page.page.evaluate("() => opened.tracks[0].dispatchEvent(new Event('ended'))")
    page.page.get_by_role("alert").filter(has_text="unplugged").wait_for()
    page.wait_for("microphone.status == 'ended' and 'unplugged' in problems[-1]")


def test_muted_it_delivers_silence_and_settings_come_back(
    open_page: OpenPage, spoken: Callable[[float], Path]
) -> None:
    page = open_page(spoken(20))
    show_widgets(page)
    page.page.get_by_role("button", name="Talk").click()
    page.wait_for("any(np.frombuffer(c[1], '<i2').any() for c in chunks)")
    page.page.get_by_role("button", name="Mute mic").click()
    page.wait_for(
        "microphone.muted and not any(np.frombuffer(c[1], '<i2').any() for c in chunks[-5:])"
    )
    page.run("microphone.muted = False")
    page.wait_in_page("() => document.querySelector('[aria-pressed=false]') !== null")
    page.page.get_by_text("Microphone settings").click()
    page.page.get_by_label("Noise suppression").check()
    page.wait_for(
        "microphone.applied.get('noise_suppression') is True and microphone.status == 'on'"
    )
    page.run("microphone.chunk_ms = 100")
    page.wait_for("len(chunks[-1][1]) == 4800")
    ids = json.loads(
        page.run("import json; print(json.dumps([d['id'] for d in microphone.devices]))")
    )
    page.page.get_by_label("Device").select_option(ids[-1])
    page.wait_for(f"microphone.device_id == {ids[-1]!r} and microphone.status == 'on'")


def test_a_figure_that_a_cell_still_draws_stays(
    open_page: OpenPage, spoken: Callable[[float], Path]
) -> None:
    page = open_page(spoken(20))
    page.run("%matplotlib inline")
    show_widgets(page)
    page.page.get_by_role("button", name="Talk").click()
    page.wait_for("len(chunks) > 5")
    index = page.start(
        "import matplotlib.pyplot as plt\n"
        "plt.plot([1, 2]); before = len(chunks); time.sleep(1); plt.plot([2, 1])\n"
        "print(len(plt.gca().lines), len(chunks) > before)"
    )
    assert page.result(index).strip() == "2 True"
    pictures = [o for o in page.outputs(index) if "image/png" in o.get("data", {})]
    assert len(pictures) == 1


def test_how_they_look(
    open_page: OpenPage, spoken: Callable[[float], Path], screenshots: Path
) -> None:
    page = open_page(spoken(25))
    show_widgets(page)
    page.page.get_by_role("button", name="Talk").click()
    page.run("speaker.write('answer', bytes(48000 * 60))")
    page.page.get_by_text("Microphone settings").click()
    page.page.get_by_text("playing, lowered").wait_for()
    page.page.screenshot(path=screenshots / "audio_light.png")
    page.theme("JupyterLab Dark")
    page.page.screenshot(path=screenshots / "audio_dark.png")
    page.page.get_by_role("button", name="Mute mic").focus()
    page.page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    page.page.set_viewport_size({"width": 480, "height": 700})
    page.page.screenshot(path=screenshots / "audio_narrow.png")
    widths = page.page.evaluate(
        "() => [...document.querySelectorAll('.rtnb')].map((e) => e.scrollWidth - e.clientWidth)"
    )
    assert all(width <= 0 for width in widths)


@pytest.mark.kernels
@pytest.mark.parametrize(
    ("requirement", "live"),
    [
        ("ipykernel==6.31.*", False),
        ("ipykernel==7.3.*", True),
        ("ipykernel==7.4.*", True),
        ("ipykernel", True),
    ],
)
def test_kernels(
    open_page: OpenPage,
    lab: Lab,
    kernel: Callable[[str], str],
    spoken: Callable[[float], Path],
    requirement: str,
    live: bool,
) -> None:
    page = open_page(spoken(20), kernel=kernel(requirement))
    version = page.run("import ipykernel; print(ipykernel.__version__)").strip()
    if "==" in requirement:
        assert version.startswith(requirement.split("==")[1].rstrip("*"))
    show_widgets(page)
    page.run(
        "speaker.write('warm', bytes(960)); speaker.end('warm')"
    )  # a send from the main thread
    page.page.get_by_role("button", name="Talk").click()
    page.page.get_by_text("listening").wait_for()
    verdict = page.run("result = microphone.selftest(); print(result)").strip()
    page.run("before = len(chunks)\ntime.sleep(3)\nasleep = len(chunks) - before")
    asleep = int(page.run("print(asleep)"))
    print(version, verdict, asleep)
    if live:
        assert verdict.startswith("Audio goes on while cells run")
        assert asleep >= 70
        assert (
            page.run("print(microphone.statistics.stale_dropped_ms, problems)").strip() == "0.0 []"
        )
    else:
        assert verdict.startswith("Audio will pause while cells run: ipykernel 6.31")
        assert asleep == 0
        page.page.wait_for_timeout(500)
        page.wait_for(
            "microphone.statistics.stale_dropped_ms > 1000 and 'too late' in problems[-1]"
        )
