from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.archive.lines import RecordedEvent, TypedEvent, typed
from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import load
from tests.archive.wire_logs import BEGAN, Kept, Sent, written
from tests.scripted_session import LiveSession, three_turns

FIGURES = ["latency_ms", "uplink_ms", "endpoint_wait_ms"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recorder = Recorder(tmp_path, {"dialect": "ga"})
    live = LiveSession(recorder)
    three_turns(live)
    recorder.close()
    return recorder.path


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

    damaged = load(lose(folder, 1_960, 1_980))

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

    assert both.problems == alone.problems
    count = len(alone.turns)
    assert len(both.turns) == 2 * count
    for name in ("endpoint_wait_ms", "uplink_ms", "commit_wait_ms", "model_first_audio_ms"):
        first, second = both.latency[name][:count], both.latency[name][count:]
        assert first.tolist() == pytest.approx(alone.latency[name].tolist(), abs=0.01, nan_ok=True)
        assert second.tolist() == pytest.approx(first.tolist(), abs=0.01, nan_ok=True)
    heard = both.speech
    half = len(heard) // 2
    shift_ms = heard.onset_ms[half:].to_numpy() - heard.onset_ms[:half].to_numpy()
    assert shift_ms.tolist() == [alone.conversation.input_ms] * half
    assert (heard.onset_s[half:].to_numpy() - heard.onset_s[:half].to_numpy()).tolist() == (
        pytest.approx([40.0] * half, abs=1e-3)
    )


def test_two_sessions_with_the_same_ids_are_a_problem(kept: Kept, tmp_path: Path) -> None:
    wire = [*kept.wire, *later(kept.wire, 40.0, "")]

    recording = load(written(tmp_path / "same.jsonl", timed_lines(wire)))

    assert any("Ids were given twice (" in problem for problem in recording.problems)
    spoken = recording.latency[recording.latency.latency_note != "typed"]
    assert set(spoken.latency_note) == {"its id, or that of its answer, came a second time"}
    assert spoken[["endpoint_wait_ms", "model_first_audio_ms"]].isna().all(axis=None)
