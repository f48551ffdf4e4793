"""The README's Python runs as it stands there."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from pathlib import Path

import pytest

from realtime_nb.commands.bench.long_session import write_session
from tests.paths import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
async def test_the_example_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_session(tmp_path / "recordings", minutes=0.3)
    monkeypatch.setenv("MPLBACKEND", "agg")
    shutil.copy(ROOT / "realtime_nb" / "samples" / "austen_0880.wav", tmp_path / "hello.wav")
    code = compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    result = eval(code, {"__name__": "__main__"})

    if inspect.isawaitable(result):
        await result
