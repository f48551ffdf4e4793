"""Runs the tutorials and saves them with what a reader of the file sees: text and pictures.

    python scripts/save_notebooks.py            # all
    python scripts/save_notebooks.py 04 05      # by their numbers
    COPIES=200 python scripts/save_notebooks.py 11   # reads a thousand recordings instead of fifty

They run as a reader's would, headless, each in a folder of its own. Kept of the outputs are text,
tables and pictures, in 256 colours; left out are the state of widgets, sound, warnings and whatever
names this machine's folders. A cell that fails ends it, and nothing is saved; one that is meant to
fail has the tag "raises-exception".

Tutorial 10 hears with each recogniser that is installed: save it with the extra [whisper].

A cell that draws has a sentence on its picture in its metadata, as "alt", for those who can't see
it: it goes with the picture.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parents[1] / "notebooks"
KEPT = ("image/png", "image/svg+xml", "text/html", "text/plain")
PICTURES = ("image/png", "image/svg+xml")
LIMIT_BYTES = 300_000
AT_ONCE = 2


async def run(path: Path, folder: Path) -> Any:
    """Returns a notebook with the outputs of all its cells."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    await client.async_execute()
    return notebook


def cleaned(notebook: Any, folder: str) -> Any:
    """Returns it without what is of no use in the file."""
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("tags", "alt") if key in cell.metadata}
        if cell.cell_type == "code":
            alt = cell.metadata.get("alt", "")
            kept = (_kept(output, folder, alt) for output in cell.outputs)
            cell.outputs = [output for output in kept if output is not None]
    return notebook


def _kept(output: Any, folder: str, alt: str) -> Any | None:
    """Returns an output as it is saved; None for none."""
    if output.output_type == "stream":
        if output.name == "stderr":
            return None
        output.text = _here(output.text, folder)
        return output
    if output.output_type == "error":
        return output  # of a cell that is meant to fail
    data = {kind: output.data[kind] for kind in KEPT if kind in output.data}
    if not any(data.values()) or re.match(r".*\d+%\|", data.get("text/plain", "")):
        return None  # the latter a progress bar
    output.data = {
        kind: _here(value, folder) if isinstance(value, str) and kind.startswith("text") else value
        for kind, value in data.items()
    }
    if "image/png" in output.data:
        output.data["image/png"] = _small(output.data["image/png"])
    output.metadata = {kind: {"alt": alt} for kind in PICTURES if kind in data}
    return output


def _small(png: str) -> str:
    """Returns a picture in its 256 most frequent colours, a quarter of its size."""
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"))
    colours, place, often = np.unique(
        picture.reshape(-1, 4), axis=0, return_inverse=True, return_counts=True
    )
    kept = colours[np.argsort(-often)[:256]]
    apart = ((colours[:, None, :].astype(int) - kept.astype(int)) ** 2).sum(axis=2)
    nearest = apart.argmin(axis=1).astype(np.uint8)
    few = Image.fromarray(nearest[place].reshape(picture.shape[:2]))
    few.putpalette(kept.tobytes(), "RGBA")
    file = io.BytesIO()
    few.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _here(text: str, folder: str) -> str:
    """Returns text without the folder in which it was run."""
    return re.sub(rf"{re.escape(folder)}/?", "", text)


async def save(path: Path, gate: asyncio.Semaphore) -> None:
    """Runs a notebook and saves it.

    Raises:
        SystemExit: it is too large.
    """
    async with gate:
        with tempfile.TemporaryDirectory() as folder:
            notebook = cleaned(await run(path, Path(folder)), folder)
    text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    if len(text) > LIMIT_BYTES:
        raise SystemExit(f"{path.name} would have {len(text)} bytes; {LIMIT_BYTES} is the limit.")
    path.write_text(text + "\n" if not text.endswith("\n") else text, encoding="utf-8")
    print(f"{path.name}: {len(text) / 1000:.0f} kB")


async def main(numbers: list[str]) -> None:
    """Saves the notebooks whose names begin with these, or all."""
    paths = [
        path
        for path in sorted(FOLDER.glob("*.ipynb"))
        if not numbers or path.name.startswith(tuple(numbers))
    ]
    gate = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(save(path, gate) for path in paths))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
