"""A recorded session that the tests of the archive may damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.archive.recorder import Recorder
from tests.scripted_session import LiveSession, three_turns


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {"dialect": "ga"})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)
    return recorder.path


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in whole.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy
