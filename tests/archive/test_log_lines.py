"""Events are found in whatever lines a program wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realtime_nb.archive.log_lines import log_in
from realtime_nb.recordings.recording import load
from tests.archive.wire_logs import iso, written


def test_array_that_was_cut_off_and_objects_over_several_lines(tmp_path: Path) -> None:
    lines = [
        "Connected.",
        "10:00:00.5 >>> " + json.dumps({"type": "response.create"}, indent=2),
        "10:00:01.0 <<< " + json.dumps({"type": "response.created", "response": {"id": "r"}}),
        '10:00:02.0 <<< {"type": "response.done", "respon',
    ]

    recording = load(written(tmp_path / "console.txt", lines))

    assert list(recording.events.t_s) == [0.0, 0.5]
    assert list(recording.events.direction) == ["sent", "received"]
    assert recording.problems == [
        "line 6 can't be read and is left out.",
        "1 line is without an event and left out.",
        "The log does not begin with session.created: what was sent and said before is not known, "
        "and so not where in the audio anything lies.",
        "The log does not hold all events of r: what is measured of them is not known.",
        "The log does not hold the response.done of 1 response.",
    ]

    array = json.dumps([{"type": "response.create"}, {"type": "error", "error": {}}], indent=2)
    (tmp_path / "cut.json").write_text(array[:-30])
    cut = load(tmp_path / "cut.json")
    assert list(cut.events.type) == ["response.create"]
    assert "can't be read" in cut.problems[0]


def test_repeated_events_that_a_console_only_counted(tmp_path: Path) -> None:
    delta = {"type": "response.output_text.delta", "delta": "Hi", "item_id": "i"}
    lines = [{"time": iso(0.5), "source": "server", "count": 7, "event": delta}]

    recording = load(written(tmp_path / "log.jsonl", lines))

    assert "counted repeated events: 6 of them are missing" in recording.problems[0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"type": "response.create", "event_id": "é"}\n', encoding)

    assert list(load(path).events.event_id) == ["é"]


def test_line_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(
        b'{"type": "response.create", "event_id": "\xe9"}\n{"type": "response.create"}'
    )

    assert load(path).events.event_id[0] == "\ufffd"


@pytest.mark.parametrize(
    "around",
    [
        {"_time": "2025-10-09T08:53:20.5Z", "_raw": ...},
        {"@t": "2025-10-09T08:53:20.5Z", "Event": ...},
        {"__REALTIME_TIMESTAMP": "1760000000500000", "__MONOTONIC_TIMESTAMP": "17", "MESSAGE": ...},
        {"asctime": "2025-10-09 08:53:20,500", "message": ...},
        {"text": ..., "record": {"time": {"repr": "x", "timestamp": 1_760_000_000.5}}},
        {"expires_at": 1_860_000_000, "eventTime": 1_760_000_000_500, "body": ...},
    ],
)
def test_a_time_is_found_by_whatever_name(around: dict[str, object]) -> None:
    event = '{"type": "response.create"}'
    line = {key: event if held is ... else held for key, held in around.items()}

    (entry,) = log_in(json.dumps(line).encode()).entries

    assert (entry.time_s, entry.axis) == (1_760_000_000.5, "epoch")
