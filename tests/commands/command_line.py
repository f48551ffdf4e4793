"""What tests of commands share: a place of their own, and what a refusal looks like."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from realtime_nb.commands import cli

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing that a command writes may land in the repository; no key of this machine is used."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", cli.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def refused(capsys: Capture, *arguments: str) -> tuple[int, str]:
    """Runs a command that must fail with one line and leave nothing; returns code and line."""
    before = sorted(Path.cwd().rglob("*"))
    code = cli.main(arguments)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"realtime-nb: .+\n", printed.err)
    assert sorted(Path.cwd().rglob("*")) == before
    return code, printed.err
