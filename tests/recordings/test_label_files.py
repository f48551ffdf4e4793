from __future__ import annotations

from pathlib import Path

import pytest

import realtime_nb as rt
from realtime_nb.analysis.what_if.true_turns import TrueTurn
from tests.analysis.what_if.test_label_text import AUDACITY, LONG, RTTM, SHORT, TWO


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [LONG, SHORT, AUDACITY])
def test_every_encoding_of_praat_and_audacity(tmp_path: Path, text: str, encoding: str) -> None:
    file = tmp_path / "labels"
    mark = "\ufeff" if encoding[-3:] in ("-le", "-be") else ""
    file.write_bytes((mark + text.replace("yes", "grün")).encode(encoding))

    assert rt.read_labels(file)[0].text == "grün"
    assert [one.start_ms for one in rt.read_labels(str(file))] == [one.start_ms for one in TWO]


def test_what_this_package_writes_is_read(tmp_path: Path) -> None:
    rec = rt.load(Path(__file__).parents[1] / "data" / "written_before")
    rec.to_rttm(tmp_path / "a.rttm")

    found = rt.read_labels(tmp_path / "a.rttm")

    assert found and found == rt.read_labels(tmp_path / "a.rttm", speaker="user")
    assert found != rt.read_labels(tmp_path / "a.rttm", speaker="agent")


def test_options_are_handed_on(tmp_path: Path) -> None:
    (tmp_path / "a.rttm").write_text(RTTM)

    assert rt.read_labels(tmp_path / "a.rttm", speaker="caller", channel=1)[0] == TrueTurn(
        500, 2000
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"\xff\xfe\xfe", "neither UTF-8 nor"), (b"\xc3(", "neither"), (b"0\x000", "no text")],
)
def test_what_is_no_text(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "a.txt").write_bytes(data)

    with pytest.raises(rt.ConfigurationError, match=rf"a\.txt is {words}"):
        rt.read_labels(tmp_path / "a.txt")


def test_what_is_not_there_and_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(rt.RecordingError, match="can't be read"):
            rt.read_labels(path)


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_nb.recordings.label_files._LARGEST_BYTES", 10)
    (tmp_path / "a.txt").write_text(AUDACITY)

    with pytest.raises(rt.RecordingError, match="larger than labels are"):
        rt.read_labels(tmp_path / "a.txt")
