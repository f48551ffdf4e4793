"""Logs as they are found: of browsers, containers, loggers, without audio, with broken text."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb.recordings.recording import Recording, load
from tests.archive.good_log import good_lines
from tests.archive.wire_logs import BEGAN, iso, written
from tests.scripted_session import session

Line = dict[str, Any]
GOOD = good_lines()
EVENTS = [line["event"] for line in GOOD]


# --- forms ----------------------------------------------------------------------------------------


def clock(line: Line) -> str:
    """Return the time as a browser of twelve hours prints it, from 12:59:55 PM on."""
    seconds = 46_795 + line["time"] - BEGAN
    hour, minute = int(seconds // 3600), int(seconds // 60) % 60
    return f"10/9/2025, {(hour - 1) % 12 + 1}:{minute:02d}:{seconds % 60:09.6f} PM"


FORMS: dict[str, Callable[[Line], object]] = {
    "envelope of another name": lambda line: {
        "timestamp": iso(line["time"] - BEGAN),
        "event_type": line["event"]["type"],
        "event_data": line["event"],
    },
    "own type, the event as text": lambda line: {
        "type": line["event"]["type"],
        "hasItem": False,
        "timestamp": line["time"],
        "fullEvent": json.dumps(line["event"], indent=1),
    },
    "container": lambda line: {
        "log": json.dumps({"event": line["event"]}) + "\n",
        "stream": "stdout",
        "time": iso(line["time"] - BEGAN).replace("+00:00", "Z"),
    },
    "name and fields apart": lambda line: {
        "ts": line["time"],
        "name": line["event"]["type"],
        "fields": {key: held for key, held in line["event"].items() if key != "type"},
    },
    "twelve hours": lambda line: f"[{clock(line)}] {json.dumps(line['event'])}",
    "printed dict": lambda line: f"{iso(line['time'] - BEGAN)} - DEBUG - >>> {line['event']!r}",
    "printed message": lambda line: (
        f"{iso(line['time'] - BEGAN)} got WSMessage(type=<WSMsgType.TEXT: 1>, "
        f"data={json.dumps(line['event'])!r}, extra='')"
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_whatever_the_form_the_session_is_the_same(tmp_path: Path, form: str) -> None:
    whole = load(written(tmp_path / "good.jsonl", GOOD))

    recording = load(written(tmp_path / "log.txt", map(FORMS[form], GOOD)))

    assert recording.problems == []
    assert list(recording.events.type) == [event["type"] for event in EVENTS]
    np.testing.assert_allclose(recording.events.t_s, whole.events.t_s, atol=1e-5)
    pd.testing.assert_frame_equal(recording.turns, whole.turns, atol=0.1, rtol=0)
    assert recording.conversation.transcript() == whole.conversation.transcript()


def test_a_har_export_of_a_browser(tmp_path: Path) -> None:
    messages = [
        {
            "type": "send" if line["direction"] == "sent" else "receive",
            "time": line["time"],
            "opcode": 1,
            "data": json.dumps(line["event"]),
        }
        for line in GOOD
    ]
    page = {"request": {"url": "https://app.example"}, "response": {"content": {"text": "{}"}}}
    path = tmp_path / "page.har"
    path.write_text(json.dumps({"log": {"entries": [page, {"_webSocketMessages": messages}]}}))

    recording = load(path)

    assert recording.problems == []
    assert (len(recording.events), len(recording.turns)) == (len(GOOD), 3)


def test_a_container_cuts_long_lines(tmp_path: Path) -> None:
    lines = []
    for line in GOOD:
        text = json.dumps(line) + "\n"
        pieces = [text[start : start + 1_000] for start in range(0, len(text), 1_000)]
        lines += [{"log": piece, "stream": "stdout", "time": iso(0)} for piece in pieces]

    recording = load(written(tmp_path / "container.log", lines))

    assert recording.problems == []
    assert len(recording.events) == len(GOOD)


def test_times_of_day_go_on_over_midnight(tmp_path: Path) -> None:
    lines = [f'23:59:58.5 {{"type": "response.create", "event_id": "{n}"}}' for n in range(2)]
    lines.append('00:00:01.0 {"type": "response.create"}')

    assert list(load(written(tmp_path / "log.txt", lines)).events.t_s) == [0, 0, 2.5]


# --- audio that is in no event --------------------------------------------------------------------


def webrtc() -> list[Line]:
    """Two answers over WebRTC: one that is heard to its end, and one that is talked over."""
    script: list[tuple[float, str, dict[str, Any]]] = [
        (0.1, "session.created", {"session": session()}),
    ]
    for start_s, n in ((1.0, 1), (6.0, 2)):
        user, answer, response = f"u{n}", f"a{n}", f"r{n}"
        item = {"id": user, "type": "message", "role": "user"}
        item["content"] = [{"type": "input_audio", "transcript": None}]  # type: ignore[assignment]
        says = {"id": answer, "type": "message", "role": "assistant", "status": "in_progress"}
        words = "Let me see what is free on Friday evening"
        ids = {"response_id": response, "item_id": answer}
        at_ms = {"item_id": user, "audio_start_ms": round(start_s * 1000)}
        script += [
            (start_s + 0.5, "input_audio_buffer.speech_started", at_ms),
            (
                start_s + 1.6,
                "input_audio_buffer.speech_stopped",
                {"item_id": user, "audio_end_ms": round(start_s * 1000 + 1_500)},
            ),
            (start_s + 1.6, "input_audio_buffer.committed", {"item_id": user}),
            (start_s + 1.6, "conversation.item.added", {"item": item}),
            (start_s + 1.7, "response.created", {"response": {"id": response}}),
            (start_s + 1.8, "response.output_item.added", {"item": says, **ids}),
            (start_s + 1.9, "response.output_audio_transcript.delta", {"delta": words, **ids}),
            (start_s + 2.0, "output_audio_buffer.started", ids),
        ]
        if n == 1:
            done = {"id": response, "status": "completed"}
            final = {**says, "status": "completed"}
            script += [
                (start_s + 2.1, "response.output_item.done", {"item": final, **ids}),
                (start_s + 2.2, "response.done", {"response": done}),
                (start_s + 3.5, "output_audio_buffer.stopped", ids),
            ]
    heard = {"item_id": "u3", "audio_start_ms": 8_200}
    cancelled = {"type": "cancelled", "reason": "turn_detected"}
    done = {"id": "r2", "status": "cancelled", "status_details": cancelled}  # type: ignore[dict-item]
    script += [
        (8.8, "input_audio_buffer.speech_started", heard),
        (8.82, "output_audio_buffer.cleared", {"response_id": "r2"}),
        (8.83, "conversation.item.truncated", {"item_id": "a2", "audio_end_ms": 790}),
        (8.84, "response.done", {"response": done}),
    ]
    return [{"time": BEGAN + t, "event": {"type": name, **held}} for t, name, held in script]


def test_a_log_of_webrtc(tmp_path: Path) -> None:
    recording = load(written(tmp_path / "webrtc.jsonl", webrtc()))

    turns = recording.turns
    assert turns.audio_ms.isna().all()
    assert list(turns.played_ms) == pytest.approx([1_500, 790])
    # The window of 200 ms is 224 of whole frames; the report came 1.6 s after, the sound 2.0 s.
    assert list(turns.latency_ms) == pytest.approx([400 + 224] * 2)
    assert set(turns.speech_end_source) == {"server_report"}
    assert set(recording.latency.played_source) == {"output_audio_buffer"}
    assert turns.heard_text[0] == turns.agent_text[0]
    assert turns.agent_text[1].startswith(turns.heard_text[1])
    assert 0 < len(turns.heard_text[1]) < len(turns.agent_text[1])
    assert list(turns.interrupted) == [False, True]
    assert recording.metrics().value["interruptions"] == 1
    assert "The log does not hold the audio that was received." in recording.problems
    metrics = recording.metrics()
    for name in ("agent_talk_s", "user_talk_s", "unheard_ms", "talk_minute_usd"):
        assert math.isnan(metrics.value[name]) and metrics.reason[name]


def without_deltas(lines: list[Line]) -> list[Line]:
    return [one for one in lines if one["event"]["type"] != "response.output_audio.delta"]


def sliced(lines: list[Line]) -> list[Line]:
    kinds = {"response.output_audio.delta": "delta", "input_audio_buffer.append": "audio"}
    return [
        {**one, "event": {**one["event"], key: one["event"][key][:60]}}
        if (key := kinds.get(one["event"]["type"]))
        else one
        for one in lines
    ]


@pytest.mark.parametrize("damage", [without_deltas, sliced])
def test_audio_that_was_not_logged_is_unknown(
    tmp_path: Path, damage: Callable[[list[Line]], list[Line]]
) -> None:
    recording = load(written(tmp_path / "log.jsonl", damage(GOOD)))

    assert "The log does not hold the audio that was received." in recording.problems
    turns = recording.turns
    assert turns[["audio_ms", "unheard_ms", "latency_ms"]].isna().all(axis=None)
    assert turns.heard_text.isna().all()
    notes = set(turns.latency_note[turns.source == "speech"])
    assert notes <= {
        "the log does not hold the audio that was received",
        "the log does not hold the audio that was sent",
    }
    assert recording.conversation.gaps["output"]
    assert [bool(text) for text in turns.agent_text] == [True] * 3


def test_a_written_answer_has_no_audio_that_could_be_missing(tmp_path: Path) -> None:
    ids = {"response_id": "r", "item_id": "a"}
    item = {"id": "a", "type": "message", "role": "assistant"}
    lines = [
        {"type": "session.created", "session": session()},
        {"type": "response.created", "response": {"id": "r"}},
        {"type": "response.output_item.added", "item": item, **ids},
        {"type": "response.output_text.delta", "delta": "Hi.", **ids},
        {"type": "response.output_item.done", "item": {**item, "status": "completed"}, **ids},
        {"type": "response.done", "response": {"id": "r", "status": "completed"}},
    ]

    recording = load(written(tmp_path / "log.jsonl", lines))

    assert recording.conversation.items["a"].audio_ms == 0
    assert "output" not in recording.conversation.gaps


# --- text that can't be encoded -------------------------------------------------------------------


def broken() -> list[Line]:
    """Half a letter wherever there is text: in texts, arguments, outputs, errors, ids, names."""
    half = "half \ud83d!"
    lines = json.loads(json.dumps(GOOD))
    for line in lines:
        event = line["event"]
        for key in ("transcript", "delta", "arguments"):
            if isinstance(event.get(key), str) and "audio.delta" not in event["type"]:
                event[key] = half
        item = event.get("item", {})
        for part in item.get("content") or []:
            part.update({key: half for key in ("text", "transcript") if part.get(key)})
        if item.get("type") == "function_call":
            item |= {"name": half, "arguments": half}
    lines.append(
        {"time": BEGAN + 20, "event": {"type": "error", "error": {"code": half, "message": half}}}
    )
    return list(lines)


def written_broken(folder: Path) -> Recording:
    name = b"half \xff.jsonl".decode(errors="surrogateescape")  # of a file system
    return load(written(folder / name, broken()))


def test_half_letters_are_in_no_table_and_no_export(tmp_path: Path) -> None:
    recording = written_broken(tmp_path)

    assert "half \ufffd!" in set(recording.turns.user_text)
    folder = tmp_path / "exports"
    recording.to_csv(folder)
    recording.to_parquet(folder)
    count = len(GOOD) + 1
    assert len(recording.events) == count
    assert len(pd.read_parquet(folder / "events.parquet")) == count
    with (folder / "events.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == count + 1
    recording.to_audacity(folder / "labels.txt")
    recording.to_rttm(folder / "speech.rttm")
    recording.to_chrome_trace(folder / "trace.json")
    recording.report(folder / "report.html")
    for path in folder.iterdir():
        if path.suffix != ".parquet":
            assert "\\ud83d" not in path.read_bytes().decode("utf-8")
    texts = [recording.transcript(), recording._repr_html_(), str(recording.findings())]
    texts += [recording.turns.to_json(), recording.events.to_json()]
    for text in texts:
        assert text.encode() and "\\ud83d" not in text
    assert (
        "\ufffd" in (folder / "trace.json").read_text()
        or "\\ufffd" in (folder / "trace.json").read_text()
    )
