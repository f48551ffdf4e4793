"""Logs of other programs are read as recordings, with the times that they tell."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.pcm import pcm_from_samples, ulaw_encode
from realtime_nb.errors import RecordingError
from realtime_nb.protocol.dialect import client_to_beta, server_to_beta
from realtime_nb.recordings.recording import Recording, load
from tests.archive.wire_logs import BEGAN, WRAPPED, Kept, iso, written
from tests.scripted_session import LiveSession, session, three_turns


@pytest.fixture(scope="module")
def kept() -> Kept:
    kept = Kept()
    three_turns(kept)
    # One append is malformed, and transcripts are a little ahead of what follows them.
    kept.wire[:] = [sent for sent in kept.wire if sent[1].get("audio") != 17]
    kept.wire.sort(key=lambda sent: sent[2])
    return kept


def said(recording: Recording) -> list[tuple[str, str]]:
    return recording.conversation.transcript()


@pytest.mark.parametrize("form", WRAPPED)
def test_log_of_another_program_gives_the_same_tables(
    kept: Kept, tmp_path: Path, form: str
) -> None:
    path = written(tmp_path / "events.log", (WRAPPED[form](*sent) for sent in kept.wire))

    recording = load(path)

    assert said(recording) == kept.conversation.transcript()
    assert recording.problems == []
    assert recording.duration_s == pytest.approx(15.8, abs=1e-5)  # from the first event on
    events = recording.events
    ways = [way for way, _, _ in kept.wire]
    assert list(events.direction) == ways
    np.testing.assert_allclose(events.t_s, [t_s - 0.2 for _, _, t_s in kept.wire], atol=2e-6)
    assert len(recording.input) == 15_000 * 24
    assert len(recording.received) == 7_500 * 24
    assert recording.conversation.input_ms == 15_000
    np.testing.assert_allclose(recording.speech.offset_s, [2.776, 14.816], atol=1e-3)
    assert recording.turns.latency_ms.isna().all()
    assert recording.turns.latency_note[0] == "playback was not reported"
    assert recording.turns.played_ms.isna().all()
    assert len(recording.output) == 0
    assert not recording.simulated
    recording.plot_timeline().figure.clear()


def test_bare_events_without_times(kept: Kept, tmp_path: Path) -> None:
    path = written(tmp_path / "dump.jsonl", (raw for _, raw, _ in kept.wire))

    recording = load(path)

    assert said(recording) == kept.conversation.transcript()
    assert recording.problems == ["The log has no times: what is measured in time is not known."]
    assert math.isnan(recording.duration_s)
    assert repr(recording) == ("<Recording dump.jsonl: no times, event log, 3 turns, 1 call>")
    assert recording.events.t_s.isna().all()
    assert recording.conversation.input_ms == 15_000
    assert list(recording.turns.audio_ms) == [2_000, 5_500, 0]
    assert list(recording.turns.agent_items) == [["agent_1"], ["agent_2", "agent_3"], []]
    assert list(recording.turns.calls) == [[], ["book"], []]
    assert list(recording.turns.source) == ["speech", "typed", "speech"]
    assert list(recording.usage.turn.dropna()) == [1, 2, 2, 2, 3]
    assert recording.input_clock.times_s == []
    for table in (recording.turns, recording.latency):
        assert list(table.latency_note) == ["the log has no times", "typed", "the log has no times"]
        durations = [name for name in table.columns if name.endswith(("_s", "wait_ms"))]
        assert table[["latency_ms", *durations]].isna().all(axis=None)
    calls = recording.calls
    assert calls[["started_s", "done_s", "output_s", "run_ms"]].isna().all(axis=None)
    assert list(recording.speech.audio_start_ms) == [700, 11_700]
    assert "user: Which slots are free?" in recording.transcript().splitlines()
    with pytest.raises(RecordingError, match=r"no times.*transcript\(\)"):
        recording.plot_timeline()


def test_array_of_events(kept: Kept, tmp_path: Path) -> None:
    events = [raw for _, raw, _ in kept.wire]
    for name, content in (("a.json", events), ("b.json", {"model": "x", "events": events})):
        (tmp_path / name).write_text(json.dumps(content, indent=1))

        assert said(load(tmp_path / name)) == kept.conversation.transcript()


def test_beta_log_is_recognised(kept: Kept, tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    for way, raw, t_s in kept.wire:
        forms = client_to_beta(raw) if way == "sent" else server_to_beta(raw)
        lines += [{"time": iso(t_s), "source": way, "event": form} for form in forms]
    assert any(line["event"]["type"] == "response.audio.delta" for line in lines)

    recording = load(written(tmp_path / "beta.jsonl", lines))

    assert recording.header["dialect"] == "beta"
    assert said(recording) == kept.conversation.transcript()
    assert len(recording.received) == 7_500 * 24
    assert list(recording.turns.audio_ms) == [2_000, 5_500, 0]
    assert recording.conversation.turn_detection == kept.conversation.turn_detection


def test_lines_of_a_recording_whose_folder_is_gone(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recordings", {"dialect": "ga"})
    live = LiveSession(recorder)
    three_turns(live)
    recorder.close()
    path = tmp_path / "mailed.jsonl"
    lines = (recorder.path / "events.jsonl").read_text().splitlines()
    path.write_text("\n".join(lines[::-1]))  # their numbers tell the order

    recording = load(path)

    whole = load(recorder.path)
    pd.testing.assert_frame_equal(recording.events, whole.events)
    assert recording.conversation.transcript() == live.conversation.transcript()
    assert recording.input_clock == live.clock
    assert recording.turns.audio_ms.equals(whole.turns.audio_ms)
    (problem,) = recording.problems
    assert "audio is in the WAV files" in problem

    (recorder.path / "session.json").unlink()
    assert len(load(recorder.path / "events.jsonl").events) == len(whole.events)


@pytest.mark.parametrize("left", ["[audio]", "AAAA…", "", None, 4_800])
def test_audio_that_was_left_out_is_unknown_and_not_silence(
    kept: Kept, tmp_path: Path, left: object
) -> None:
    lines = []
    for way, raw, t_s in kept.wire:
        if raw["type"] in ("input_audio_buffer.append", "response.output_audio.delta"):
            key = "audio" if way == "sent" else "delta"
            raw = {**raw, key: left}
            if left is None:
                del raw[key]
        lines.append({"time": BEGAN + t_s, "event": raw})

    recording = load(written(tmp_path / "quiet.jsonl", lines))

    assert recording.problems == [
        "The log does not hold the audio that was sent.",
        "The log does not hold the audio that was received.",
    ]
    assert len(recording.input) == len(recording.received) == 0
    assert math.isnan(recording.conversation.input_ms)
    assert math.isnan(recording.conversation.items["agent_1"].audio_ms)
    assert recording.turns.latency_ms.isna().all()
    assert recording.turns.latency_note[0] == "the log does not hold the audio that was sent"
    assert list(recording.turns.audio_ms.isna()) == [True, True, False]
    assert recording.speech.onset_s.isna().all()
    assert recording.latency.first_audio_s[0] == pytest.approx(3.5)
    assert "anything else [interrupted; not heard: that I can" in recording.transcript()


def test_what_was_sent_is_unknown_when_only_the_server_speaks(kept: Kept, tmp_path: Path) -> None:
    lines = [{"time": BEGAN + t, "event": raw} for way, raw, t in kept.wire if way == "received"]

    recording = load(written(tmp_path / "server.jsonl", lines))

    assert recording.problems == ["The log does not hold the audio that was sent."]
    assert recording.turns.latency_ms.isna().all()
    assert recording.turns.latency_note[0] == "the log does not hold the audio that was sent"


@pytest.mark.parametrize(("said_by", "payload"), [("received", 160), ("sent", 160)])
def test_g711_lies_on_the_same_axis(tmp_path: Path, said_by: str, payload: int) -> None:
    tone = np.sin(np.arange(800) / 8).astype(np.float32) / 2
    wire = ulaw_encode(pcm_from_samples(tone))
    update = {"type": "session.update", "session": session(type="audio/pcmu")}
    created = {"type": "session.created", "session": session(type="audio/pcmu")}
    chunks = [wire[start : start + payload] for start in range(0, 800, payload)]
    appends = [
        {"type": "input_audio_buffer.append", "audio": base64.b64encode(chunk).decode()}
        for chunk in chunks
    ]
    first = created if said_by == "received" else update

    recording = load(written(tmp_path / "call.jsonl", [first, *appends]))

    assert len(recording.input) == 2_400
    assert recording.conversation.input_ms == 100.0
    assert float(np.abs(recording.input[200:-200]).max()) == pytest.approx(0.5, abs=0.03)


def test_pcm_of_another_rate_is_resampled(tmp_path: Path) -> None:
    created = {"type": "session.created", "session": session(type="audio/pcm", rate=16_000)}  # type: ignore[arg-type]
    audio = base64.b64encode(bytes(2 * 16_000)).decode()
    append = {"type": "input_audio_buffer.append", "audio": audio}

    recording = load(written(tmp_path / "other.jsonl", [created, append, append]))

    assert len(recording.input) == pytest.approx(48_000, abs=2)
    assert recording.conversation.input_ms == pytest.approx(2_000, abs=15)


def test_format_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    created = {"type": "session.created", "session": session(type="audio/opus")}
    append = {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(96)).decode()}

    recording = load(written(tmp_path / "opus.jsonl", [created, append]))

    assert any("audio/opus" in problem for problem in recording.problems)
    assert len(recording.input) == 0
    assert math.isnan(recording.conversation.input_ms)


# --- times ----------------------------------------------------------------------------------------


def timed(*times: object, key: str = "time") -> list[dict[str, object]]:
    events = [{"type": "response.create", "event_id": str(n)} for n in range(len(times))]
    return [{key: time, "event": event} for time, event in zip(times, events, strict=True)]


def test_clock_that_runs_back(kept: Kept, tmp_path: Path) -> None:
    lines = [
        {"time": BEGAN + t_s - (600 if t_s >= 11.0 else 0), "event": raw}
        for _, raw, t_s in kept.wire
    ]

    recording = load(written(tmp_path / "back.jsonl", lines))

    (problem,) = recording.problems
    assert problem.startswith("The clock runs back by 599.")
    assert f"at line {int(recording.events.t_s.notna().sum()) + 1};" in problem
    assert said(recording) == kept.conversation.transcript()
    assert recording.duration_s < 11
    assert list(recording.turns.latency_note) == [
        "playback was not reported",
        "typed",
        "the log's clock runs back",
    ]
    assert recording.latency[["commit_s", "response_s"]].notna().all(axis=1).tolist() == [
        True,
        True,
        False,
    ]
    durations = recording.latency.filter(like="_ms")
    assert not (durations < 0).any(axis=None)


def test_answer_after_the_clock_ran_back_is_not_taken_for_none(kept: Kept, tmp_path: Path) -> None:
    lines = [
        {"time": BEGAN + t_s - (600 if t_s >= 3.4 else 0), "event": raw}
        for _, raw, t_s in kept.wire
    ]

    recording = load(written(tmp_path / "back.jsonl", lines))

    assert recording.turns.agent_text[0] == "All of Tuesday."
    assert recording.turns.latency_note[0] == "the log's clock runs back"
    assert math.isnan(recording.latency.first_audio_s[0])


def test_times_that_contradict_the_order_are_not_used(tmp_path: Path) -> None:
    path = written(tmp_path / "log.jsonl", timed(BEGAN, BEGAN + 1.02, BEGAN + 1.0, BEGAN + 2.5))

    recording = load(path)

    assert list(recording.events.event_id) == ["0", "1", "2", "3"]
    assert recording.events.t_s.to_list() == pytest.approx(
        [0, math.nan, math.nan, 2.5], abs=1e-6, nan_ok=True
    )
    assert recording.problems == ["The times of 2 events contradict their order, and are not used."]


def test_times_of_some_events_only(tmp_path: Path) -> None:
    lines = [*timed(BEGAN), {"type": "response.create"}, *timed(BEGAN + 1.5)]

    recording = load(written(tmp_path / "log.jsonl", lines))

    assert recording.events.t_s.to_list() == pytest.approx([0, math.nan, 1.5], nan_ok=True)
    assert recording.problems == ["1 line is without a time."]


def test_whole_seconds_are_said_to_be_coarse(tmp_path: Path) -> None:
    recording = load(written(tmp_path / "log.jsonl", timed(BEGAN, BEGAN + 1, BEGAN + 1)))

    assert "whole seconds" in recording.problems[0]


def test_numbers_without_a_unit_are_not_used(tmp_path: Path) -> None:
    recording = load(written(tmp_path / "log.jsonl", timed(0.5, 1.5, 2.25)))

    assert recording.events.t_s.isna().all()
    assert any("name the field t_s or t_ms" in problem for problem in recording.problems)
    named = load(written(tmp_path / "log.jsonl", timed(500, 1500, 2250, key="t_ms")))
    assert list(named.events.t_s) == [0, 1.0, 1.75]
