"""What was heard in a recording is kept beside it, and is never that of other audio."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime_nb.analysis import voices as voices_module
from realtime_nb.analysis.voices import Voices, listen
from realtime_nb.commands.bench.long_session import write_session
from realtime_nb.recordings import kept_voices
from realtime_nb.recordings.collection import Recordings
from realtime_nb.recordings.kept_voices import KEPT_NAME
from realtime_nb.recordings.recording import Recording, load


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of a minute and a half, closed some time ago."""
    folder = write_session(tmp_path_factory.mktemp("made"), 1.5).path
    for file in folder.iterdir():
        os.utime(file, ns=(10**18, 10**18))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "session"))


@pytest.fixture
def listened(monkeypatch: pytest.MonkeyPatch) -> list[Recording]:
    """Whose audio was listened to."""
    found: list[Recording] = []

    def noting(rec: Recording) -> voices_module.Heard:
        found.append(rec)
        return listen(rec)

    monkeypatch.setattr(voices_module, "listen", noting)
    return found


def heard(folder: Path) -> Voices:
    return load(folder).voices


def test_opening_it_again_costs_nothing(folder: Path, listened: list[Recording]) -> None:
    first = heard(folder)
    assert len(first.user) > 3 and len(first.agent) > 3

    assert heard(folder) == first
    assert len(listened) == 1
    assert sorted(path.name for path in folder.iterdir() if KEPT_NAME in path.name) == [KEPT_NAME]


def test_a_copy_of_it_has_been_heard_too(folder: Path, listened: list[Recording]) -> None:
    first = heard(folder)
    copied = Path(shutil.copytree(folder, folder.with_name("copy")))
    os.utime(copied / "input.wav")

    assert heard(copied) == first
    assert len(listened) == 1


@pytest.mark.parametrize("name", ["input.wav", "output.wav"])
@pytest.mark.parametrize("same_time", [True, False])
def test_other_audio_is_heard(
    folder: Path, listened: list[Recording], name: str, same_time: bool
) -> None:
    """Be it as long and, by its name and times, as old."""
    first = heard(folder)
    path = folder / name
    status, content = path.stat(), bytearray(path.read_bytes())
    content[44 : len(content) // 2 // 2 * 2] = bytes(len(content) // 2 // 2 * 2 - 44)
    path.write_bytes(content)
    if same_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    second = heard(folder)

    assert second != first and len(listened) == 2
    assert (len(second.user) < len(first.user)) == (name == "input.wav")
    assert (len(second.agent) < len(first.agent)) == (name == "output.wav")
    assert heard(folder) == second and len(listened) == 2


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: path.write_bytes(b"\xff" + path.read_bytes()),
        lambda path: path.write_text('{"detector": 3}'),
        lambda path: path.write_text(path.read_text().replace('"user_ms":[[', '"user_ms":[["x",')),
        lambda path: (path.unlink(), path.mkdir()),
        make_fifo,
        lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
        lambda path: path.write_text(path.read_text().replace('"agent":[', '"agent":[[1e9,2e9],')),
        lambda path: os.truncate(path, 6 << 30),
    ],
)
def test_a_damaged_file_is_no_error(
    folder: Path, listened: list[Recording], damage: Callable[[Path], object]
) -> None:
    first = heard(folder)
    damage(folder / KEPT_NAME)

    assert heard(folder) == first
    assert len(listened) == 2
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_folder_that_cant_be_written_to(
    folder: Path, listened: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError("somebody else's")

    monkeypatch.setattr(kept_voices, "open_private", refused)
    first = heard(folder)
    assert heard(folder) == first
    assert len(listened) == 2
    assert not (folder / KEPT_NAME).exists()


def test_what_may_still_be_written_to_is_not_kept(folder: Path) -> None:
    header = folder / "session.json"
    header.write_text(header.read_text().replace('"complete": true', '"complete": false'))
    assert not load(folder).complete
    heard(folder)
    assert not (folder / KEPT_NAME).exists()


def test_what_changes_while_it_is_heard_is_not_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(rec: Recording) -> voices_module.Heard:
        found = listen(rec)
        with (folder / "input.wav").open("ab") as file:
            file.write(bytes(2))
        return found

    monkeypatch.setattr(voices_module, "listen", slow)
    heard(folder)
    assert not (folder / KEPT_NAME).exists()


def test_another_detector_hears_anew(
    folder: Path, listened: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard(folder)
    monkeypatch.setattr(kept_voices, "_detector", lambda: "another")
    heard(folder)
    assert len(listened) == 2
    monkeypatch.setattr(kept_voices, "_detector", lambda: "")  # whose code can't be read
    heard(folder)
    heard(folder)
    assert len(listened) == 4


def test_other_cuts_hear_anew(folder: Path, listened: list[Recording]) -> None:
    heard(folder)
    rec = load(folder)
    rec.conversation.audio.cuts_ms.append(5_000.0)
    _ = rec.voices
    assert len(listened) == 2


def test_tables_of_many_are_not_made_anew_for_it(
    folder: Path, listened: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Recordings(folder.parent)
    first = found.latency
    assert (folder / KEPT_NAME).exists() and len(listened) == 1
    made: list[object] = []
    monkeypatch.setattr("realtime_nb.recordings.collection.make_tables", lambda *_: made.append(_))
    assert found.latency.equals(first) and made == []
