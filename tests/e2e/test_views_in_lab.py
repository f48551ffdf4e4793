"""Transcript, event inspector and timeline in a real JupyterLab."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.commands.bench.lab_page import Lab, LabPage, wait_for_notebook
from tests.e2e.conftest import OpenPage
from tests.scripted_session import LiveSession, three_turns

INSPECTOR = """
import threading, time
from realtime_nb.widgets.event_inspector import EventInspector
inspector = EventInspector()
"""
ADDING = """
def add():
    for n in range(200):
        inspector.add("sent", {"type": "counted", "text": f"number {n}", "n": n}, n / 100)
        time.sleep(0.005)
adding = threading.Thread(target=add)
adding.start()
"""
# Runs until the test has seen what it waits for.
BUSY = """
from pathlib import Path
while not Path({seen!r}).exists():
    time.sleep(0.01)
print("seen")
"""
CELLS = "jupyterapp.shell.currentWidget.content.model.sharedModel.cells.length"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    three_turns(LiveSession(recorder))
    recorder.close()
    return recorder.path


def show_recording(page: LabPage, recorded: Path) -> None:
    page.run(f"""
from realtime_nb.recordings.recording import load
from realtime_nb.widgets.event_inspector import EventInspector
from realtime_nb.widgets.timeline import Timeline
from realtime_nb.widgets.transcript import Transcript
recording = load({str(recorded)!r})
""")
    for name in ("Transcript", "Timeline", "EventInspector"):
        page.show(f"{name}(recording)")
    wait_for_views(page)


def wait_for_views(page: LabPage) -> None:
    for shown in (
        "document.querySelectorAll('.rtnb-said').length === 7",
        "document.querySelector('canvas')?.ariaLabel?.includes('2 stretches')",
        "/^8.. events/.test(document.querySelector('.rtnb-events-count')?.textContent)",
    ):
        page.wait_in_page(shown, timeout_s=60)


def test_a_recording_and_the_page_reloaded(
    open_page: OpenPage, recorded: Path, screenshots: Path
) -> None:
    page = open_page()
    show_recording(page, recorded)
    for theme in ("Light", "Dark"):
        page.theme(f"JupyterLab {theme}")
        page.page.screenshot(path=screenshots / f"views-in-jupyterlab-{theme.lower()}.png")
    page.theme("JupyterLab Light")
    page.save()
    page.page.reload()
    wait_for_views(wait_for_notebook(page.page))


def test_keys_are_the_tables_own_while_it_has_the_focus(
    open_page: OpenPage, recorded: Path
) -> None:
    """In a notebook, b inserts a cell, x cuts one, and Enter opens it."""
    page = open_page()
    show_recording(page, recorded)
    cells = page.page.evaluate(CELLS)
    page.page.get_by_role("grid", name="Events").focus()
    for key in ("Home", "ArrowDown", "b", "a", "x", "m", "Enter"):
        page.page.keyboard.press(key)
    page.wait_in_page("document.querySelector('pre.rtnb-json')?.textContent.includes('Be brief.')")
    page.page.keyboard.press("Escape")
    page.wait_in_page("document.querySelector('.rtnb-event').hidden")
    page.page.get_by_label("Search events").click()
    page.page.keyboard.type("bax")
    page.page.keyboard.press("Enter")
    assert page.page.get_by_label("Search events").input_value() == "bax"
    assert page.page.evaluate(CELLS) == cells


def test_events_and_payloads_come_while_a_cell_runs(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    page.run(INSPECTOR)
    page.show("inspector")
    page.wait_in_page("document.querySelector('.rtnb-events-count')?.textContent === '0 events'")
    page.run(ADDING)
    seen = tmp_path / "seen"
    running = page.start(BUSY.format(seen=str(seen)))
    page.wait_in_page("document.querySelector('.rtnb-events-count').textContent === '200 events'")
    page.page.get_by_text("number 199").click()
    page.wait_in_page("document.querySelector('pre.rtnb-json')?.textContent.includes('\"n\": 199')")
    assert page.outputs(running) == []
    seen.touch()
    assert page.result(running) == "seen\n"


def test_a_saved_notebook_holds_the_summary_and_no_event(
    open_page: OpenPage, lab: Lab, recorded: Path
) -> None:
    page = open_page()
    show_recording(page, recorded)
    page.save()
    text = (lab.folder / page.page.url.rpartition("/")[2]).read_text("utf-8")
    assert "Event inspector: 8" in text
    assert "Which slots are free?" in text  # the transcript's own summary
    assert "input_audio_buffer.speech_started" in text  # the table of types
    assert "<svg" in text  # the timeline
    for kept_away in ("Be brief.", "audio_start_ms", "turn_detection", "data:audio", "<audio"):
        assert kept_away not in text


def test_listening_and_running_a_tool_again_in_a_notebook(
    open_page: OpenPage, recorded: Path, tmp_path: Path
) -> None:
    """Audio blocks, the selection and a re-run cross a real comm, while a cell runs."""
    page = open_page()
    page.run(f"""
import time
from realtime_nb.recordings.recording import load
from realtime_nb.widgets.call_inspector import CallInspector
from realtime_nb.widgets.timeline import Timeline
def book(time: str) -> str:
    return "booked for " + time
timeline = Timeline(load({str(recorded)!r}))
calls = CallInspector(load({str(recorded)!r}), tools=[book])
""")
    page.show("timeline")
    page.show("calls")
    page.wait_in_page("document.querySelector('canvas')?.ariaLabel?.includes('2 stretches')")
    page.wait_in_page("document.querySelectorAll('.rtnb-calls-row').length === 1")
    seen = tmp_path / "seen"
    running = page.start(BUSY.format(seen=str(seen)))
    page.page.locator("canvas").focus()
    for _ in range(3):
        page.page.keyboard.press("Shift+ArrowRight")
    page.page.get_by_role("button", name="Listen", exact=True).click()
    page.wait_in_page(
        "parseFloat(document.querySelector('.rtnb-timeline-status').textContent.slice(2)) > 8.2"
    )
    page.page.get_by_role("button", name="Stop").click()
    page.page.locator(".rtnb-calls-row").click()
    page.page.get_by_role("button", name="Run", exact=True).click()
    page.wait_in_page("/booked for 10:00/.test(document.querySelector('.rtnb-call').textContent)")
    assert page.outputs(running) == []
    seen.touch()
    assert page.result(running) == "seen\n"
    length_s = page.run("print(round(timeline.clip().duration_s, 2))")
    assert float(length_s) == pytest.approx(0.48, abs=0.02)
