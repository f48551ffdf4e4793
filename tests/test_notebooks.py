"""Every tutorial runs from top to bottom, headless, without a key or the network."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_not_committed(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]

    assert all(not cell.get("outputs") for cell in notebook.cells)


async def errors_of(path: Path, folder: Path) -> list[Any]:
    """Runs a notebook; returns the outputs that say that a cell failed."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    folder.mkdir()
    # Without allow_errors, the first of them is raised.
    client = NotebookClient(notebook, timeout=90, resources={"metadata": {"path": str(folder)}})
    await client.async_execute()
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    ]


@pytest.mark.timeout(180)
@pytest.mark.filterwarnings("ignore")  # the client's own warnings about its event loop
async def test_they_run(tmp_path: Path) -> None:
    """Each in its kernel, and all at the same time: they speak and listen, which takes its time."""
    found = await asyncio.gather(*(errors_of(path, tmp_path / path.stem) for path in NOTEBOOKS))

    assert dict(zip(NOTEBOOKS, found, strict=True)) == {path: [] for path in NOTEBOOKS}
