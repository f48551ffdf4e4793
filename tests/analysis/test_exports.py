from __future__ import annotations

import csv
import json
import math
import sys
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from realtime_nb.analysis.columns import definitions
from realtime_nb.analysis.columns.frames import of_recording
from realtime_nb.analysis.exports import (
    TABLES,
    marks,
    write_audacity,
    write_chrome_trace,
    write_csv,
    write_parquet,
    write_rttm,
    write_table,
)
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.files import load_audio
from realtime_nb.errors import ConfigurationError, MissingExtraError
from realtime_nb.recordings.recording import Recording, load
from tests.lost_connection import answered, lost
from tests.made_recording import MadeRecording
from tests.paths import DATA
from tests.scripted_session import LiveSession, three_turns


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {"dialect": "ga"})
    live = LiveSession(recorder)
    three_turns(live)
    recorder.label(13.0, "not\tfinished")
    recorder.close(duration_s=16.2)
    return load(recorder.path)


@pytest.fixture(scope="module")
def audio_only() -> Recording:
    return load(DATA / "cards_001.wav")


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_the_same_types_when_it_is_empty(
    recording: Recording, audio_only: Recording, name: str, tmp_path: Path
) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet")

    full, empty = tmp_path / "full.parquet", tmp_path / "empty.parquet"
    if name == "reconnections":
        recording = lost(tmp_path, answered)
    rows = write_parquet(recording, name, full)
    write_parquet(audio_only, name, empty)

    assert rows == len(TABLES[name](recording)) > 0
    assert pyarrow.read_schema(full).remove_metadata() == pyarrow.read_schema(empty)


def test_parquet_keeps_values(recording: Recording, tmp_path: Path) -> None:
    write_table("turns", of_recording(recording.turns, "mine"), tmp_path / "turns.parquet")
    turns = pd.read_parquet(tmp_path / "turns.parquet")

    assert turns["recording"].tolist() == ["mine"] * 3
    assert turns["user_text"].tolist() == recording.turns["user_text"].tolist()
    assert turns["latency_ms"].tolist() == pytest.approx(
        recording.turns["latency_ms"].tolist(), nan_ok=True
    )
    assert turns["interrupted"].tolist() == recording.turns["interrupted"].tolist()
    assert [list(names) for names in turns["calls"]] == recording.turns["calls"].tolist()


def test_csv_keeps_values(recording: Recording, tmp_path: Path) -> None:
    assert write_csv(recording, "turns", tmp_path / "turns.csv") == 3
    turns = pd.read_csv(tmp_path / "turns.csv")

    assert turns["user_text"].tolist() == recording.turns["user_text"].tolist()
    assert [json.loads(names) for names in turns["calls"]] == recording.turns["calls"].tolist()


FORMULAS = [
    *('=HYPERLINK("http://evil")', "+1+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(1)", "\t=1+1"),
    *("\r=1+1", "\n=1", " =1+1", "\u3000=1", "\ufeff=1", "\uff1d1+1", "-", "="),
]


def test_what_somebody_said_is_no_formula(tmp_path: Path) -> None:
    said = [*FORMULAS, "well = fine", "-5", "+49", "a-b", "'=1"]
    made = MadeRecording()
    for number, text in enumerate(said):
        made.user(1.0 + number, f"u{number}", text)
        made.got(1.6 + number, "error", error={"message": text, "code": text, "type": text})
    for name in ("turns", "events", "findings", "latency"):
        write_csv(made, name, tmp_path / f"{name}.csv")
        with (tmp_path / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        for cell in cells:
            if unicodedata.normalize("NFKC", cell).lstrip("\ufeff").strip()[:1] in tuple("=+-@"):
                float(cell)
            assert not cell.startswith(("\t", "\r", "\n"))
    with (tmp_path / "turns.csv").open(newline="", encoding="utf-8") as file:
        texts = [row["user_text"] for row in csv.DictReader(file)]
    marked = len(FORMULAS)
    assert texts == [*(f"'{one.strip()}" for one in said[:marked]), *said[marked:]]


def test_negative_numbers_stay_numbers(recording: Recording, tmp_path: Path) -> None:
    write_csv(recording, "latency", tmp_path / "latency.csv")
    read = pd.read_csv(tmp_path / "latency.csv")
    numbers = [one.name for one in definitions.TABLES["latency"].columns if one.kind == "number"]
    for name in numbers:
        assert read[name].dtype.kind in "fi"
        assert read[name].tolist() == pytest.approx(recording.latency[name].tolist(), nan_ok=True)


def test_an_unknown_table_is_named(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no table 'turn'\. Choose from events, turns"):
        write_csv(recording, "turn", tmp_path / "turn.csv")


def test_without_pyarrow_the_install_line_is_named(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With it, pandas itself takes from pyarrow what it needs for a table that is written.
    assert write_parquet(recording, "turns", tmp_path / "turns.parquet") == len(recording.turns)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'realtime_nb\[scale\]'"):
        write_parquet(recording, "turns", tmp_path / "turns.parquet")


def test_marks_are_where_things_happened(recording: Recording) -> None:
    found = marks(recording)

    by_lane = {lane: [mark for mark in found if mark.lane == lane] for lane in ("user", "agent")}
    assert [mark.text for mark in by_lane["user"]] == ["Which slots are free?", "No, thank you."]
    speech = recording.speech
    assert [mark.start_s for mark in by_lane["user"]] == speech["onset_s"].tolist()
    assert [(mark.start_s, mark.end_s) for mark in by_lane["agent"]] == [
        pytest.approx((3.78, 5.79)),
        pytest.approx((8.9, 10.4)),
        pytest.approx((12.0, 13.2)),
    ]
    assert by_lane["agent"][2].text == recording.conversation.items["agent_3"].heard_text
    (call,) = (mark for mark in found if mark.lane == "tools")
    assert (call.start_s, call.end_s) == (7.5, 8.3)
    assert call.text == 'book({"time": "10:00"})'
    assert [mark.start_s for mark in found] == sorted(mark.start_s for mark in found)


def test_a_bare_file_has_the_detectors_speech(audio_only: Recording) -> None:
    found = marks(audio_only)

    assert {mark.lane for mark in found} == {"user"}
    assert 0 <= found[0].start_s < found[-1].end_s <= audio_only.duration_s
    assert len(load_audio(DATA / "cards_001.wav")) == len(audio_only.input)


def test_audacity_labels(recording: Recording, tmp_path: Path) -> None:
    count = write_audacity(recording, tmp_path / "labels.txt")
    lines = (tmp_path / "labels.txt").read_text().splitlines()

    assert len(lines) == count == len(marks(recording))
    assert "13.000000\t13.000000\tlabels: not finished" in lines
    assert all(len(line.split("\t")) == 3 for line in lines)


def test_rttm(recording: Recording, tmp_path: Path) -> None:
    assert write_rttm(recording, tmp_path / "call.rttm") == 5
    lines = [line.split(" ") for line in (tmp_path / "call.rttm").read_text().splitlines()]

    assert all(len(fields) == 10 and fields[0] == "SPEAKER" for fields in lines)
    assert {fields[7] for fields in lines} == {"user", "agent"}
    agent = [fields for fields in lines if fields[7] == "agent"]
    assert (agent[0][3], agent[0][4]) == ("3.780", "2.010")


def test_chrome_trace(recording: Recording, tmp_path: Path) -> None:
    count = write_chrome_trace(recording, tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]

    assert len(events) == count
    rows = {
        event["args"]["name"]: event["tid"] for event in events if event["name"] == "thread_name"
    }
    spans = [event for event in events if event["ph"] == "X"]
    (call,) = (event for event in spans if event["tid"] == rows["tools"])
    assert (call["ts"], call["dur"]) == (7_500_000, 800_000)
    parts = [event for event in spans if event["tid"] == rows["latency"]]
    known_ms = recording.latency[list(LATENCY_PARTS)].sum().sum()
    assert sum(event["dur"] for event in parts) / 1000 == pytest.approx(known_ms, abs=0.1)
    assert all(not math.isnan(event["ts"]) for event in spans)
    assert {event["ph"] for event in events if event["tid"] == rows["labels"]} == {"M", "i"}
    # The only error of the session is that of a lost race.
    assert {event["ph"] for event in events if event["tid"] == rows["errors"]} == {"M"}
