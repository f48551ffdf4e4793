"""A notebook that was saved and is opened again without its kernel: what is seen of its widgets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from realtime_nb.commands.bench.lab_page import Lab, LabPage, wait_for_notebook
from tests.e2e.conftest import OpenPage
from tests.paths import DATA

WORDS = DATA / "austen_0880.wav"
SUMMARY = "[data-realtime-nb-summary]"
AGENT = f"""
import realtime_nb as rt
agent = rt.Agent("local", audio={str(WORDS)!r})
"""
TALK = """
agent.talk().result(20)
assert agent.settled(30).result(40)
agent.disconnect().result(20)
recording = rt.load(agent.recording)
"""
REPORT = """
from realtime_nb.commands.doctor import Check, DoctorReport
DoctorReport((Check("disk", "ok", "large"),))
"""
VIEWS = ["agent", *(f"rt.{name}(recording)" for name in ("Transcript", "Timeline"))]
VIEWS += ["rt.EventInspector(recording)", "rt.CallInspector(recording)", REPORT]
FACTS = [
    r"Agent \(local\): a session of \d+\.\d s, 1 turn, 0 function calls\.",
    r"Open its recording: rt\.load\(\"recordings/\d{8}-\w+-\w+\"\)",
    r"you: He was not an ill",
    r"Timeline: \d+\.\d s, 1 stretch of speech",
    r"response\.output_audio\.delta",
    r"Event inspector: \d+ events",
    r"Call inspector: no function calls",
    r"disk\s+large",
    r"handled on thread",
]


@pytest.fixture
def talked(open_page: OpenPage) -> LabPage:
    """A notebook in which an agent has talked and all there is was looked at; its kernel runs."""
    page = open_page(size=(1100, 1500))
    page.run(AGENT)
    page.show("agent")
    page.page.get_by_role("button", name="Connect", exact=True).wait_for()
    page.run(TALK, 90)
    for view in VIEWS[1:]:
        page.show(view)
    page.wait_in_page(
        f"/handled on/.test([...document.querySelectorAll('{SUMMARY}')].at(-1).textContent)"
    )
    return page


def name_of(page: LabPage) -> str:
    return page.page.url.rpartition("/")[2].partition("?")[0]


def visible(page: LabPage) -> str:
    """All the text of the outputs that one sees."""
    texts: list[str] = page.page.evaluate(
        "[...document.querySelectorAll('.jp-OutputArea')].map((area) => area.innerText)"
    )
    return "\n".join(texts)


def wait_for_summaries(page: LabPage) -> None:
    """Until they are there, and the views' words about their missing models."""
    page.wait_in_page(f"document.querySelectorAll('{SUMMARY}').length === {len(VIEWS)}")
    page.wait_in_page(
        "[...document.querySelectorAll('.jp-OutputArea-output.jupyter-widgets')]"
        f".filter((one) => /model not found/.test(one.textContent)).length === {len(VIEWS)}"
    )


def shown(page: LabPage) -> list[bool]:
    return [one.is_visible() for one in page.page.locator(SUMMARY).all()]


def test_a_notebook_opened_again_shows_what_was_there(
    talked: LabPage, lab: Lab, screenshots: Path
) -> None:
    name = name_of(talked)
    talked.save()
    talked.shut_down_kernel()
    # As on another day: by a new kernel, which knows nothing.
    talked.page.goto(f"{lab.url}/lab/tree/{name}?reset")
    look(wait_for_notebook(talked.page))
    talked.page.screenshot(path=screenshots / "saved-notebook-reopened.png")

    notebook_7 = LabPage(talked.page.context.new_page())
    notebook_7.page.goto(f"{lab.url}/notebooks/{name}")
    look(notebook_7)
    notebook_7.page.screenshot(path=screenshots / "saved-notebook-in-notebook-7.png")

    exporters = pytest.importorskip("nbconvert.exporters")
    html, _ = exporters.HTMLExporter().from_filename(str(lab.folder / name))
    converted = screenshots / "saved-notebook.html"
    converted.write_text(html, encoding="utf-8")
    notebook_7.page.goto(converted.as_uri())
    text = notebook_7.page.inner_text("body")
    assert [len(re.findall(fact, text)) for fact in FACTS] == [1] * len(FACTS)
    notebook_7.page.screenshot(path=screenshots / "saved-notebook-as-html.png", full_page=True)
    notebook_7.page.close()


def look(reopened: LabPage) -> None:
    """Reads what one sees: every fact, and no word about what is missing."""
    wait_for_summaries(reopened)
    text = visible(reopened)
    assert [fact for fact in FACTS if not re.search(fact, text)] == []
    assert "Error" not in text
    assert reopened.page.locator(f"{SUMMARY} svg").is_visible()


def test_a_summary_is_seen_only_where_its_view_is_not(talked: LabPage) -> None:
    assert shown(talked) == [False] * len(VIEWS)
    talked.save()
    talked.page.reload()  # its kernel goes on
    wait_for_notebook(talked.page)
    panel = talked.page.locator(".rtnb-panel")
    panel.wait_for()
    talked.wait_in_page(f"document.querySelectorAll('{SUMMARY}').length === {len(VIEWS)}")
    talked.wait_in_page("document.querySelectorAll('.rtnb table tr').length === 6")
    assert shown(talked) == [False] * len(VIEWS)
    talked.run("agent.close()")
    panel.wait_for(state="detached")
    assert shown(talked) == [True] + [False] * (len(VIEWS) - 1)
    assert re.search(FACTS[0], talked.page.locator(SUMMARY).first.inner_text())
