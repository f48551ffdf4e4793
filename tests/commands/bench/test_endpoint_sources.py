from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.commands.bench.endpoint_sources import (
    HOW_TO_GET_THEM,
    SOURCES,
    SPEECH_VARIABLE,
    Archive,
    clip_samples,
    read_clip,
    speech_folder,
)
from realtime_nb.errors import AudioError
from tests.commands.bench.endpoint_scene import archive, paused_clip


def test_an_archive_gives_what_was_put_in(tmp_path: Path) -> None:
    path = tmp_path / "queen.1c"
    path.write_bytes(archive({"A.SB": b"one", "LONGNAME1.SB": b"", "B.DOG": b"three"}))
    found = Archive(path)
    assert found.names == ["A.SB", "LONGNAME1.SB", "B.DOG"]
    assert [found.read(name) for name in (*found.names, "C")] == [b"one", b"", b"three", b""]


@pytest.mark.parametrize("content", [b"", b"QTBL", b"RIFF" + bytes(60)])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "queen.1c"
    path.write_bytes(content)
    with pytest.raises(AudioError, match="is not the archive that flight-of-the-amazon-queen"):
        Archive(path)
    path.write_bytes(archive({"A.SB": b"one"})[:20])
    with pytest.raises(AudioError, match="ends within its table"):
        Archive(path)


def test_packages_are_looked_for_where_they_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SPEECH_VARIABLE, raising=False)
    assert speech_folder() == Path("/")
    monkeypatch.setenv(SPEECH_VARIABLE, str(tmp_path))
    assert all(read_clip(source, "x.wav", {}) is None for source in SOURCES)
    content = paused_clip(tmp_path / SOURCES["june"].path / "x.wav")
    assert read_clip("june", "x.wav", {}) == content
    seconds = len(clip_samples(content)) / 24_000
    assert pytest.approx(seconds, abs=0.1) == 3.5 + 0.8


def test_every_package_is_fetched_by_its_name() -> None:
    words = HOW_TO_GET_THEM.split()
    assert {one.package.split()[0] for one in SOURCES.values()} <= set(words)
