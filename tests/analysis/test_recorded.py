"""What analyses take: a recording is one."""

from __future__ import annotations

from pathlib import Path

from realtime_nb.analysis.recorded import Recorded
from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import load
from tests.scripted_session import LiveSession, three_turns


def test_is_what_analyses_take(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {"endpoint": {"kind": "local"}})
    three_turns(LiveSession(recorder))
    recorder.close()

    recorded: Recorded = load(recorder.path)

    assert recorded.simulated
    assert [(line.kind, line.item_id) for line in recorded.playback] == [
        ("started", "agent_1"),
        ("finished", "agent_1"),
        ("started", "agent_2"),
        ("finished", "agent_2"),
        ("started", "agent_3"),
        ("flushed", "agent_3"),
    ]
