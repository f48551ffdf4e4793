"""Events and reports of a recording, folded in the order in which the session took them."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb.archive.lines import RecordedEvent, TypedEvent, typed
from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.pcm import ulaw_encode
from realtime_nb.protocol.conversation import ToolReport
from realtime_nb.protocol.pauses import UNKNOWN
from realtime_nb.recordings.recording import load
from tests.archive.wire_logs import BEGAN, Kept, Sent, written
from tests.protocol.spoken_voice import ANSWERS, Voice, answer_events
from tests.scripted_session import LiveSession, session, three_turns

FIGURES = ["latency_ms", "uplink_ms", "endpoint_wait_ms"]


def appended_ms(line: str) -> float | None:
    """Where the audio of an append begins."""
    event: dict[str, Any] = json.loads(line)["event"]
    audio = event.get("audio")
    return audio["start"] / 24 if isinstance(audio, dict) else None


def lose(folder: Path, from_ms: float, until_ms: float) -> Path:
    """Return a copy in which the lines of these appends are damaged."""
    copy = shutil.copytree(folder, folder.with_name("damaged"))
    file = copy / "events.jsonl"
    lines = [
        line[:10] if at_ms is not None and from_ms <= at_ms < until_ms else line
        for line in file.read_text().splitlines()
        for at_ms in [appended_ms(line)]
    ]
    file.write_text("\n".join(lines) + "\n")
    return copy


def test_each_event_is_typed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def noting(line: RecordedEvent, dialect: str | None = None) -> list[TypedEvent]:
        seen.append(line.seq)
        return typed(line, dialect)

    monkeypatch.setattr("realtime_nb.archive.fold.typed", noting)
    recording = load(folder)
    assert recording.problems == []
    assert len(recording.turns) and len(recording.latency)

    assert seen == list(range(len((folder / "events.jsonl").read_text().splitlines())))


@pytest.mark.parametrize(("from_ms", "until_ms"), [(0, 20), (400, 900), (4_000, 11_000)])
def test_lost_appends_move_nothing(folder: Path, from_ms: float, until_ms: float) -> None:
    whole = load(folder)

    damaged = load(lose(folder, from_ms, until_ms))

    assert damaged.problems and not whole.problems
    assert damaged.conversation.input_ms == whole.conversation.input_ms
    assert damaged.latency[FIGURES].equals(whole.latency[FIGURES])
    assert damaged.speech.equals(whole.speech)


def test_an_end_of_speech_whose_append_is_lost_is_unknown(folder: Path) -> None:
    whole = load(folder)

    damaged = load(lose(folder, 1_920, 1_940))

    assert damaged.latency[FIGURES].iloc[0].isna().all()
    assert damaged.latency.latency_note[0] == "what tells when the end of speech was sent is lost"
    assert damaged.latency[FIGURES].iloc[2].equals(whole.latency[FIGURES].iloc[2])


def later(wire: Iterable[Sent], by_s: float, mark: str) -> list[Sent]:
    """The same session again, its ids marked."""
    events = json.loads(json.dumps([list(sent) for sent in wire]))
    for name in ("user_", "agent_", "resp_", "call_"):
        text = json.dumps(events).replace(f'"{name}', f'"{mark}{name}')
        events = json.loads(text)
    return [(direction, raw, t_s + by_s) for direction, raw, t_s in events]


def timed_lines(wire: Iterable[Sent]) -> Iterable[dict[str, Any]]:
    for direction, raw, t_s in wire:
        yield {"timestamp": BEGAN + t_s, "direction": direction, "event": raw}


@pytest.fixture(scope="module")
def kept() -> Kept:
    kept = Kept()
    three_turns(kept)
    kept.wire[:] = [sent for sent in kept.wire if sent[1].get("audio") != 17]  # a malformed one
    kept.wire.sort(key=lambda sent: sent[2])
    return kept


def test_two_sessions_in_one_log_count_their_audio_apart(kept: Kept, tmp_path: Path) -> None:
    alone = load(written(tmp_path / "one.jsonl", timed_lines(kept.wire)))
    wire = [*kept.wire, *later(kept.wire, 40.0, "again_")]

    both = load(written(tmp_path / "two.jsonl", timed_lines(wire)))

    assert alone.problems == []
    assert both.problems == [
        "The log holds 2 sessions, one after the other. rec.sessions has each by itself."
    ]
    count = len(alone.turns)
    assert len(both.turns) == 2 * count
    for name in ("endpoint_wait_ms", "uplink_ms", "commit_wait_ms", "model_first_audio_ms"):
        first, second = both.latency[name][:count], both.latency[name][count:]
        assert first.tolist() == pytest.approx(alone.latency[name].tolist(), abs=0.01, nan_ok=True)
        # The end of the voice is found in steps of 5 ms, from where the audio begins.
        steps_ms = 10 if name in ("endpoint_wait_ms", "uplink_ms") else 0.01
        assert second.tolist() == pytest.approx(first.tolist(), abs=steps_ms, nan_ok=True)
    heard = both.speech
    half = len(heard) // 2
    shift_ms = heard.onset_ms[half:].to_numpy() - heard.onset_ms[:half].to_numpy()
    assert shift_ms.tolist() == [alone.conversation.input_ms] * half
    assert (heard.onset_s[half:].to_numpy() - heard.onset_s[:half].to_numpy()).tolist() == (
        pytest.approx([40.0] * half, abs=1e-3)
    )


def test_two_sessions_with_the_same_ids_are_not_mixed(kept: Kept, tmp_path: Path) -> None:
    alone = load(written(tmp_path / "one.jsonl", timed_lines(kept.wire)))
    wire = [*kept.wire, *later(kept.wire, 40.0, "")]

    both = load(written(tmp_path / "same.jsonl", timed_lines(wire)))

    assert any("Ids were given twice (user_1, " in problem for problem in both.problems)
    assert list(both.turns.user_item) == [
        *("user_1 (1)", "user_2 (1)", "user_3 (1)"),
        *("user_1", "user_2", "user_3"),
    ]
    texts = ["user_text", "agent_text", "calls", "audio_ms", "status"]
    waits = ["endpoint_wait_ms", "commit_wait_ms", "model_first_audio_ms"]
    for half in (both.turns[:3], both.turns[3:].reset_index(drop=True)):
        pd.testing.assert_frame_equal(half[texts + waits], alone.turns[texts + waits])
    tokens = both.usage.filter(like="_tokens")
    pd.testing.assert_frame_equal(
        tokens, pd.concat([alone.usage.filter(like="_tokens")] * 2, ignore_index=True)
    )
    assert len(both.received) == 2 * len(alone.received)


def test_reports_are_folded_where_they_came(tmp_path: Path) -> None:
    """An item that is deleted after its last report must not come back with it."""
    recorder = Recorder(tmp_path, {})
    live = LiveSession(recorder)
    live.received(0.1, "session.created", session=session())
    live.spoken_answer(0.2, "resp_1", "agent_1", "Never heard.", np.zeros(4_800, np.float32))
    live.playback("agent_1", 0, "flushed", 0.3)
    live.received(0.4, "conversation.item.deleted", item_id="agent_1")
    recorder.close()

    conversation = load(recorder.path).conversation

    assert conversation == live.conversation
    assert conversation.items == {}


def test_reports_of_functions_are_folded_where_they_came(tmp_path: Path) -> None:
    """A call is known from the first that is heard of it; a log without times knows no more."""
    recorder = Recorder(tmp_path, {})
    live = LiveSession(recorder)
    live.received(0.1, "session.created", session=session())
    item = {"id": "item_1", "type": "function_call", "name": "book", "call_id": "call_2"}
    live.tool(ToolReport("call_1", "started", 0.2))
    live.received(0.3, "response.output_item.done", item=item, response_id="resp_1")
    live.tool(ToolReport("call_2", "started", 0.4))
    live.tool(ToolReport("call_2", "ended", 0.5, "ok"))
    recorder.close()

    recording = load(recorder.path)

    assert recording.conversation == live.conversation
    assert list(recording.conversation.calls) == ["call_1", "call_2"]
    assert recording.calls.run_outcome.dropna().to_list() == ["ok"]


def test_g711_folds_to_the_same_milliseconds(tmp_path: Path) -> None:
    """A resampler gives more or fewer samples than three per byte; the fold counts the wire."""
    recorder = Recorder(tmp_path, {})
    live = LiveSession(recorder)
    live.received(0.0, "session.created", session=session(type="audio/pcmu"))
    payload = ulaw_encode(bytes(320))
    encoded = base64.b64encode(payload).decode()
    for number, samples in enumerate((400, 480, 560, 481)):
        pcm = bytes(2 * samples)
        live.sent(number / 50, "input_audio_buffer.append", pcm, audio=encoded)
        live.received(
            number / 50, "response.output_audio.delta", pcm, delta=encoded, item_id="agent_1"
        )
    recorder.close()

    recording = load(recorder.path)

    assert recording.conversation == live.conversation
    assert recording.conversation.input_ms == 80.0
    assert recording.conversation.items["agent_1"].audio_ms == 80.0
    assert recording.input_clock == live.clock


def test_odd_payloads_fold_to_the_same_milliseconds(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    live = LiveSession(recorder)
    for size in (961, 1, 958, 959, 961):
        audio = base64.b64encode(bytes(size)).decode()
        live.sent(0.5, "input_audio_buffer.append", audio=audio)
    recorder.close()

    assert load(recorder.path).conversation == live.conversation


def test_beta_dialect_is_folded_as_it_was(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {"dialect": "beta"})
    live = LiveSession(recorder, dialect="beta")
    beta_session = {"id": "sess_1", "input_audio_format": "g711_ulaw", "modalities": ["text"]}
    live.received(0.1, "session.created", session=beta_session)
    live.sent(
        0.2, "input_audio_buffer.append", bytes(960), audio=base64.b64encode(bytes(160)).decode()
    )
    item = {"id": "user_1", "type": "message", "role": "user", "status": "completed"}
    item["content"] = [{"type": "input_text", "text": "Hello."}]  # type: ignore[assignment]
    live.received(0.3, "conversation.item.created", item=item)
    live.received(
        0.4,
        "response.audio.delta",
        bytes(960),
        delta=base64.b64encode(bytes(960)).decode(),
        item_id="agent_1",
        response_id="resp_1",
    )
    live.received(0.5, "response.audio_transcript.delta", delta="Hi.", item_id="agent_1")
    recorder.close()

    recording = load(recorder.path)

    assert recording.conversation == live.conversation
    assert recording.conversation.input_ms == 20.0
    assert recording.conversation.items["agent_1"].audio_ms == 20.0
    assert recording.conversation.items["agent_1"].text == "Hi."
    assert [event.event["type"] for event in recording.raw_events()][-2:] == [
        "response.audio.delta",
        "response.audio_transcript.delta",
    ]
    assert list(recording.turns.user_text) == ["Hello."]


def test_what_was_heard_is_the_same_live_and_from_disk(tmp_path: Path) -> None:
    """Pauses are among what tells it; without the received audio, its order and pace do."""
    recorder = Recorder(tmp_path, {})
    live = LiveSession(recorder)
    live.received(0.0, "session.created", session=session())
    sentences = [Voice(1).speak(text) for text in ANSWERS[0]]
    for raw, pcm in answer_events(sentences, "sentences", 5_000):
        live.received(0.1, raw.pop("type"), pcm, **raw)
    cut: dict[str, Any] = {"item_id": "item_1", "content_index": 0, "audio_end_ms": 4_200}
    live.received(0.2, "conversation.item.truncated", **cut)
    recorder.close()
    item = live.conversation.items["item_1"]

    told = load(recorder.path).conversation

    assert told == live.conversation
    assert told.items["item_1"].heard_text == item.heard_text
    assert told.items["item_1"].words.ends_ms == item.words.ends_ms

    (recorder.path / "received.wav").unlink()
    without = load(recorder.path).conversation.items["item_1"]
    assert set(without.delivery.levels.peaks) == {UNKNOWN}
    assert abs(len(without.heard_text.split()) - len(item.heard_text.split())) <= 1
