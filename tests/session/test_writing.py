"""A session's recorder; see also ``test_session_recording.py``."""

from __future__ import annotations

from pathlib import Path

import realtime_nb as rt
from realtime_nb.archive.recorder import Recorder
from realtime_nb.session.writing import Writing
from tests.virtual import virtual


@virtual
async def test_without_a_recorder_nothing_happens() -> None:
    writing = Writing(None, lambda error: None)
    writing.note(a=1)
    writing.label(0.0, "here")
    writing.played("item", b"", 0.0)
    await writing.close(True, 1.0, rt.SessionClosedError(""))


def test_a_failure_is_told_once_and_ends_it(tmp_path: Path) -> None:
    failures: list[rt.RecordingError] = []
    recorder = Recorder(tmp_path, {})
    writing = Writing(recorder, failures.append)
    recorder.close()
    for _ in range(3):
        writing.note(a=1)
    assert len(failures) == 1
    assert "is closed" in str(failures[0])
