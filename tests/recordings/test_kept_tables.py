from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from realtime_nb.analysis.exports import TABLES
from realtime_nb.recordings.kept_tables import (
    KEPT,
    Attempt,
    KeptTables,
    attempt,
    made_with,
    make_tables,
)
from realtime_nb.recordings.recording import load
from tests.paths import DATA


def test_every_table_is_kept_but_that_of_the_events() -> None:
    assert set(TABLES) - set(KEPT) == {"events"}


def test_what_listens_to_the_audio_makes_everything() -> None:
    assert made_with("metrics") == made_with("latency") == KEPT
    assert "speech" in made_with("calls")
    assert "turns" not in made_with("calls")


def test_a_table_that_cannot_be_made_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = load(DATA / "cards_001.wav")
    monkeypatch.setitem(TABLES, "calls", lambda _: 1 / 0)
    made = make_tables(("turns", "calls"), recording)

    assert made["calls"] == Attempt(problem="ZeroDivisionError: division by zero")
    assert isinstance(made["turns"].value, pd.DataFrame)
    assert attempt(lambda: 3) == Attempt(3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(DATA / "cards_001.wav", tmp_path))


def kept_of(path: Path) -> KeptTables:
    kept = KeptTables()
    ((_, stamp),) = kept.missing("turns", [path]).items()
    kept.keep(path, stamp, {"turns": Attempt(pd.DataFrame({"turn": [1]})), "calls": Attempt()})
    return kept


def test_what_is_kept_holds_until_a_file_changes(file: Path) -> None:
    kept = kept_of(file)

    assert not kept.missing("turns", [file, file])
    table = kept.outcome(file, "turns").value
    assert table is not None
    assert table["turn"].tolist() == [1]
    assert list(kept.missing("calls", [file])) == [file]  # could not be made: tried again
    with file.open("ab") as audio:
        audio.write(b"\0\0")
    assert list(kept.missing("turns", [file])) == [file]


def test_same_size_and_an_old_date_are_no_disguise(tmp_path: Path, file: Path) -> None:
    kept, before = kept_of(file), file.stat()
    other = tmp_path / "other.wav"
    other.write_bytes(bytes(before.st_size))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)

    assert file.stat().st_size == before.st_size
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert list(kept.missing("turns", [file])) == [file]


def test_what_is_gone_is_not_kept(file: Path) -> None:
    kept = kept_of(file)
    file.unlink()

    missing = kept.missing("turns", [file])
    assert missing == {file: None}
    kept.keep(file, missing[file], {"turns": Attempt(pd.DataFrame())})
    assert file in kept.missing("turns", [file])
