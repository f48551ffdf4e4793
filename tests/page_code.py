"""Runs the Python that stands in README and docs, as somebody who pastes it into a cell."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.commands.bench.long_session import write_session
from tests.paths import ROOT

__all__ = ["python_blocks", "run_block"]


def python_blocks(page: str) -> list[str]:
    """Returns the code marked ``python`` on a page, by its path in the repository."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


async def run_block(
    block: str, page: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Runs a block where ``hello.wav`` and ``recordings`` are; returns its names."""
    monkeypatch.chdir(folder)
    if '"recordings")' in block:
        write_session(folder / "recordings", minutes=0.3)
    monkeypatch.setenv("MPLBACKEND", "agg")
    shutil.copy(ROOT / "realtime_nb" / "samples" / "austen_0880.wav", folder / "hello.wav")
    code = compile(block, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {"__name__": "__main__"}

    result = eval(code, names)

    if inspect.isawaitable(result):
        await result
    return names
