"""The README's Python runs as it stands there; its figures are those of docs/figures.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.page_code import python_blocks, run_block
from tests.paths import ROOT

BLOCKS = python_blocks("README.md")


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 3


def test_its_figures_are_those_of_the_page_of_figures() -> None:
    page = (ROOT / "docs" / "figures.md").read_text("utf-8").splitlines()
    figures = (ROOT / "README.md").read_text("utf-8").partition("## Figures")[2]
    rows = [row for row in figures.splitlines() if row.endswith("` |")]

    assert len(rows) >= 5
    assert [row for row in rows if row.replace("](docs/", "](") not in page] == []


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
async def test_the_example_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_block(block, "README.md", tmp_path, monkeypatch)
