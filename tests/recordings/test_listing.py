"""Many recordings as a table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realtime_nb.recordings.collection import Recordings
from realtime_nb.recordings.listing import listing_html, listing_text

HEADER = {
    "format": "realtime_nb recording",
    "format_version": 1,
    "began": "2026-11-29T09:14:48.556+00:00",
    "endpoint": {"kind": "openai", "url": "wss://api.openai.com/v1/realtime"},
    "model": "gpt-realtime-2",
}


def made(folder: Path, name: str, **header: object) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "session.json").write_text(json.dumps(HEADER | header), encoding="utf-8")
    return path


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    broken = made(tmp_path, "broken")
    (broken / "session.json").write_text("{", encoding="utf-8")
    log = tmp_path / "log.jsonl"
    log.touch()
    return [
        made(tmp_path, "short", duration_s=10.6),
        made(tmp_path, "an-hour", duration_s=3_725.4),
        made(tmp_path, "cut"),
        broken,
        log,
        tmp_path / "gone",
    ]


def test_each_has_a_row(paths: list[Path]) -> None:
    lines = listing_text(paths, [path.name for path in paths]).splitlines()
    assert lines[0] == "6 recordings"
    assert [line.split() for line in lines[1:]] == [
        ["recording", "began", "(UTC)", "length", "server"],
        ["0", "short", "2026-11-29", "09:14", "10.6", "s", "openai", "gpt-realtime-2"],
        ["1", "an-hour", "2026-11-29", "09:14", "62:05", "min", "openai", "gpt-realtime-2"],
        ["2", "cut", "2026-11-29", "09:14", "not", "closed", "openai", "gpt-realtime-2"],
        ["3", "broken", "can't", "be", "read"],
        ["4", "log.jsonl", "a", "file"],
        ["5", "gone", "missing"],
    ]
    assert {line.find("openai") for line in lines[2:5]} == {lines[1].find("server")}


def test_names_are_text_on_a_page(tmp_path: Path) -> None:
    path = made(tmp_path, "a&b", model="<b>bold</b>")
    shown = listing_html([path], ["<i>name</i>"])
    assert "<b>bold" not in shown
    assert "<i>" not in shown
    assert shown.count("<tr>") == 2


@pytest.mark.parametrize("count", [1, 11, 12, 1_500])
def test_of_many_the_first_and_the_newest_are_shown(tmp_path: Path, count: int) -> None:
    paths = [tmp_path / f"{number:05}" for number in range(count)]
    lines = listing_text(paths, [path.name for path in paths]).splitlines()[2:]
    names = [line.split()[1] for line in lines]
    assert len(lines) <= 11
    assert lines[0].split()[:2] == ["0", "00000"]
    assert names[-1] == f"{count - 1:05}"
    told = sum(name.isdigit() and len(name) == 5 for name in names)
    more = next((line.split()[1] for line in lines if "more" in line), "0")
    assert told + int(more.replace(",", "")) == count


def test_a_notebook_opens_none_of_them(tmp_path: Path) -> None:
    made(tmp_path, "without-events", duration_s=2.0)  # can't be loaded
    recordings = Recordings(tmp_path)
    assert "without-events  2026-11-29 09:14  2.0 s" in repr(recordings)
    assert "<td>without-events</td>" in recordings._repr_html_()
