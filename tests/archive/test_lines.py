"""Lines and headers of a recording, and what can't be read of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.archive.lines import LabelLine, standing_labels
from realtime_nb.errors import RecordingError
from realtime_nb.recordings.recording import load


@pytest.mark.parametrize("version", ["1", None, 1.5])
def test_a_format_that_is_no_number_is_not_called_newer(folder: Path, version: object) -> None:
    header = json.loads((folder / "session.json").read_text())
    (folder / "session.json").write_text(json.dumps({**header, "format_version": version}))

    with pytest.raises(
        RecordingError, match=r"session\.json is damaged: its format_version is"
    ) as e:
        load(folder)
    assert "newer" not in str(e.value)


def test_unknown_events_pass_through(folder: Path) -> None:
    seq = len((folder / "events.jsonl").read_text().splitlines())
    new = {"seq": seq, "t": 16.1, "dir": "received", "event": {"type": "later", "x": [1]}}
    with (folder / "events.jsonl").open("a") as file:
        file.write(json.dumps({**new, "of a later version": 1}) + "\n")

    recording = load(folder)

    assert recording.problems == []
    assert recording.events.type.iloc[-1] == "later"
    assert recording.conversation.unknown_events == 3


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"[]",
        b'{"seq": "x"}',
        b'{"seq": 1, "t": 0.1, "dir": "up", "event": {}}',
        b"\xff\xfe",
    ],
)
def test_line_that_is_none_of_ours(folder: Path, line: bytes) -> None:
    content = (folder / "events.jsonl").read_bytes()
    (folder / "events.jsonl").write_bytes(content + line + b"\n")

    recording = load(folder)

    assert len(recording.problems) == 1
    assert "can't be read and is left out" in recording.problems[0]
    assert len(recording.events) == content.count(b"\n")


def test_folder_that_lost_its_header(folder: Path) -> None:
    (folder / "session.json").unlink()

    with pytest.raises(
        RecordingError, match=r"is not a recording.*loaded as a log: .*events\.jsonl"
    ):
        load(folder)
    assert len(load(folder / "events.jsonl").turns) == 3


@pytest.mark.parametrize("name", ["session.json", "events.jsonl", "playback.jsonl", "tools.jsonl"])
def test_one_file_of_a_recording(folder: Path, name: str) -> None:
    with pytest.raises(RecordingError, match=r"one file of a recording; load its folder"):
        load(folder / name)


def test_line_that_was_damaged_in_the_middle(whole: Path, folder: Path) -> None:
    events = folder / "events.jsonl"
    lines = events.read_bytes().split(b"\n")
    lines[10] = b"\xff\x00" + lines[10][2:]
    events.write_bytes(b"\n".join(lines))

    recording = load(folder)

    assert recording.problems == ["events.jsonl: line 11 can't be read and is left out."]
    assert recording.conversation.events_applied == load(whole).conversation.events_applied - 1


LABELS = st.lists(
    st.tuples(st.sampled_from([1.0, 1.5]), st.sampled_from(["a", "b", "removed: a"])), max_size=8
)


@given(LABELS)
def test_a_label_that_is_removed_stands_no_more(marks: list[tuple[float, str]]) -> None:
    lines = [LabelLine(t, text) for t, text in marks]
    found = [(line.t, line.text) for line in standing_labels(lines)]
    expected: list[tuple[float, str]] = []
    for t, text in marks:
        if text == "removed: a" and (t, "a") in expected:
            expected.reverse()
            expected.remove((t, "a"))
            expected.reverse()
        else:
            expected.append((t, text))
    assert found == expected


def test_what_was_never_there_can_not_be_removed() -> None:
    odd = [LabelLine(1.0, "removed: a"), LabelLine(1.0, "a"), LabelLine(1.1, "removed: a")]
    assert standing_labels(odd) == odd
