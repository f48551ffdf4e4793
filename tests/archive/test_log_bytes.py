"""A log's file is unpacked and read in whatever alphabet it is written."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import math
import os
import zipfile
from pathlib import Path

import pytest

from realtime_nb.archive.log_bytes import in_utf8, looks_like_log, unpacked, unpacked_file
from realtime_nb.errors import AudioError, RecordingError
from realtime_nb.recordings.recording import load
from tests.archive.good_log import good_lines
from tests.audio.wav_files import wav

LINES = [json.dumps(line) for line in good_lines()]
TEXT = ("\n".join(LINES) + "\n").encode()


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.gz", "log.jsonl", "log.txt.1.gz"])
def test_a_packed_log_is_the_log(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(TEXT))

    recording = load(tmp_path / name)

    assert (len(recording.events), recording.problems) == (len(LINES), [])


def test_packed_files_one_after_the_other_are_one(tmp_path: Path) -> None:
    half = len(TEXT) // 2
    (tmp_path / "log.gz").write_bytes(gzip.compress(TEXT[:half]) + gzip.compress(TEXT[half:]))

    assert len(load(tmp_path / "log.gz").events) == len(LINES)


def test_a_packed_log_whose_end_is_missing_says_so(tmp_path: Path) -> None:
    packed = gzip.compress(TEXT)
    (tmp_path / "log.gz").write_bytes(packed[: len(packed) * 3 // 4])

    recording = load(tmp_path / "log.gz")

    assert 0 < len(recording.events) < len(LINES)
    assert "The file is cut off: what is packed in it has no end." in recording.problems
    assert math.isnan(recording.cost().total_usd)


def test_what_unpacks_to_more_than_a_session_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(1 << 20)))

    with pytest.raises(RecordingError, match="more than 0 MB when it is unpacked"):
        unpacked_file(path, most=1_000)
    assert len(unpacked(path.read_bytes(), 1_000).content) <= 1_001


def test_damage_in_what_is_packed_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(gzip.compress(TEXT)[:10] + b"\xff" * 99)

    with pytest.raises(RecordingError, match=r"packed \(gzip\) and damaged"):
        load(tmp_path / "log.jsonl")


def test_other_packings_are_named_with_what_unpacks_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "zip.json", "w") as file:
        file.writestr("log.json", TEXT)
    (tmp_path / "bzip2.json").write_bytes(bz2.compress(TEXT))
    (tmp_path / "xz.json").write_bytes(lzma.compress(TEXT))

    for kind, command in {"zip": "unzip", "bzip2": "bunzip2", "xz": "unxz"}.items():
        with pytest.raises(RecordingError, match=rf"packed \({kind}\).*first: {command} "):
            load(tmp_path / f"{kind}.json")


@pytest.mark.parametrize(
    "alphabet", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
)
def test_alphabets(tmp_path: Path, alphabet: str) -> None:
    text = '{"type": "error", "error": {"message": "für 5 € 😀"}}\n' * 3
    assert in_utf8(text.encode(alphabet)) == text.encode()

    (tmp_path / "log.txt").write_bytes(text.encode(alphabet))
    assert load(tmp_path / "log.txt").problems[0].startswith("The log has no times")


@pytest.mark.parametrize("name", ["log", "session.out", "log.jsonl.1", "events.csv", "notes.md"])
def test_text_with_events_is_a_log_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(TEXT)

    assert len(load(tmp_path / name).events) == len(LINES)


def test_what_is_no_log_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "sound.wav").write_bytes(wav(b"\1\0" * 2_400))
    (tmp_path / "text.dat").write_text("The response.done event tells the usage.\n")
    (tmp_path / "sound.wav.gz").write_bytes(gzip.compress(wav(b"\1\0" * 2_400)))
    (tmp_path / "agent.py").write_text('await ws.send({"type": "response.create"})')
    os.mkfifo(tmp_path / "pipe")

    assert not any(map(looks_like_log, tmp_path.iterdir()))
    assert not looks_like_log(tmp_path / "nowhere")
    assert load(tmp_path / "sound.wav").duration_s == 0.1
    with pytest.raises(AudioError, match=r"not audio"):
        load(tmp_path / "text.dat")
