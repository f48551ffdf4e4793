"""Damaged and unexpected input: a clear error or a stated loss, never a wrong number."""

from __future__ import annotations

import asyncio
import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.errors import AudioError, RecordingError
from realtime_nb.recordings.recording import load
from realtime_nb.testing import MemoryServer, tone
from tests.scripted_session import LATENCY_MS
from tests.virtual import virtual


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
        "output.wav is left out: it is not as a recorder writes it; load it by itself.",
        "output.wav: the last 13.20 s are missing.",
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
    assert recording.latency.latency_ms[0] == pytest.approx(LATENCY_MS, abs=15)
    assert np.nanmin(recording.latency.filter(like="_ms").to_numpy(float)) >= 0
    assert recording.latency.latency_note[2] == "the recording's clock runs back"
    recording.plot_timeline().figure.clear()


@pytest.mark.parametrize("back_s", [0.9, 3.0])
def test_figures_of_talk_are_unknown_once_the_clock_ran_back(folder: Path, back_s: float) -> None:
    events = events_of(folder)
    broken = next(n for n, line in enumerate(events) if line["t"] == 11.0)
    for line in events[broken:]:
        line["t"] = float(str(line["t"])) - back_s
    rewrite_events(folder, events)

    recording = load(folder)
    found = recording.metrics()

    assert recording.problems[0].startswith("events.jsonl: the clock runs back by ")
    talk = ("user_talk_s", "agent_talk_s", "talk_ratio", "overlap_s", "overlap_share")
    silence = ("long_silences", "silence_share", "longest_silence_s", "premature_cuts")
    assert set(found.reason[[*talk, *silence]]) == {"the recording's clock runs back"}
    assert recording.conversation.items["agent_3"].played_ms == 1_200
    assert recording.conversation.items["agent_3"].played_s is None


def test_a_clock_may_be_a_little_out_of_order(folder: Path) -> None:
    events = events_of(folder)
    events[300]["t"] = float(str(events[299]["t"])) - 0.04
    rewrite_events(folder, events)

    assert load(folder).problems == []


# --- how much was played ---


def reports_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "playback.jsonl").read_text().splitlines()]


def rewrite_reports(folder: Path, reports: list[dict[str, object]]) -> None:
    lines = (json.dumps(report) for report in reports)
    (folder / "playback.jsonl").write_text("".join(f"{line}\n" for line in lines))


def incomplete(folder: Path) -> None:
    header = json.loads((folder / "session.json").read_text())
    (folder / "session.json").write_text(json.dumps({**header, "complete": False}))


def shorten(path: Path, seconds: float) -> None:
    path.write_bytes(path.read_bytes()[: -round(seconds * 24_000) * 2])


NOT_WHOLE = "playback.jsonl is not whole"


def test_playback_that_lost_its_last_line(folder: Path) -> None:
    rewrite_reports(folder, reports_of(folder)[:-1])

    recording = load(folder)
    item = recording.conversation.items["agent_3"]

    assert recording.problems == [
        "playback.jsonl lacks the end of a message: how much was played is taken from output.wav."
    ]
    assert (item.played_ms, item.stopped_s) == (1_200, 13.2)
    assert list(recording.turns.played_ms) == [2_000, 2_700, 0]
    assert recording.metrics().value["unheard_ms"] == 2_800


def test_session_that_was_killed_while_the_agent_spoke(folder: Path) -> None:
    rewrite_reports(folder, reports_of(folder)[:-1])
    incomplete(folder)

    recording = load(folder)
    item = recording.conversation.items["agent_3"]

    assert recording.problems == []
    assert (item.played_ms, item.stopped_s) == (1_200, None)
    assert recording.metrics().value["unheard_ms"] == 2_800
    (clip,) = recording.timeline_data.unheard
    assert (clip.start_s, len(clip.samples)) == (13.2, 2_800 * 24)


@virtual
async def test_session_that_was_left_while_the_agent_spoke(tmp_path: Path) -> None:
    async with (
        MemoryServer() as server,
        rt.connect(transport=server.transport, record=tmp_path) as session,
    ):
        await session.speak(tone(2_000))  # which the server says again
        await session.wait_for("response.output_audio.delta")
        await asyncio.sleep(0.4)
    assert session.recording is not None

    recording = load(session.recording)
    (turn,) = recording.turns.to_dict("records")

    assert recording.problems == []
    assert recording.playback[-1].kind == "flushed"
    assert turn["played_ms"] == pytest.approx(400, abs=1)
    assert turn["unheard_ms"] == pytest.approx(turn["audio_ms"] - 400, abs=1)
    assert turn["interrupted"]
    (bar,) = recording.timeline_data.responses
    assert bar[1] <= recording.duration_s


def test_a_message_that_was_flushed_as_it_began_needs_no_sound(folder: Path) -> None:
    *reports, last = reports_of(folder)
    flushed = {**last, "t": 12.00005, "played_ms": 0, "kind": "flushed"}
    rewrite_reports(folder, [*reports, flushed])
    sound, rate = soundfile.read(folder / "output.wav", dtype="int16")
    soundfile.write(folder / "output.wav", sound[: 11 * rate], rate, subtype="PCM_16")

    recording = load(folder)

    assert recording.problems == []
    assert recording.conversation.items["agent_3"].played_ms == 0


def test_silence_after_an_underrun_was_not_played(folder: Path) -> None:
    *reports, _ = reports_of(folder)
    sound = bytearray((folder / "output.wav").read_bytes())
    begin, end = (44 + round(t_s * 24_000) * 2 for t_s in (12.4, 12.9))
    sound[begin:end] = bytes(end - begin)
    (folder / "output.wav").write_bytes(sound)
    dry = {"t": 12.4, "item_id": "agent_3", "played_ms": 400, "kind": "underrun"}
    rewrite_reports(folder, [*reports, {**reports[-1], **dry}])

    assert load(folder).conversation.items["agent_3"].played_ms == pytest.approx(700, abs=0.1)


def test_playback_of_which_half_is_gone(folder: Path) -> None:
    """The first message was not heard to its end for sure: the sound after it may be another's."""
    first, *_ = reports_of(folder)
    rewrite_reports(folder, [first])

    recording = load(folder)
    items = recording.conversation.items

    assert recording.problems == [
        "playback.jsonl lacks its end: output.wav holds 7.42 s more than it tells of.",
        "playback.jsonl lacks the end of a message: how much was played is not known.",
    ]
    assert [math.isnan(items[f"agent_{n}"].played_ms or 0) for n in (1, 2, 3)] == [True] * 3
    assert recording.turns.unheard_ms.isna().tolist() == [True, True, False]  # none was answered
    found = recording.metrics()
    figures = ("unheard_ms", "over_remembered_ms", "underruns", "underrun_ms", "speech_rate_wpm")
    assert set(found.reason[[*figures]]) == {NOT_WHOLE}
    assert recording.timeline_data.unheard == []


@pytest.mark.parametrize("empty", [True, False])
def test_playback_without_a_line(folder: Path, empty: bool) -> None:
    if empty:
        (folder / "playback.jsonl").write_bytes(b"")
    else:
        (folder / "playback.jsonl").unlink()

    recording = load(folder)

    (problem,) = recording.problems
    assert problem == (
        "playback.jsonl lacks its end: output.wav holds 13.20 s more than it tells of."
        if empty
        else "playback.jsonl is missing: what was played of each message is not known."
    )
    reason = NOT_WHOLE if empty else "playback.jsonl is missing"
    assert recording.metrics().reason[["unheard_ms", "over_remembered_ms"]].tolist() == [reason] * 2
    assert recording.turns.unheard_ms.isna().all()


@pytest.mark.parametrize("told", [True, False])
def test_sound_that_is_cut_off(folder: Path, told: bool) -> None:
    """Whether the header tells how long it was or not, the reports of playback do."""
    shorten(folder / "output.wav", 6)
    if not told:
        content = bytearray((folder / "output.wav").read_bytes())
        content[40:44] = struct.pack("<I", len(content) - 44)
        (folder / "output.wav").write_bytes(content)

    recording = load(folder)
    found = recording.metrics()

    assert recording.problems == ["output.wav: the last 6.00 s are missing."]
    talk = ("agent_talk_s", "talk_ratio", "overlap_s", "long_silences", "silence_share")
    assert set(found.reason[[*talk, "speech_rate_wpm"]]) == {
        "the last 6.00 s of output.wav are missing"
    }
    assert found.value["unheard_ms"] == 2_800
    assert found.value["user_talk_s"] > 0


def test_neither_sound_nor_reports_are_whole(folder: Path) -> None:
    rewrite_reports(folder, reports_of(folder)[:-1])
    shorten(folder / "output.wav", 1)

    recording = load(folder)

    assert recording.problems == [
        "output.wav: the last 1.00 s are missing.",
        "playback.jsonl lacks the end of a message: how much was played is not known.",
    ]
    assert math.isnan(recording.conversation.items["agent_3"].played_ms or 0)
    assert recording.metrics().reason["unheard_ms"] == NOT_WHOLE


def test_input_that_is_cut_off(folder: Path) -> None:
    shorten(folder / "input.wav", 6)

    recording = load(folder)
    found = recording.metrics()

    assert recording.problems == ["input.wav: the last 6.00 s are missing."]
    reason = "the last 6.00 s of input.wav are missing"
    talk = ("user_talk_s", "talk_ratio", "overlap_s", "silence_share", "phantom_turns")
    assert set(found.reason[[*talk, "input_peak_dbfs", "snr_db"]]) == {reason}
    assert found.value["agent_talk_s"] > 0


def test_events_that_are_cut_off(folder: Path) -> None:
    rewrite_events(folder, [line for line in events_of(folder) if float(str(line["t"])) < 11])

    recording = load(folder)
    found = recording.metrics()

    assert recording.problems == [
        "events.jsonl lacks its end: its last event is from 10.98 s, and the session lasted "
        "16.20 s."
    ]
    talk = ("user_talk_s", "talk_ratio", "unheard_ms", "premature_cuts", "agent_over_user")
    assert set(found.reason[[*talk]]) == {"events.jsonl lacks its end"}


# --- events that can't be understood ---


def without(folder: Path, type: str, key: str) -> None:
    events = events_of(folder)
    for line in events:
        event = line["event"]
        assert isinstance(event, dict)
        if event["type"] == type:
            del event[key]
    rewrite_events(folder, events)


def test_audio_that_names_no_item(folder: Path) -> None:
    without(folder, "response.output_audio.delta", "item_id")

    recording = load(folder)
    found = recording.metrics()

    (problem,) = recording.problems
    assert problem == (
        "75 response.output_audio.delta events can't be understood (it names no item), and what "
        "they told is missing."
    )
    assert recording.turns.audio_ms.isna().tolist() == [True, True, False]
    assert "" not in recording.conversation.items
    assert recording.conversation.responses["resp_1"].audio_ms == 2_000
    assert (
        found.reason["unheard_ms"] == "some response.output_audio.delta events can't be understood"
    )
    assert recording.latency.latency_ms[0] == pytest.approx(LATENCY_MS, abs=15)


def test_audio_that_names_no_item_is_no_item_of_its_own(whole: Path, folder: Path) -> None:
    without(folder, "response.output_audio.delta", "item_id")
    with (folder / "playback.jsonl").open("a") as file:
        file.write("not me\n")

    recording = load(folder)

    assert "playback.jsonl: line 7 can't be read and is left out." in recording.problems
    assert set(recording.conversation.items) == set(load(whole).conversation.items)


@pytest.mark.parametrize(
    ("type", "key", "count", "unknown"),
    [
        ("response.output_audio.delta", "delta", 75, ["unheard_ms", "over_remembered_ms"]),
        ("response.done", "response", 6, []),
        ("input_audio_buffer.speech_started", "audio_start_ms", 2, ["premature_cuts"]),
        ("conversation.item.truncated", "item_id", 1, ["over_remembered_ms"]),
    ],
)
def test_events_that_lack_a_field(
    folder: Path, type: str, key: str, count: int, unknown: list[str]
) -> None:
    without(folder, type, key)

    recording = load(folder)

    (problem,) = recording.problems
    assert problem.startswith(f"{count} {type} event")
    assert f"missing required field `{key}`" in problem
    assert set(recording.metrics().reason[unknown]) <= {f"some {type} events can't be understood"}
    assert "can&#x27;t be understood" in recording._repr_html_()


def test_a_response_that_never_ended_is_drawn_to_the_end(folder: Path) -> None:
    without(folder, "response.done", "response")

    ends_s = {end_s for _, end_s, _ in load(folder).timeline_data.responses}

    assert ends_s == {16.2}


def test_a_line_that_is_torn_leaves_the_cost_unknown(folder: Path) -> None:
    path = folder / "events.jsonl"
    lines = path.read_text().splitlines()
    place = next(i for i, line in enumerate(lines) if '"response.done"' in line)
    lines[place] = lines[place][:40]
    path.write_text("\n".join(lines) + "\n")

    recording = load(folder)

    assert recording.conversation.gaps["usage"] == f"line {place + 1} of events.jsonl can't be read"
    cost = recording.cost(model="gpt-realtime")
    assert math.isnan(cost.total_usd)
    assert cost.priced_usd > 0


def test_folder_without_events(folder: Path) -> None:
    (folder / "events.jsonl").unlink()

    with pytest.raises(RecordingError, match=r"has no events\.jsonl.*WAV files"):
        load(folder)


def test_stereo_file_says_which_channel_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "stereo.flac"
    soundfile.write(path, np.tile([0.5, 0.1], (24_000, 1)), 24_000)

    recording = load(path)

    assert recording.problems == [
        "Its 2 channels differ: channel 0 (left) was taken (channel: left, right or mix)."
    ]
    assert recording.input[100] == pytest.approx(0.5, abs=1e-3)
    assert "was taken" in recording._repr_html_()
    for channel, level in (("right", 0.1), (1, 0.1), ("mix", 0.3)):
        asked = load(path, channel=channel)
        assert asked.input[100] == pytest.approx(level, abs=1e-3)
        assert asked.problems == []


def test_headerless_file_at_its_own_rate(tmp_path: Path) -> None:
    (tmp_path / "call.raw").write_bytes(bytes(47_840))
    assert load(tmp_path / "call.raw", raw_sample_rate=8_000).duration_s == 2.99


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


def test_audio_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "half.wav"
    soundfile.write(path, np.full(48_000, 0.25), 24_000)
    path.write_bytes(path.read_bytes()[: 44 + 48_000])

    recording = load(path)

    assert recording.problems == [
        "The file is cut off: by its header it lasts 2.00 s, and 1.00 s are there."
    ]
    assert recording.metrics().reason["user_talk_s"] == "the audio file is cut off"
