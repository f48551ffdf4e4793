"""The parts of a report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.files import load_audio
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.recordings.report import report_html
from tests.paths import DATA
from tests.recordings.report.page_tags import Tags
from tests.scripted_session import LiveSession


def test_what_was_said_is_text_never_markup(page: str) -> None:
    tags = Tags(page)

    assert len(tags.all("script")) == 1
    assert tags.all("img") == []
    assert "<script>alert(1)</script> & <img src=x onerror=alert(2)>" in tags.text
    assert "<b>echo</b>" in tags.text


def test_moments_can_be_played(page: str) -> None:
    moments = [button["data-at"] for button in Tags(page).all("button")]

    assert len(moments) >= 6
    assert "3.780" in moments


def test_tables_are_folded_away_and_scroll(recording: Recording, page: str) -> None:
    folded = re.findall(r"<details><summary>(.*?)</summary>(.*?)</details>", page, re.DOTALL)
    tables = dict(folded)

    assert list(tables)[1:] == [
        *("Turns: 4 rows", "Latency: 4 rows"),
        f"Speech: {len(recording.speech)} rows",
        f"Usage: {len(recording.usage)} rows",
    ]
    for inner in tables.values():
        assert inner.startswith('<div class="wide" tabindex="0"><table>')
    text = Tags(tables["Turns: 4 rows"]).text
    assert "<script>alert(1)</script> & <img src=x onerror=alert(2)>" in text
    assert "user_item" not in text
    for name in ("latency_ms", "playout_ms", "answer_ms"):
        assert name in tables["Latency: 4 rows"]
    end_s = recording.latency["speech_end_s"].dropna().iloc[0]
    assert f"<td>{end_s:.3f}</td>" in tables["Latency: 4 rows"]


def test_push_to_talk_is_heard_from_where_the_user_began(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {"dialect": "ga"})
    live = LiveSession(recorder)
    words = load_audio(DATA / "cards_001.wav")[:23_424]
    microphone = np.zeros(9_000 * 24, np.float32)
    microphone[24_000 : 24_000 + len(words)] = words
    live.received(0.2, "session.created", session={"type": "realtime", "id": "sess_1"})
    live.microphone(microphone, 3_000)
    live.user_item(4.1, "user_1", "Ten of clubs.")
    live.user_item(7.1, "user_2", "Nothing.")
    recorder.close(duration_s=10.0)
    recording = load(recorder.path)

    page = report_html(recording)

    spoken, silent = re.findall(r'<li class="user">(.*?) <b>you', page)
    onset_s = 1 + recording.turns["onset_ms"][0] / 1000
    assert 2.0 < onset_s < 2.6
    assert f'data-at="{onset_s:.3f}"' in spoken
    assert silent == '<span class="when">0:07</span>'  # there is nothing to listen to


def test_a_log_without_playback_shows_the_parts_that_it_tells(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    answer = {"id": "resp", "status": "in_progress", "conversation_id": "conv"}
    where = {"response_id": "resp", "item_id": "agent", "content_index": 0}
    item = {"id": "agent", "type": "message", "role": "assistant"}
    lines: list[tuple[float, dict[str, Any]]] = [
        (1.0, {"type": "session.created", "session": {"type": "realtime", "id": "s"}}),
        (3.0, {"type": "input_audio_buffer.committed", "item_id": "user"}),
        (3.2, {"type": "response.created", "response": answer}),
        (3.3, {"type": "response.output_item.added", "item": item, "response_id": "resp"}),
        (3.7, {"type": "response.output_audio.delta", "delta": "AAAA", **where}),
        (3.9, {"type": "response.done", "response": {**answer, "status": "completed"}}),
    ]
    log.write_text("".join(json.dumps({"t_s": t_s, **event}) + "\n" for t_s, event in lines))

    text = " ".join(Tags(report_html(load(log))).text.split())

    assert "No turn has a whole latency: " in text
    assert "commit_wait_msmodel_first_audio_mslatency_note1200500" in text
