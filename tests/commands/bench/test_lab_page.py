from __future__ import annotations

import importlib.util
import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.commands.bench import lab_page
from realtime_nb.commands.bench.browser import open_browser, start_playwright
from realtime_nb.commands.bench.lab_page import CellError, open_notebook, running_lab
from realtime_nb.errors import MissingExtraError


@pytest.mark.live
def test_cells_run_in_a_lab_of_its_own_that_ends(tmp_path: Path) -> None:
    pytest.importorskip("playwright.sync_api")
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed")
    with (
        start_playwright() as playwright,
        running_lab(tmp_path) as lab,
        open_browser(playwright) as browser,
    ):
        page = open_notebook(browser, lab, lab.notebook("one.ipynb"))
        assert page.run("n = 20 + 1\nprint(n)") == "21\n"
        assert page.wait_for("n * 2") == "42"
        assert [output["output_type"] for output in page.outputs(page.show("n"))] == [
            "execute_result"
        ]
        with pytest.raises(CellError, match="ZeroDivisionError"):
            page.run("n / 0")
        page.save()
        page.wait_in_page("!jupyterapp.shell.currentWidget.context.model.dirty")
        saved = json.loads((lab.folder / "one.ipynb").read_text())
        assert "n = 20 + 1" in json.dumps(saved["cells"])
        page.shut_down_kernel()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(lab.url)


def test_without_jupyterlab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: Any = importlib.util.find_spec
    monkeypatch.setattr(
        lab_page, "find_spec", lambda name: None if name == "jupyterlab" else found(name)
    )
    missing = pytest.raises(MissingExtraError, match=r"JupyterLab.*realtime_nb\[dev\]")
    with missing, running_lab(tmp_path):
        pass
