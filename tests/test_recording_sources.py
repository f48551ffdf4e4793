"""Damaged and unexpected input: a clear error or a stated loss, never a wrong number."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_nb.audio import pcm_from_samples
from realtime_nb.errors import AudioError, RecordingError
from realtime_nb.recorder import Recorder
from realtime_nb.recording import load
from tests.scripted_session import LiveSession, three_turns


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {"dialect": "ga"})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)
    return recorder.path


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in whole.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def events_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def rewrite_events(folder: Path, events: list[dict[str, object]]) -> None:
    lines = (json.dumps(event) for event in events)
    (folder / "events.jsonl").write_text("".join(f"{line}\n" for line in lines))


def test_wav_whose_header_was_never_completed(folder: Path) -> None:
    for name in ("input.wav", "received.wav", "output.wav"):
        content = bytearray((folder / name).read_bytes())
        content[4:8] = content[40:44] = struct.pack("<I", 0)
        (folder / name).write_bytes(content)

    recording = load(folder)

    assert recording.problems == []
    assert len(recording.input) == 15_000 * 24
    assert len(recording.received) == 7_500 * 24
    assert len(recording.output) == round(13.2 * 24_000)


@pytest.mark.parametrize(
    ("rate", "channels", "why"),
    [(16_000, 1, "16,000 samples per second instead of 24,000"), (24_000, 2, "not mono PCM16")],
)
def test_wav_of_another_kind_is_left_out(folder: Path, rate: int, channels: int, why: str) -> None:
    soundfile.write(folder / "input.wav", np.zeros((30 * rate, channels)), rate)

    recording = load(folder)

    problem, missing = recording.problems
    assert problem.startswith("input.wav is left out: it ")
    assert why in problem
    assert missing == "input.wav: the last 15.00 s are missing."
    assert len(recording.input) == 0
    assert recording.conversation.input_ms == 15_000
    assert list(recording.turns.user_text) == list(load(folder).turns.user_text)
    recording.plot_timeline().figure.clear()


def test_wav_that_is_no_wav_is_left_out(folder: Path) -> None:
    (folder / "output.wav").write_bytes(b"fLaC" * 100)

    recording = load(folder)

    assert recording.problems == [
        "output.wav is left out: it is not as a recorder writes it; load it by itself."
    ]
    assert len(recording.output) == 0


def test_empty_or_missing_wav(folder: Path) -> None:
    (folder / "received.wav").write_bytes(b"")
    (folder / "output.wav").unlink()

    recording = load(folder)

    assert recording.problems == [
        "received.wav: the last 7.50 s are missing.",
        "output.wav is missing: there is no sound of what was played.",
    ]
    assert len(recording.received) == len(recording.output) == 0


def test_clock_that_runs_back_ends_what_is_known_of_times(folder: Path) -> None:
    events = events_of(folder)
    broken = next(n for n, line in enumerate(events) if line["t"] == 11.0)
    for line in events[broken:]:
        line["t"] = float(str(line["t"])) - 5
    rewrite_events(folder, events)

    recording = load(folder)

    (problem,) = recording.problems
    assert problem.startswith("events.jsonl: the clock runs back by ")
    assert f"at event {broken};" in problem
    assert recording.events.t_s.notna().sum() == broken
    assert recording.conversation.items["agent_3"].first_audio_s is None
    assert recording.conversation.items["agent_3"].audio_ms == 4_000
    assert recording.latency.latency_ms[0] == pytest.approx(804)
    assert np.nanmin(recording.latency.filter(like="_ms").to_numpy(float)) >= 0
    assert recording.latency.latency_note[2] == "the recording's clock runs back"
    recording.plot_timeline().figure.clear()


def test_unknown_events_pass_through(folder: Path) -> None:
    events = events_of(folder)
    new = {"seq": len(events), "t": 16.1, "dir": "received", "event": {"type": "later", "x": [1]}}
    rewrite_events(folder, [*events, {**new, "of a later version": 1}])

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


def test_folder_without_events(folder: Path) -> None:
    (folder / "events.jsonl").unlink()

    with pytest.raises(RecordingError, match=r"has no events\.jsonl.*WAV files"):
        load(folder)


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


def test_stereo_file_is_mixed_down_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "stereo.flac"
    soundfile.write(path, np.tile([0.5, 0.0], (24_000, 1)), 24_000)

    recording = load(path)

    assert recording.problems == ["Its 2 channels were averaged into one."]
    assert recording.input[100] == pytest.approx(0.25, abs=1e-3)
    assert "averaged" in recording._repr_html_()


def test_audio_file_whose_header_was_never_completed(tmp_path: Path) -> None:
    path = tmp_path / "killed.wav"
    soundfile.write(path, np.full(12_000, 0.25), 24_000)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0)
    path.write_bytes(content)

    recording = load(path)

    assert recording.duration_s == 0.5
    assert recording.problems == []


@pytest.mark.parametrize("name", ["empty.wav", "empty.flac", "empty.pcm"])
def test_empty_audio_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")

    with pytest.raises(AudioError, match="is empty"):
        load(tmp_path / name)


def test_wav_without_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0), 24_000)

    with pytest.raises(AudioError, match="holds no audio"):
        load(tmp_path / "nothing.wav")


def test_headerless_audio_of_any_length(tmp_path: Path) -> None:
    path = tmp_path / "odd.pcm"
    path.write_bytes(pcm_from_samples(np.full(24_000, 0.25)) + b"\1")

    assert load(path).duration_s == 1.0
