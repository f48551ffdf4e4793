"""What a cell shows of a manager, in a real kernel, is kept up to date."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.paths import ROOT

MAKE = """
import asyncio, sys
import realtime_nb as rt
from realtime_nb.testing import MemoryServer
server = await MemoryServer().__aenter__()
manager = await rt.SessionManager("ws://memory")
"""
TALK = """
await manager.create("anna", transport=server.transport)
await asyncio.sleep(2.5)
"""


@pytest.mark.live
def test_the_cell_that_shows_it_is_refreshed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    end = "await manager.close_all()\nprint(rt.__file__)"
    v4: Any = nbformat.v4
    cells = [v4.new_code_cell(text) for text in (MAKE, "manager", TALK, end)]
    notebook = v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    [shown] = notebook.cells[1].outputs
    assert str(ROOT) in notebook.cells[3].outputs[0].text
    assert "anna" in shown.data["text/html"]
    assert "the manager was closed" in shown.data["text/html"]
    assert shown.data["text/plain"].startswith("<SessionManager closed, 0 of 100")
