"""A bar while long work runs."""

from __future__ import annotations

import io
import sys
import time

import pytest

from realtime_nb.recordings import progress
from realtime_nb.recordings.progress import progress_bar


class Stderr(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def shown(monkeypatch: pytest.MonkeyPatch, terminal: bool, after_s: float, wanted: bool) -> str:
    stderr = Stderr(terminal)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(progress, "_AFTER_S", after_s)
    with progress_bar(3, "recording", wanted=wanted, mininterval=0, file=stderr) as bar:
        for _ in range(3):
            time.sleep(0.002)  # tqdm counts real time
            bar.update()
    return stderr.getvalue()


def test_a_terminal_shows_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, terminal=True, after_s=0.0, wanted=True)
    assert "3/3" in text
    assert "recording/s" in text
    assert text.endswith("\r")  # what comes next takes its place


@pytest.mark.parametrize(
    ("terminal", "after_s", "wanted"), [(False, 0.0, True), (True, 60.0, True), (True, 0.0, False)]
)
def test_else_there_is_nothing(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, after_s: float, wanted: bool
) -> None:
    assert shown(monkeypatch, terminal, after_s, wanted).strip() == ""
