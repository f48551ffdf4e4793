from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import comm
import IPython
import pytest

from realtime_nb.commands.doctor import Check, DoctorReport
from realtime_nb.widgets import page_check
from realtime_nb.widgets.live import SelfTest
from realtime_nb.widgets.page_check import CheckLine, PageCheck, page_lines
from realtime_nb.widgets.page_text import module_text
from tests.widgets.conftest import FakeComm, FakePage

GOOD = {"secure": True, "microphones": 1, "permission": "granted", "worklet": True}
LIVE = SelfTest(True, "subshell-1", 3.0, 4.4, "Audio goes on.")
WAITING = SelfTest(False, "MainThread", 3.0, 4.4, "Audio will pause: install it.", "Install it.")
SILENT = SelfTest(None, None, None, None, "No page has answered.")
REPORT = DoctorReport(
    (Check("disk", "ok", "<b>large</b>"), Check("key", "missing", "none", "get one"))
)


def told(test: SelfTest = LIVE, **facts: object) -> dict[str, CheckLine]:
    return {line.name: line for line in page_lines({**GOOD, **facts}, test)}


def test_all_is_well() -> None:
    lines = told()
    assert list(lines) == [
        "front end",
        "secure origin",
        "page's microphone",
        "audio worklet",
        "page and kernel",
    ]
    assert {line.mark for line in lines.values()} == {"✓"}
    way = "there and back in 4 ms, handled on thread subshell-1; audio goes on while cells run"
    assert lines["page and kernel"].text == way


@pytest.mark.parametrize(
    ("facts", "mark", "words"),
    [
        ({"permission": "denied"}, "✗", "refuses it to this page → allow it beside"),
        (
            {"permission": "denied", "place": "vscode"},
            "✗",
            "gives it to no page → run `jupyter lab`",
        ),
        (
            {"permission": "prompt", "forbidden": True},
            "✗",
            "gives it to no page → run `jupyter lab`",
        ),
        ({"microphones": 0}, "✗", "there is none → connect one"),
        ({"microphones": 0, "permission": "denied"}, "✗", "→ allow it beside"),
        ({"permission": "prompt"}, "✓", "present; the browser will ask you"),
        ({"permission": ""}, "✓", "does not tell if this page may use it → press Talk"),
        ({"permission": ["?"]}, "✓", "does not tell if this page may use it → press Talk"),
        ({"microphones": None}, "!", "does not tell if there is one; this page may use it"),
        ({"secure": False}, "✗", "→ open the notebook from an https:// address"),
    ],
)
def test_the_microphone_and_its_remedies(facts: dict[str, Any], mark: str, words: str) -> None:
    line = told(**facts)["page's microphone"]
    assert line.mark == mark
    assert words in line.text


def test_an_insecure_page_is_told_the_same_remedy_everywhere() -> None:
    lines = told(secure=False, microphones=None, worklet=False)
    for name in ("secure origin", "page's microphone", "audio worklet"):
        assert lines[name].mark == "✗"
        assert lines[name].text.endswith("→ " + page_check._ORIGIN_REMEDY)
    assert "use a current Firefox" in told(worklet=False)["audio worklet"].text


def test_what_is_said_of_the_messages() -> None:
    waiting = told(WAITING)["page and kernel"]
    assert waiting.mark == "!"
    assert "on thread MainThread; audio will pause while cells run → Install it." in waiting.text
    silent = told(SILENT)["page and kernel"]
    assert silent.mark == "!"
    assert "did not come back within 5 s → let running cells end" in silent.text


def test_a_page_that_tells_nonsense_gets_lines_all_the_same() -> None:
    lines = page_lines({"kind": "found"}, LIVE)
    assert [line.mark for line in lines] == ["✓", "✗", "✗", "✗", "✓"]


def nobody(_lines: list[CheckLine]) -> None:
    pass


def made(lines: list[CheckLine], on_found: Callable[[list[CheckLine]], None] = nobody) -> PageCheck:
    return PageCheck(lines, "It works.", on_found, lambda: ("text", "<p>text</p>"))


class Answering(FakeComm):
    """A page that answers pings from another thread, and notes when it got its lines."""

    def __init__(self, *args: Any, **keys: Any) -> None:
        self.told = threading.Event()
        super().__init__(*args, **keys)

    def publish_msg(self, msg_type: str, data: Any = None, *args: Any, **keys: Any) -> None:
        super().publish_msg(msg_type, data, *args, **keys)
        content = (data or {}).get("content", {})
        if content.get("kind") == "link-ping":
            pong = {"kind": "link-pong", "id": content["id"], "page": "page"}
            message = {"content": {"data": {"method": "custom", "content": pong}}, "buffers": []}
            threading.Thread(target=self.handle_msg, args=(message,), name="subshell").start()
        elif content.get("kind") == "lines":
            self.told.set()


def test_a_page_that_tells_what_it_found_gets_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", Answering)
    kept: list[CheckLine] = []
    widget = made([CheckLine("✓", "disk", "large")], kept.extend)
    page = FakePage(widget, "page")
    page.send({"kind": "found", **GOOD})
    assert isinstance(widget.comm, Answering)
    assert widget.comm.told.wait(5)
    [message] = page.got("lines")
    assert message["page"] == "page"
    assert len(message["lines"]) == 5
    assert [[line.mark, line.name, line.text] for line in kept] == message["lines"]
    assert re.search(r"in \d+ ms, handled on thread subshell;", message["lines"][-1][2])
    widget.close()


def test_the_page_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: began.append(thread))
    widget = made([])
    FakePage(widget).send({"kind": "found", **GOOD})
    FakePage(widget).send({"kind": "something else"})
    assert [thread.daemon for thread in began] == [True]
    widget.close()


def kernel(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    shell = SimpleNamespace(kernel=object()) if there else SimpleNamespace()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)


def test_a_report_in_a_notebook_is_live_and_saved_as_a_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel(monkeypatch, there=True)
    data, _ = REPORT._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == repr(REPORT)
    assert data["text/html"] == REPORT._repr_html_()
    assert "was not asked" in data["text/html"]
    assert "<b>" not in data["text/html"]


def test_what_the_page_answered_is_in_the_report_with_its_remedies() -> None:
    report = DoctorReport(REPORT.checks)
    unasked = report.to_dict()["page"]
    assert unasked["asked"] is False and "show rt.doctor() in a notebook" in unasked["words"]
    assert "was not asked" in repr(report)

    report._take(page_lines({**GOOD, "permission": "denied"}, WAITING))

    page = json.loads(json.dumps(report.to_dict()))["page"]
    assert page["asked"] is True and page["words"] == ""
    by_name = {check["name"]: check for check in page["checks"]}
    assert by_name["page's microphone"]["status"] == "missing"
    assert by_name["page's microphone"]["remedy"].startswith("allow it")
    assert by_name["page and kernel"] == {
        "name": "page and kernel",
        "status": "warning",
        "words": "there and back in 4 ms, handled on thread MainThread; "
        "audio will pause while cells run",
        "remedy": "Install it.",
        "needed": True,
    }
    for shown in (repr(report), report._repr_html_()):
        assert "was not asked" not in shown
        assert "✗" in shown and "→ Install it." in shown
    assert report.works == REPORT.works  # of the local conversation
    assert REPORT.page == []


def test_without_a_kernel_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel(monkeypatch, there=False)
    assert REPORT._repr_mimebundle_() is None
    with pytest.raises(NotImplementedError):  # which IPython takes for: show it as usual
        REPORT._ipython_display_()
    monkeypatch.setattr(IPython, "get_ipython", lambda: None)
    assert REPORT._repr_mimebundle_() is None


def test_the_widget_holds_what_the_table_shows() -> None:
    widget = made([CheckLine("✗", "key", "none", "get one")])
    assert widget.get_state()["_known"] == [["✗", "key", "none → get one"]]
    widget.close()


def test_the_page_neither_asks_for_the_microphone_nor_makes_markup() -> None:
    text = module_text("page_check.js")
    assert not re.search(r"getUserMedia|innerHTML|outerHTML|insertAdjacentHTML", text)
    assert not re.search(r"^import\b", text, re.MULTILINE)
