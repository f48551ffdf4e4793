"""The README's Python runs as it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.page_code import python_blocks, run_block

BLOCKS = python_blocks("README.md")


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
async def test_the_example_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_block(block, "README.md", tmp_path, monkeypatch)
