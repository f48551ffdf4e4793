"""Every tutorial is whole, teaches what its questions ask, and runs from top to bottom, headless,
without a key or the network."""

from __future__ import annotations

import ast
import asyncio
import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

from realtime_nb.protocol.events import CLIENT_EVENTS, SERVER_EVENTS

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
INDEX, *TUTORIALS = NOTEBOOKS
QUESTIONS = sorted((FOLDER / "questions").glob("*.md"))
AT_ONCE = 4

of_each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
of_each_tutorial = pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)


def number(path: Path) -> int:
    return int(path.name[:2])


def cells(path: Path, kind: str) -> list[str]:
    """Returns the sources of the cells that are ``markdown`` or ``code``."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def title(path: Path) -> str:
    """Returns the heading of its first cell, without the number."""
    first = cells(path, "markdown")[0]
    found = re.match(rf"# {number(path)} · (\S.*)\n", first)
    assert found, f"{path.name} begins with {first[:60]!r}, not with '# {number(path)} · its title'"
    return found[1]


def minutes(path: Path) -> int:
    found = re.search(r"\babout (\d+) minutes\b", cells(path, "markdown")[0], re.IGNORECASE)
    assert found, f"the first cell of {path.name} does not say 'About … minutes'"
    return int(found[1])


def test_there_are_notebooks() -> None:
    assert INDEX.name == "00_index.ipynb"
    assert [number(path) for path in TUTORIALS] == [*range(1, len(TUTORIALS) + 1)]


def test_the_index_tells_of_each_what_it_says_of_itself() -> None:
    (path_table,) = (text for text in cells(INDEX, "markdown") if "\n|---" in text)
    rows = {
        name: (int(n), words, int(needed))
        for n, words, name, needed in re.findall(
            r"^\| (\d+) \| \[(.+?)\]\((.+?)\) \|.*?\| (\d+) \|", path_table, re.MULTILINE
        )
    }
    of_themselves = {path.name: (number(path), title(path), minutes(path)) for path in TUTORIALS}

    assert {name: rows.get(name) for name in of_themselves} == of_themselves


@of_each
def test_its_code_compiles(path: Path) -> None:
    for source in cells(path, "code"):
        python = TransformerManager().transform_cell(source)  # type: ignore[no-untyped-call]
        compile(python, path.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert not re.search(r"\bAudio\(|import Audio\b|display\.Audio\b", python), (
            "IPython.display.Audio would put the sound into the file"
        )


@of_each
def test_it_uses_public_names_alone(path: Path) -> None:
    said = "\n".join(cells(path, "code") + cells(path, "markdown"))

    assert re.findall(r"(?:from|import) realtime_nb\.(?!testing\b)\S+", said) == []


@of_each
def test_its_own_figures_hold_on_dark_pages(path: Path) -> None:
    code = "\n".join(cells(path, "code"))
    draws = re.search(r"plt\.(subplots|figure)\(|\.plot\.[a-z]+\(", code)

    assert not draws or "plt.style.use(rt.plot_style())" in code
    assert not re.search(r"facecolor=.white|color=.(white|black)\b", code)


@of_each
def test_no_sum_of_money_is_taken_for_a_formula(path: Path) -> None:
    prose = re.sub(
        r"`[^`]*`",
        "",
        re.sub(r"```.*?```", "", "\n".join(cells(path, "markdown")), flags=re.DOTALL),
    )

    assert re.findall(r"(?<!\\)\$[^\n]*", prose) == []


@of_each
def test_its_links_lead_somewhere(path: Path) -> None:
    links = [
        link.partition("#")[0]
        for text in cells(path, "markdown")
        for link in re.findall(r"\]\(([^)\s]+)\)", text)
    ]

    assert [link for link in links if ":" not in link and not (path.parent / link).exists()] == []


@of_each_tutorial
def test_it_has_all_parts_of_a_tutorial(path: Path) -> None:
    whole = "\n\n".join(cells(path, "markdown"))

    assert re.search(r"^#+ .*Against OpenAI", whole, re.MULTILINE)
    assert 2 <= whole.count("<details><summary>Solution</summary>") <= 4
    assert whole.count("<details>") == whole.count("</details>")
    assert re.search(r"^## What you can do now$", whole, re.MULTILINE)
    bullets = re.findall(r"^- ", whole.partition("## What you can do now")[2], re.MULTILINE)
    assert 3 <= len(bullets) <= 7


@pytest.mark.parametrize(
    ("path", "following"),
    list(pairwise(TUTORIALS)),
    ids=lambda path: path.stem[:2],
)
def test_it_ends_with_a_link_to_the_next(path: Path, following: Path) -> None:
    whole = "\n".join(cells(path, "markdown"))
    assert f"]({following.name})" in whole.partition("## What you can do now")[2]


def test_each_tutorial_has_questions() -> None:
    assert [path.stem for path in QUESTIONS] == [path.name[:2] for path in TUTORIALS]


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_there_are_ten_questions_with_ten_answers(path: Path) -> None:
    """The answers are folded, in one block under all questions or in one under each."""
    text = path.read_text(encoding="utf-8")
    folded = re.findall(r"<details>(.*?)</details>", text, re.DOTALL)
    open_text = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    in_order = [*range(1, 11)]

    assert numbered(open_text) == in_order
    assert len(folded) == 10 or [n for block in folded for n in numbered(block)] == in_order
    assert all(re.sub(r"<summary>.*?</summary>|\s", "", block) for block in folded)


def numbered(text: str) -> list[int]:
    """Returns the numbers that its lines begin with: of lists, headings or bold."""
    return [int(n) for n in re.findall(r"^(?:#+ |\*\*)?(\d+)[.)](?:\*\*)? ", text, re.MULTILINE)]


@of_each
def test_the_file_is_small_and_holds_no_sound_and_no_key(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]

    assert len(text) <= 300_000
    assert not re.search(r"data:audio|<audio|sk-[A-Za-z0-9]|widget-state", text)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds <= {"text/plain", "text/html", "image/png", "image/svg+xml"}
    assert not re.search(r"/(tmp|root|home)/", text)


@of_each
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


@pytest.mark.early
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # the client's own warnings about its event loop
async def test_they_run(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Each in its kernel, some at the same time: they speak and listen, which takes its time."""
    gate = asyncio.Semaphore(AT_ONCE)
    took_s: dict[str, float] = {}

    async def found_in(path: Path) -> list[Any]:
        async with gate:
            began = time.monotonic()
            found = await errors_of(path, tmp_path / path.stem)
            took_s[path.stem] = time.monotonic() - began
            return found

    found = await asyncio.gather(*map(found_in, NOTEBOOKS))

    assert dict(zip(NOTEBOOKS, found, strict=True)) == {path: [] for path in NOTEBOOKS}
    record_property("notebooks", took_s)  # told at the end of the run, by tests/tallies.py


def test_the_tutorial_of_events_names_each_event_there_is() -> None:
    """In a table that it made of a session, or among those that the session did not meet."""
    (path,) = (path for path in NOTEBOOKS if path.name.startswith("04"))
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    texts += [output["data"].get("text/plain", "") for output in outputs if "data" in output]
    named = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)*(?:\.?\*)?", " ".join(texts)))
    families = tuple(name.rstrip("*") for name in named if name.endswith("*") and "." in name)

    every = CLIENT_EVENTS.keys() | SERVER_EVENTS.keys()
    assert {name for name in every - named if not name.startswith(families)} == set()


def test_the_reader_of_the_tutorial_of_events_has_a_case_for_each() -> None:
    """All but the one that shows what becomes of an event that it doesn't know."""
    (path,) = (path for path in NOTEBOOKS if path.name.startswith("04"))
    sources = [
        s for s in cells(path, "code") if re.search(r"^(NOTHING_TO_DO|class Reader)", s, re.M)
    ]
    cases = set(re.findall(r'"([a-z_.]+)"', "\n".join(sources)))

    assert SERVER_EVENTS.keys() - cases == {"realtime_nb.stages"}
