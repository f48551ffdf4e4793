"""Every tutorial runs from top to bottom, headless, without a key or the network."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_file_is_small_and_holds_no_sound_and_no_key(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]

    assert len(text) <= 300_000
    assert not re.search(r"data:audio|<audio|sk-[A-Za-z0-9]|widget-state", text)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds <= {"text/plain", "text/html", "image/png", "image/svg+xml"}
    assert not re.search(r"/(tmp|root|home)/", text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_says_what_it_shows(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]

    for cell in notebook.cells:
        assert "![](" not in cell.source
        for output in cell.get("outputs", []):
            for kind in output.get("data", {}).keys() & {"image/png", "image/svg+xml"}:
                assert len(output.metadata[kind]["alt"]) > 20, cell.source


async def errors_of(path: Path, folder: Path) -> list[Any]:
    """Runs a notebook; returns the outputs that say that a cell failed that was not to."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    folder.mkdir()
    # Without allow_errors, the first of them is raised.
    client = NotebookClient(notebook, timeout=90, resources={"metadata": {"path": str(folder)}})
    await client.async_execute()
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", [])
        for output in cell.outputs
        if output.output_type == "error"
    ]


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # the client's own warnings about its event loop
async def test_they_run(tmp_path: Path) -> None:
    """Each in its kernel, some at the same time: they speak and listen, which takes its time."""
    gate = asyncio.Semaphore(4)

    async def found_in(path: Path) -> list[Any]:
        async with gate:
            return await errors_of(path, tmp_path / path.stem)

    found = await asyncio.gather(*map(found_in, NOTEBOOKS))

    assert dict(zip(NOTEBOOKS, found, strict=True)) == {path: [] for path in NOTEBOOKS}
