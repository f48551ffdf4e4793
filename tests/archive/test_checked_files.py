"""Recordings that others made, to do harm or by mistake: one clear refusal, at once."""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

import realtime_nb as rt
from realtime_nb.archive.checked_files import KEPT_NAME, RECORDING_FILES, check_file, longest_s
from realtime_nb.errors import AudioError, RealtimeError, RecordingError
from realtime_nb.recordings.recording import load

HOURS = 3600.0
FILES = [name for name in RECORDING_FILES if name not in (KEPT_NAME, "items.wav")]


def fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


def link_to_zero(path: Path, _: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_another(path: Path, other: Path) -> None:
    path.symlink_to(other)


def link_to_nothing(path: Path, other: Path) -> None:
    path.symlink_to(other.with_name("absent"))


def directory(path: Path, _: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("put", [fifo, link_to_zero, link_to_another, link_to_nothing, directory])
@pytest.mark.parametrize("name", [*FILES, "items.wav"])
def test_only_regular_files_are_opened(
    folder: Path, tmp_path: Path, name: str, put: Callable[[Path, Path], None]
) -> None:
    other = tmp_path / "other"
    content = (folder / name).read_bytes() if (folder / name).exists() else b""
    other.write_bytes(content)
    (folder / name).unlink(missing_ok=True)
    put(folder / name, other)

    began_s = time.monotonic()
    with pytest.raises(RecordingError, match=r"is a link|no regular file"):
        load(folder)
    assert time.monotonic() - began_s < 2
    assert other.read_bytes() == content


def test_a_label_is_not_written_where_a_link_leads(folder: Path, tmp_path: Path) -> None:
    recording = load(folder)
    other = tmp_path / "other"
    other.write_text("mine")
    (folder / "labels.jsonl").unlink()
    (folder / "labels.jsonl").symlink_to(other)
    with pytest.raises(RecordingError, match="is a link"):
        recording.label(1.0, "x")
    assert other.read_text() == "mine"


@pytest.mark.parametrize("suffix", ["wav", "raw", "jsonl", "log", "mp3"])
def test_a_file_that_never_ends_is_refused(tmp_path: Path, suffix: str) -> None:
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    (tmp_path / f"zero.{suffix}").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(RealtimeError, match="no regular file"):
            load(tmp_path / f"{name}.{suffix}")


def test_what_somebody_names_may_be_a_link_to_a_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(folder)
    (tmp_path / "said.wav").symlink_to(folder / "input.wav")
    assert load(tmp_path / "linked").duration_s == load(folder).duration_s
    assert load(tmp_path / "said.wav").duration_s == pytest.approx(15.0)


@pytest.mark.parametrize("name", [*FILES, "items.wav"])
def test_sizes_that_no_session_has(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.truncate(6 << 30)  # of which the disk holds nothing
    with pytest.raises(RecordingError, match="no session gives more"):
        load(folder)


@pytest.mark.parametrize("suffix", ["wav", "raw"])
def test_a_sparse_audio_file_of_a_day(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"long.{suffix}"
    size = 4 << 30
    head = b""
    if suffix == "wav":
        form = struct.pack("<HHIIHH", 1, 1, 24_000, 48_000, 2, 16)
        head = b"RIFF" + struct.pack("<I", size - 8) + b"WAVEfmt " + struct.pack("<I", 16) + form
        head += b"data" + struct.pack("<I", size - 44)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    began_s = time.monotonic()
    with pytest.raises(AudioError, match="longer than 12 hours"):
        load(path)
    assert time.monotonic() - began_s < 5


def test_a_log_that_is_larger_than_memory(tmp_path: Path) -> None:
    with (tmp_path / "big.jsonl").open("wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(RecordingError, match="no session gives more"):
        load(tmp_path / "big.jsonl")


def test_a_line_without_end_is_one_line(folder: Path) -> None:
    with (folder / "events.jsonl").open("ab") as file:
        file.truncate(file.tell() + 40_000_000)
    assert [p for p in load(folder).problems if "can't be read" in p] != []


@pytest.mark.parametrize("told", [1e9, 1e300, 10**400, HOURS * 24 * 8])
def test_durations_that_no_session_has(folder: Path, told: float) -> None:
    rewrite_header(folder, duration_s=told)
    with pytest.raises(RecordingError, match="which none does"):
        load(folder)


def test_a_session_of_more_than_twelve_hours_is_opened(folder: Path) -> None:
    events = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    late = json.loads(events[-1])
    late["t"] = 13 * HOURS
    line = json.dumps(late).encode() + b"\n"
    (folder / "events.jsonl").write_bytes(b"".join(events[:-1]) + line * 500)
    rewrite_header(folder, duration_s=13 * HOURS)
    recording = load(folder)
    assert recording.duration_s == 13 * HOURS
    assert max(one.t_s for one in recording.raw_events()) == 13 * HOURS
    assert not [problem for problem in recording.problems if "can't be read" in problem]


def test_the_sound_of_thirteen_hours_vouches_for_as_many(folder: Path) -> None:
    size = round(13 * HOURS * 48_000)
    with (folder / "output.wav").open("wb") as file:
        file.truncate(size)
    events = (folder / "events.jsonl").stat().st_size  # a second for each byte
    assert longest_s(folder) == pytest.approx(max(26 * HOURS, events), rel=0.01)
    with pytest.raises(RecordingError, match="no session gives more"):
        check_file(folder / "output.wav")  # the disk holds nothing of it
    os.truncate(folder / "output.wav", round(11 * HOURS * 48_000))
    check_file(folder / "output.wav")


def test_a_week_is_the_longest_whatever_vouches_for_it(folder: Path) -> None:
    with (folder / "events.jsonl").open("ab") as file:
        file.truncate(1 << 30)
    assert longest_s(folder) == 7 * 24 * HOURS


@pytest.mark.parametrize("told", [-1, -1e9, "long", None, True, [], {}])
def test_durations_that_are_none_are_measured(folder: Path, told: Any) -> None:
    rewrite_header(folder, duration_s=told)
    assert load(folder).duration_s == pytest.approx(15.0, abs=1.0)


def rewrite_header(folder: Path, **facts: Any) -> None:
    header = json.loads((folder / "session.json").read_text())
    (folder / "session.json").write_text(json.dumps({**header, **facts}))


@pytest.mark.parametrize("time_s", [1e9, -1e9, 1e308])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("events.jsonl", "t"), ("events.jsonl", "captured")),
        *(("playback.jsonl", "t"), ("tools.jsonl", "t"), ("labels.jsonl", "t")),
    ],
)
def test_moments_that_no_session_has_are_left_out(
    folder: Path, name: str, key: str, time_s: float
) -> None:
    (folder / "labels.jsonl").write_text('{"t":1.0,"text":"x"}\n')
    (folder / "tools.jsonl").write_text('{"t":1.0,"call_id":"x","kind":"started","after":1}\n')
    lines = (folder / name).read_text().splitlines()
    last = {**json.loads(lines[-1]), key: time_s}
    (folder / name).write_text("\n".join([*lines[:-1], json.dumps(last)]) + "\n")
    header = json.loads((folder / "session.json").read_text())
    del header["duration_s"]
    (folder / "session.json").write_text(json.dumps(header))

    recording = load(folder)

    assert recording.duration_s < 60
    assert any(name in problem for problem in recording.problems)
    assert all(abs(line.t_s) < 12 * HOURS for line in recording.raw_events())
    recording.plot_timeline()
    plt.close("all")


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, '{"a":' * 100_000, '{"format":' + "[" * 100_000),
        '{"format": "realtime_nb recording", "format_version": 1, "deep": ' + "[" * 50_000,
    ],
)
@pytest.mark.parametrize("close", [False, True])
def test_a_header_that_is_nested_too_deeply(folder: Path, text: str, close: bool) -> None:
    ends = {"[": "]", "{": "}"}
    whole = text + "".join(ends[one] for one in reversed(text) if one in ends)
    (folder / "session.json").write_text(whole if close else text)
    with pytest.raises(RecordingError):
        load(folder)


@pytest.mark.parametrize(
    "reference",
    [
        {"file": "received.wav", "start": 0, "samples": 10**15},
        {"file": "received.wav", "start": 10**15, "samples": 10},
        {"file": "received.wav", "start": 10**30, "samples": 10**30},
        {"file": "received.wav", "start": -5, "samples": 10},
        {"file": "received.wav", "start": 0, "samples": -1},
        {"file": "/etc/passwd", "start": 0, "samples": 10},
        {"file": "../../secret.wav", "start": 0, "samples": 10},
    ],
)
def test_references_that_lead_nowhere(folder: Path, reference: dict[str, Any]) -> None:
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    for line in lines:
        if isinstance(line["event"].get("delta"), dict):
            line["event"]["delta"] = reference
    (folder / "events.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    recording = load(folder)
    recording.findings()
    recording.plot_timeline()
    rt.Timeline(recording).close()
    plt.close("all")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\udcff", "a" * 300 + "/b", "", "\n"])
def test_names_that_no_file_has(name: str) -> None:
    with pytest.raises(RealtimeError) as raised:
        load(name)
    assert str(raised.value)
