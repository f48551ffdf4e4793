"""Logs of protocols that look alike are named, and not taken for empty sessions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.archive.other_wires import other_wire
from realtime_nb.errors import RecordingError
from realtime_nb.recordings.recording import load

LIVE: list[dict[str, Any]] = [
    {"type": "session.start", "session": {"model": "gpt-live-1"}},
    {"type": "session.started", "session": {"id": "s", "model": "gpt-live-1"}},
    {"type": "session.input_audio.append", "audio": "AAAA"},
    {"type": "session.update", "session": {"instructions": "Be brief."}},
    {"type": "session.output_transcript.delta", "delta": "Hi."},
    {"type": "response.event", "event": {"type": "response.created", "response": {"id": "r"}}},
    {"type": "error", "error": {"message": "no"}, "client_event_id": "c"},
    {"type": "session.closed", "usage": {"seconds": 12}},
]
TRANSLATION: list[dict[str, Any]] = [
    {"type": "session.created", "session": {"model": "gpt-realtime-translate"}},
    {"type": "session.input_audio_buffer.append", "audio": "AAAA"},
    {"type": "session.output_audio.delta", "delta": "AAAA"},
]


@pytest.mark.parametrize(("wire", "name"), [(LIVE, "GPT-Live"), (TRANSLATION, "translation")])
@pytest.mark.parametrize("wrapped", [False, True])
def test_another_wire_is_refused_by_its_name(
    tmp_path: Path, wire: list[dict[str, Any]], name: str, wrapped: bool
) -> None:
    lines = [{"time": 1.76e9 + n, "event": e} if wrapped else e for n, e in enumerate(wire)]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))

    with pytest.raises(RecordingError, match=f"is a log of the .*{name}.*Only logs of"):
        load(path)


@pytest.mark.parametrize("event", LIVE[:3])
def test_one_event_is_enough(event: dict[str, Any]) -> None:
    assert other_wire([event, {"type": "error", "error": {}}]) is not None


def test_a_realtime_session_is_one() -> None:
    events = [{"type": "session.created", "session": {"model": "gpt-realtime"}}]
    assert other_wire(events) is None
    assert other_wire([*events, *LIVE, {"type": "response.created", "response": {}}]) is None
