"""Losses of the connection and lost races in the table of events, live and recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.analysis.exports import marks
from realtime_nb.widgets.event_inspector import EventInspector
from tests.lost_connection import answered, lost
from tests.made_recording import MadeRecording

RACE = {"code": "response_cancel_not_active", "message": "No.", "event_id": "asked"}
REFUSED = {"code": "response_cancel_not_active", "message": "No.", "event_id": "other"}


def types(inspector: EventInspector) -> list[str]:
    return [one.type for one in inspector._events]


def test_a_recording_has_rows_for_its_connections(tmp_path: Path) -> None:
    recording = lost(tmp_path, answered)
    shown = types(EventInspector(recording))
    kinds = [one for one in shown if one.startswith("connection.")]
    assert kinds[0] == "connection.lost"
    assert kinds[-1] == "connection.reconnected"
    assert len(shown) == len(list(recording.raw_events())) + len(kinds)

    table = recording.events
    assert table["type"].tolist() == shown
    told = table[table["type"].str.startswith("connection.")]
    assert told["seq"].isna().all()
    assert told["t_s"].is_monotonic_increasing
    (gap,) = recording.reconnections.to_dict("records")
    assert told["t_s"].iloc[0] == pytest.approx(gap["lost_s"])
    at = shown.index("connection.resumed")
    assert table["t_s"].iloc[at - 1] <= table["t_s"].iloc[at] <= table["t_s"].iloc[at + 1]
    wire = table[table["seq"].notna()]
    assert wire["seq"].tolist() == list(range(len(wire)))


def test_a_lost_race_is_no_error() -> None:
    inspector = EventInspector()
    inspector.add("sent", {"type": "response.cancel", "event_id": "asked"}, 1.0)
    inspector.add("sent", {"type": "conversation.item.delete", "event_id": "other"}, 1.0)
    inspector.add("received", {"type": "error", "error": RACE}, 1.1)
    inspector.add("received", {"type": "error", "error": REFUSED}, 1.2)
    inspector.add("received", {"type": "error", "error": "none"}, 1.3)
    assert [one.benign for one in inspector._events] == [False, False, True, False, False]
    assert "2 of them errors" in inspector.summary()


def test_nor_is_it_one_in_exports() -> None:
    made = MadeRecording()
    made.sent(1.0, "response.cancel", event_id="asked")
    made.got(1.1, "error", error=RACE)
    made.sent(1.15, "conversation.item.delete", item_id="i", event_id="other")
    made.got(1.2, "error", error=REFUSED)
    assert [one.start_s for one in marks(made) if one.lane == "errors"] == [1.2]
