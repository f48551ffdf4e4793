from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.commands.bench.long_session import write_session
from realtime_nb.recordings.recording import load


def test_the_long_session_is_like_a_real_one(tmp_path: Path) -> None:
    made = write_session(tmp_path, 9 * 10 / 60)
    recording = load(made.path)

    assert recording.problems == []
    assert made.turns == len(recording.turns) == 10
    assert made.events == recording.conversation.events_applied
    assert recording.conversation.unknown_events == 0
    assert made.events > 50_000 / 60 * 1.5  # an hour has more than 50,000
    assert recording.turns["latency_ms"].between(500, 1_000).all()
    assert recording.calls["name"].tolist() == ["check_appointments"] * 3
    calls = recording.calls
    assert calls["queue_ms"].tolist() == pytest.approx([1.0] * 3)
    assert calls["run_ms"].tolist() == pytest.approx([74.0] * 3)
    assert calls["run_outcome"].tolist() == ["ok"] * 3
    parts_ms = calls["queue_ms"] + calls["run_ms"] + calls["send_ms"]
    whole_ms = (calls["output_s"] - calls["done_s"]) * 1000
    assert parts_ms.tolist() == pytest.approx(whole_ms.tolist())
    assert recording.turns["turn"][recording.turns["interrupted"]].tolist() == [8]
    cut = recording.conversation.items["item_agent_7"]
    assert cut.truncated_ms == round(cut.played_ms or 0)
    times_s = recording.events["t_s"]
    assert times_s.is_monotonic_increasing
