"""The table of a recording's events."""

from __future__ import annotations

from pathlib import Path

from realtime_nb.analysis.event_table import events_table
from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import load
from tests.scripted_session import LiveSession, three_turns


def test_events_table(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    three_turns(LiveSession(recorder))
    recorder.close()
    recording = load(recorder.path)

    events = events_table(recording.raw_events())

    assert recording.events.equals(events)
    assert list(events.columns[:4]) == ["seq", "t_s", "direction", "type"]
    appends = events[(events.type == "input_audio_buffer.append") & events.audio_ms.notna()]
    assert len(appends) == 750
    assert set(appends.audio_ms) == {20.0}
    error = events[events.type == "error"].iloc[0]
    assert (error.direction, error.text) == ("received", "Nothing to cancel.")
    created = events[events.type == "response.created"]
    assert list(created.response_id) == [
        "resp_1",
        "resp_2",
        "resp_3",
        "resp_side",
        "resp_4",
        "resp_5",
    ]
    call = events[events.call_id == "call_1"]
    assert list(call.item_id.dropna()) == ["call_item"] * 3 + ["output_1"]
