"""Entries are found in documents, tables and batches as collectors and consoles export them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_nb.archive.log_batches import entries_in, table_in
from realtime_nb.archive.log_text import objects_in
from realtime_nb.recordings.recording import load
from tests.archive.good_log import good_lines
from tests.archive.wire_logs import BEGAN, iso

Line = dict[str, Any]
GOOD = good_lines()
TIMES_S = [line["time"] - GOOD[0]["time"] for line in GOOD]


def at(line: Line) -> str:
    return iso(line["time"] - BEGAN)


def nanoseconds(line: Line) -> str:
    return f"{round(line['time'] * 1e6)}000"


def table(delimiter: str, names: list[str] | None) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    if names:
        writer.writerow(names)
    for line in GOOD:
        writer.writerow([at(line), line["direction"], json.dumps(line["event"], indent=1)])
    return out.getvalue()


DOCUMENTS: dict[str, Callable[[], object]] = {
    "search engine": lambda: {
        "hits": {
            "total": {"value": 3},
            "hits": [
                {"_id": str(n), "_source": {"@timestamp": at(line), "message": line["event"]}}
                for n, line in enumerate(GOOD)
            ],
        }
    },
    "streams of pairs": lambda: {
        "status": "success",
        "data": {
            "result": [
                {
                    "stream": {"app": "agent"},
                    "values": [[nanoseconds(line), json.dumps(line["event"])] for line in GOOD],
                }
            ]
        },
    },
    "query of fields and values": lambda: {
        "results": [
            [
                {"field": "@timestamp", "value": at(line)},
                {"field": "@message", "value": json.dumps(line["event"])},
                {"field": "@ptr", "value": "CmEKJgo"},
            ]
            for line in GOOD
        ]
    },
    "columns and rows": lambda: {
        "tables": [
            {
                "columns": [{"name": "timestamp"}, {"name": "message"}],
                "rows": [[at(line), json.dumps(line["event"])] for line in GOOD],
            }
        ]
    },
    "time, way, event": lambda: [[line["time"], line["direction"], line["event"]] for line in GOOD],
    "by number": lambda: {
        str(n): {"at": at(line), "e": line["event"]} for n, line in enumerate(GOOD)
    },
    "deep": lambda: {
        "call": {"id": "1", "events": [{"at": at(line), "e": line["event"]} for line in GOOD]}
    },
}
TEXTS: dict[str, Callable[[], str]] = {
    **{
        name: lambda made=made: json.dumps(made(), indent=1)  # type: ignore[misc]
        for name, made in DOCUMENTS.items()
    },
    "telemetry, a batch a line": lambda: "\n".join(
        json.dumps(
            {
                "resourceLogs": [
                    {
                        "resource": {"attributes": [{"key": "host", "value": {"a": 1}}]},
                        "scopeLogs": [
                            {
                                "logRecords": [
                                    {
                                        "timeUnixNano": nanoseconds(line),
                                        "body": {"stringValue": json.dumps(line["event"])},
                                    }
                                    for line in GOOD[start : start + 7]
                                ]
                            }
                        ],
                    }
                ]
            }
        )
        for start in range(0, len(GOOD), 7)
    ),
    "printed list": lambda: repr([{"at": at(line), "event": line["event"]} for line in GOOD]),
    "printed list, assigned": lambda: f"log = {[(line['time'], line['event']) for line in GOOD]}",
    "text of text": lambda: json.dumps("\n".join(map(json.dumps, GOOD))),
    "table with names": lambda: table(",", ["@timestamp", "direction", "event"]),
    "table without": lambda: table(",", None),
    "table of a spreadsheet": lambda: table(";", ["Date", "direction", "Log line"]),
}


@pytest.mark.parametrize("form", TEXTS)
def test_whatever_is_around_them_the_events_are_the_same(tmp_path: Path, form: str) -> None:
    (tmp_path / "log.json").write_text(TEXTS[form](), newline="")

    recording = load(tmp_path / "log.json")

    assert recording.problems == []
    assert list(recording.events.type) == [line["event"]["type"] for line in GOOD]
    np.testing.assert_allclose(recording.events.t_s, TIMES_S, atol=1e-5)
    assert len(recording.turns) == 3


def is_entry(value: dict[str, Any]) -> bool:
    return "type" in value or "type" in str(value.get("message", ""))


def test_what_holds_no_event_is_one_entry() -> None:
    values: list[object] = [
        {"level": "info", "tags": ["a", {"b": [1]}]},
        {"a": {}},
        "text",
        3,
        None,
    ]
    for value in values:
        assert [*entries_in(value, is_entry)] == [value]


def test_objects_that_only_look_like_fields_and_values_are_entries_of_their_own() -> None:
    stream = [{"key": str(n), "value": {"type": "x", "n": n}} for n in range(3)]

    assert [*entries_in(stream, lambda value: "type" in value)] == [one["value"] for one in stream]


def test_a_depth_without_end_is_left_alone() -> None:
    deep: Any = {"type": "x"}
    for _ in range(900):
        deep = [deep]
    assert len([*entries_in(deep, is_entry)]) == 1


def test_lines_of_json_are_no_table() -> None:
    assert table_in(b'{"type": "x", "arguments": "{\\"\\": 1}"}\n') is None


def test_an_event_that_is_told_twice_is_one_entry(tmp_path: Path) -> None:
    event = {"type": "response.create"}
    (tmp_path / "log.jsonl").write_text(json.dumps({"event": event, "raw": json.dumps(event)}))

    assert len(load(tmp_path / "log.jsonl").events) == 1


def test_a_line_of_many_braces_takes_no_time() -> None:
    line = b"x " + b'{"a' * 200_000

    assert [found.damaged for found in objects_in(line)] == [True]
