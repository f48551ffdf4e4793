"""`rt.doctor()`'s report in a real JupyterLab: the page adds what it finds about itself."""

from __future__ import annotations

import json
import re
import wave
from pathlib import Path

from tests.e2e.conftest import OpenPage

REPORT = """
from realtime_nb.commands.doctor import Check, DoctorReport
report = DoctorReport((Check("disk", "ok", "<i>large</i>"),))
report
"""
SAVED = "document.querySelector('[data-realtime-nb-summary]')"
LINES = ".rtnb tr"


def test_the_page_tells_about_itself(open_page: OpenPage, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet.wav"
    with wave.open(str(quiet), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes(bytes(96_000))
    page = open_page(quiet)
    cell = page.show(REPORT)
    page.wait_in_page(f"document.querySelectorAll('{LINES}').length === 6")
    lines = [line.inner_text() for line in page.page.query_selector_all(LINES)]
    assert "<i>large</i>" in lines[0]
    assert all(line.startswith("✓") for line in lines), lines
    assert "this page" in lines[3] and "microphone" in lines[3]
    assert re.search(r"back in \d+ ms, handled on thread .+; audio goes on", lines[5])
    opened = page.page.evaluate("opened.tracks.length")
    assert opened == 0, "the microphone was not asked for"
    page.wait_in_page(f"{SAVED}.textContent.includes('handled on thread')")
    saved = "".join(page.outputs(cell)[0]["data"]["text/html"])
    assert "&lt;i&gt;large" in saved and "audio goes on while cells run" in saved
    assert "was not asked" not in saved
    known = page.run("import json; print(json.dumps(report.to_dict()['page']))")
    assert [check["status"] for check in json.loads(known)["checks"]] == ["ok"] * 5


def test_a_page_over_plain_http_says_what_to_do(open_page: OpenPage) -> None:
    page = open_page(host="insecure.test")
    page.show(REPORT)
    page.wait_in_page(f"document.querySelectorAll('{LINES}').length === 6")
    text = page.page.inner_text(".rtnb table")
    assert text.count("open the notebook from an https:// address") == 3
