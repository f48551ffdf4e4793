"""The examples of CONTRIBUTING.md do what they say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.analysis.findings.evidence import Evidence
from realtime_nb.session.profiles import PROFILES
from realtime_nb.widgets import page_text
from tests.page_code import python_blocks, run_block
from tests.paths import ROOT
from tests.widgets.pages import ListeningPage, ToldSession

PAGE = "CONTRIBUTING.md"
WIDGETS = ROOT / "realtime_nb" / "widgets"
RUN_IN_NODE = """
import { FakeElement, FakeModel, fakeDocument } from %(dom)s;
fakeDocument();
const text = %(text)s;
const { default: make } = await import(`data:text/javascript;base64,${btoa(text)}`);
const widget = make(), model = new FakeModel(), views = [1, 2].map(() => new FakeElement("div"));
let receive;
model.on = (_, take) => { receive = take; };
widget.initialize({ model });
const ends = views.map((el) => widget.render({ el }));
const words = () => views.map((el) => el.nodes[0].textContent);
const said = [words()];
receive({ kind: "count", count: 2 }, []);
said.push(words());
ends[0]();
receive({ kind: "count", count: 3 }, []);
said.push(words());
console.log(JSON.stringify({ said, sent: model.sent }));
"""


def example(words: str) -> str:
    (block,) = (one for one in python_blocks(PAGE) if words in one)
    return block


def test_they_are_short() -> None:
    for block in python_blocks(PAGE):
        assert len(block.splitlines()) <= 25


async def test_an_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = dict(PROFILES)
    try:
        names = await run_block(example("PROFILES["), PAGE, tmp_path, monkeypatch)
    finally:
        PROFILES.clear()
        PROFILES.update(kept)

    endpoint = names["endpoint"]
    assert (endpoint.kind, endpoint.model) == ("acme", "acme-1")
    assert endpoint.url == "wss://voice.acme.example/v1/realtime"
    assert "a key" in endpoint.headers["Authorization"]


async def test_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = await run_block(example("long_answers"), PAGE, tmp_path, monkeypatch)

    rec = rt.samples("interrupted")
    assert isinstance(rec, rt.Recording)
    found = list(names["long_answers"](Evidence(rec)))

    seconds = len(rec.received) / 24_000  # both answers together, in the file
    long = [ms for ms in rec.turns["audio_ms"] if ms > names["LONG_MS"]]
    assert 1 <= len(found) == len(long) < len(rec.turns)
    assert found[0].text == f"turn 1: the answer takes {long[0] / 1000:.1f} s."
    assert long[0] / 1000 < seconds


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The widgets' folder as it is with the example's two files in it."""
    folder = tmp_path / "widgets"
    shutil.copytree(WIDGETS, folder)
    (block,) = re.findall(r"^```js\n(.*?)^```", (ROOT / PAGE).read_text("utf-8"), re.S | re.M)
    (folder / "error_count.js").write_text(block, "utf-8")
    monkeypatch.setattr(page_text, "FOLDER", folder)
    return folder


async def made(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    names = await run_block(example("class ErrorCount"), PAGE, own_folder.parent, monkeypatch)
    return names["ErrorCount"]


async def test_a_widget_in_python(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = (await made(own_folder, monkeypatch))()
    page, session = ListeningPage(widget), ToldSession()
    widget.follow(session)
    page.say("show")

    session.received(0.0, "error", error={"type": "invalid_request_error", "message": "no"})
    session.received(0.1, "rate_limits.updated", rate_limits=[])

    assert page.take() == [{"kind": "count", "count": 1}]
    assert widget.summary() == "errors: 1"
    widget.close()


def run_in_node(script: str) -> Any:
    node = ["node", "--input-type=module"]
    run = subprocess.run(node, input=script, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
async def test_a_widget_in_the_page(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = str((await made(own_folder, monkeypatch))._esm)
    dom = (ROOT / "tests" / "widgets" / "dom.mjs").as_uri()
    text = text.encode("ascii", "backslashreplace").decode()  # for btoa
    told = run_in_node(RUN_IN_NODE % {"dom": json.dumps(dom), "text": json.dumps(text)})

    zero, two, three = "errors: 0", "errors: 2", "errors: 3"
    assert told["said"] == [[zero, zero], [two, two], [two, three]]  # the first view has ended
    assert told["sent"][0]["kind"] == "show"
