from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
import soundfile

from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.audio.wav import read_wav_pcm
from realtime_nb.errors import AudioError, ConfigurationError, RecordingError
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.recordings.recording import Recording, load
from tests.paths import DATA
from tests.scripted_session import LATENCY_MS, LiveSession, three_turns

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> LiveSession:
    header = {
        "endpoint": {"kind": "local", "url": "ws://127.0.0.1:1"},
        "model": "<echo>",
        "dialect": "ga",
    }
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), header)
    live = LiveSession(recorder)
    three_turns(live)
    recorder.label(13.0, "not finished")
    recorder.close(duration_s=16.2)
    return live


@pytest.fixture
def folder(live: LiveSession, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    assert live.recorder is not None
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in live.recorder.path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def test_loads_what_was_recorded(live: LiveSession, folder: Path) -> None:
    recording = load(folder)

    assert recording.conversation == live.conversation
    assert recording.input_clock == live.clock
    assert recording.complete
    assert recording.problems == []
    assert recording.duration_s == 16.2
    assert recording.header["model"] == "<echo>"
    assert live.conversation.unknown_events == 2  # one of a later version, one malformed


def test_audio_is_float_and_lies_where_it_should(folder: Path) -> None:
    recording = load(folder)

    assert recording.sample_rate == 24_000
    assert recording.input.dtype == recording.output.dtype == np.float32
    assert len(recording.input) == 15_000 * 24
    assert len(recording.received) == (2_000 + 1_500 + 4_000) * 24
    # The first answer was played from 3.78 s on, its two chunks joined although 10 ms apart.
    start = round(3.78 * 24_000)
    assert not recording.output[:start].any()
    np.testing.assert_array_equal(
        recording.output[start : start + 48_000], recording.received[:48_000]
    )
    # Of the last, 1.2 of 4 s.
    assert len(recording.output) == round(13.2 * 24_000)


def test_other_tables_are_those_of_the_analysis(folder: Path) -> None:
    recording = load(folder)

    assert list(recording.turns.user_item) == ["user_1", "user_2", "user_3"]
    assert recording.latency.latency_ms.dropna().tolist() == pytest.approx([LATENCY_MS], abs=15)
    assert list(recording.calls.name) == ["book"]
    assert list(recording.speech.item_id) == ["user_1", "user_3"]
    assert list(recording.usage.total_tokens) == [320] * 6
    assert recording.labels.to_dict("records") == [{"t_s": 13.0, "text": "not finished"}]


@pytest.mark.parametrize(
    "name", ["events", "turns", "calls", "speech", "usage", "latency", "labels"]
)
def test_tables_are_computed_once_and_nobody_elses_to_change(folder: Path, name: str) -> None:
    recording, other = load(folder), load(folder)
    first = getattr(recording, name)
    first.loc[:, first.columns[0]] = first[first.columns[0]].iloc[-1]
    first["mine"] = 1
    if name == "turns":
        for column in ("calls", "agent_items", "response_ids"):
            first[column].iloc[0].append("mine")

    pd.testing.assert_frame_equal(getattr(recording, name), getattr(other, name))


def test_figures_are_computed_once_and_nobody_elses_to_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = load(folder)
    first = recording.metrics()
    first["value"] = 0.0
    assert recording.cost().assumption is None
    assert recording.cost(model="gpt-realtime").assumption is not None
    table = recording.cost().table
    table["kind"] = "mine"
    for module in ("metrics", "interruptions"):
        monkeypatch.delattr(f"realtime_nb.analysis.{module}.{module}")
    monkeypatch.delattr("realtime_nb.analysis.cost.costs.cost_summary")

    assert recording.metrics().value["latency_ms"] == pytest.approx(LATENCY_MS, abs=15)
    assert len(recording.interruptions()) == 1
    assert len(recording.findings())
    assert "mine" not in set(recording.cost().table.kind)


def test_a_label_is_kept_and_what_follows_from_it_is_fresh(folder: Path) -> None:
    recording = load(folder)
    names = {
        name
        for kind in Recording.__mro__
        for name, value in vars(kind).items()
        if isinstance(value, cached_property)
    }
    before = {name: getattr(recording, name) for name in names}
    assert recording.metrics().value["latency_ms"] == pytest.approx(LATENCY_MS, abs=15)

    recording.label(2.876, "speech end")
    recording.label(np.float64(0.5), "✓ \ud800")

    again = load(folder)
    for one in (recording, again):
        assert list(one.labels.t_s) == [0.5, 2.876, 13.0]
        assert list(one.labels.text) == ["✓ \ufffd", "speech end", "not finished"]
        assert one.latency.latency_ms[0] == pytest.approx(904)
        assert one.turns.latency_ms[0] == pytest.approx(904)
        assert one.metrics().value["latency_ms"] == pytest.approx(904)
        assert (2.876, "speech end") in one.timeline_data.labels
        assert one.problems == []
    kept = {name for name in names if getattr(recording, name) is before[name]}
    assert names - kept == {
        *("_labels", "_turns", "_latency", "_stages", "timeline_data", "_metrics", "_interruptions")
    }


def test_a_label_after_one_that_was_cut_off(folder: Path) -> None:
    with (folder / "labels.jsonl").open("ab") as file:
        file.write(b'{"t":14.0,"te')
    recording = load(folder)
    recording.label(14.5, "not me")
    assert list(load(folder).labels.text) == ["not finished", "not me"]
    (folder / "labels.jsonl").unlink()
    recording.label(0, "begin")
    assert recording.labels.to_dict("records") == [{"t_s": 0.0, "text": "begin"}]


@pytest.mark.parametrize(
    ("t_s", "text", "words"),
    [
        (1.0, "", "needs a text"),
        (1.0, " \n", "needs a text"),
        ("not me", 1.0, "needs a text"),
        (float("nan"), "x", "nan s lies outside the session; .* between 0 and 16.2 s"),
        (-0.001, "x", "outside"),
        (16.3, "x", "outside"),
        (float("inf"), "x", "outside"),
    ],
)
def test_a_label_that_can_not_be(folder: Path, t_s: Any, text: Any, words: str) -> None:
    recording = load(folder)
    with pytest.raises(ConfigurationError, match=words):
        recording.label(t_s, text)
    assert len(load(folder).labels) == 1


def test_files_have_no_place_for_labels(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes((folder / "events.jsonl").read_bytes())
    for path in (folder / "input.wav", log):
        with pytest.raises(RecordingError, match=r"is one file, and labels .* rt.replay"):
            load(path).label(1.0, "not me")
    recording = load(folder)
    (folder / "labels.jsonl").unlink()
    (folder / "labels.jsonl").mkdir()
    with pytest.raises(RecordingError, match=r"no regular file"):
        recording.label(1.0, "not me")


def test_transcript(folder: Path) -> None:
    assert load(folder).transcript().splitlines() == [
        "0:03  user: Which slots are free?",
        "0:03  agent: All of Tuesday.",
        "0:07  user: Book ten o'clock.",
        '0:07  tool: book({"time": "10:00"}) → {"ok": true}',
        "0:08  agent: Booked for ten.",
        "0:12  agent: Is there [interrupted; not heard: "
        "anything else that I can do for you today?]",
        "0:15  user: No, thank you.",
    ]


def test_shows_itself_in_a_line(folder: Path) -> None:
    assert repr(load(folder)) == "<Recording copy: 16.2 s, local <echo>, 3 turns, 1 call>"


@pytest.mark.parametrize(
    ("duration_s", "shown"), [(0.0, "0.0 s"), (119.94, "119.9 s"), (3_599.7, "60:00 min")]
)
def test_its_length_is_told_in_words(tmp_path: Path, duration_s: float, shown: str) -> None:
    recorder = Recorder(tmp_path, {})
    recorder.event(WireEvent("received", {"type": "session.created", "session": {}}, 0.0))
    recorder.close(duration_s=duration_s)
    assert load(recorder.path).facts()["duration"] == shown


def test_last_line_that_was_cut_off(live: LiveSession, folder: Path) -> None:
    events = folder / "events.jsonl"
    content = events.read_bytes()
    events.write_bytes(content[:-20])
    (folder / "playback.jsonl").write_bytes(b'{"t": 1')

    recording = load(folder)

    total = content.count(b"\n")
    assert recording.problems == [
        f"events.jsonl: line {total} can't be read and is left out.",
        "playback.jsonl: line 1 can't be read and is left out.",
        "events.jsonl lacks its end: its last event is from 15.98 s, and the session lasted "
        "16.20 s.",
        "playback.jsonl lacks its end: output.wav holds 13.20 s more than it tells of.",
    ]
    assert [event.seq for event in recording.raw_events()] == list(range(total - 1))
    assert "can&#x27;t be read" in recording._repr_html_()


def test_wav_that_is_shorter_than_the_events_say(folder: Path) -> None:
    wav = folder / "input.wav"
    wav.write_bytes(wav.read_bytes()[: -24_000 * 2])

    recording = load(folder)

    assert recording.problems == ["input.wav: the last 1.00 s are missing."]
    assert len(recording.input) == 14_000 * 24
    assert len(recording.turns) == 3
    recording.plot_timeline().figure.clear()


def test_wav_that_is_gone(folder: Path) -> None:
    (folder / "received.wav").unlink()

    recording = load(folder)

    assert recording.problems == ["received.wav: the last 7.50 s are missing."]
    assert len(recording.received) == 0
    recording.plot_timeline().figure.clear()


def test_recording_of_a_version_that_did_not_record_functions(folder: Path) -> None:
    (folder / "tools.jsonl").unlink()

    recording = load(folder)

    assert recording.problems == []
    assert recording.calls.queue_ms.isna().all()


def test_recording_that_was_not_closed(live: LiveSession, folder: Path) -> None:
    header = json.loads((folder / "session.json").read_text())
    header["complete"] = False
    del header["duration_s"]
    (folder / "session.json").write_text(json.dumps(header))

    recording = load(folder)

    assert not recording.complete
    assert recording.duration_s == 16.0  # the last event
    assert "not closed" in repr(recording)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_bare_audio_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"speech.{suffix}"
    soundfile.write(path, np.full(8_000, 0.25), 16_000)

    recording = load(path)

    assert recording.duration_s == 0.5
    assert recording.input[6_000] == pytest.approx(0.25, abs=1e-3)
    assert len(recording.output) == len(recording.received) == 0
    assert recording.conversation == Conversation()
    assert list(recording.raw_events()) == []
    for table in (recording.events, recording.turns, recording.calls, recording.labels):
        assert len(table) == 0
        assert len(table.columns) > 1
    assert recording.transcript() == ""
    assert repr(recording) == f"<Recording speech.{suffix}: 0.5 s, audio only>"
    recording.plot_timeline().figure.clear()


def test_bare_pcm_file(tmp_path: Path) -> None:
    path = tmp_path / "speech.pcm"
    path.write_bytes(pcm_from_samples(np.full(8_000, 0.25)))

    assert load(path, raw_sample_rate=8_000).duration_s == 1.0


def rewritten(folder: Path, **changes: Any) -> None:
    header = json.loads((folder / "session.json").read_text())
    (folder / "session.json").write_text(json.dumps({**header, **changes}))


def test_what_is_not_a_recording_is_refused_with_a_next_step(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"does not exist; check the path"):
        load(tmp_path / "nowhere")
    with pytest.raises(
        RecordingError, match=r"holds 1 recordings; load one of them, such as .*copy"
    ):
        load(tmp_path)
    with pytest.raises(RecordingError, match=r"not a recording.*Give a recording's folder"):
        load(DATA.parent / "recordings")
    with pytest.raises(RecordingError, match=r"load its folder"):
        load(folder / "events.jsonl")
    with pytest.raises(AudioError, match=r"not audio"):
        load(Path(__file__))

    rewritten(folder, format_version=2, realtime_nb="9.1")
    with pytest.raises(RecordingError, match=r"newer realtime_nb \(9.1.*pip install --upgrade"):
        load(folder)
    rewritten(folder, format="something else")
    with pytest.raises(RecordingError, match=r"not a recording"):
        load(folder)
    (folder / "session.json").write_text('{"format": ')
    with pytest.raises(RecordingError, match=r"can't be read .*WAV files can be loaded"):
        load(folder)


def test_recording_without_events(folder: Path) -> None:
    (folder / "events.jsonl").write_bytes(b"")

    with pytest.raises(RecordingError, match=r"holds no events.*WAV files"):
        load(folder)
    assert len(load(folder / "input.wav").input) == 15_000 * 24


def test_recording_while_it_is_written(tmp_path: Path) -> None:
    """What is on disk loads at any time, and more of it later."""
    recorder = Recorder(tmp_path, {})
    live = LiveSession(recorder)
    three_turns(live)
    while recorder.statistics().queued_bytes:
        pass

    recording = load(recorder.path)

    assert isinstance(recording, Recording)
    assert recording.conversation == live.conversation
    assert not recording.complete
    recorder.close()
    assert load(recorder.path).complete
    assert read_wav_pcm(recorder.path / "input.wav")[0] == pcm_from_samples(recording.input)
