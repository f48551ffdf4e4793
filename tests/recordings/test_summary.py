from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.recordings.summary import key_figures
from tests.paths import DATA
from tests.scripted_session import LiveSession, three_turns


def recorded(folder: Path, kind: str, model: str) -> Recording:
    header = {"endpoint": {"kind": kind}, "model": model, "dialect": "ga"}
    recorder = Recorder(folder, header)
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)
    return load(recorder.path)


@pytest.fixture
def local(tmp_path: Path) -> Recording:
    return recorded(tmp_path, "local", "<echo>")


def test_what_is_asked_first(local: Recording) -> None:
    # Of three turns one has both an end of speech and an answer that was heard.
    assert dict(key_figures(local)) == {
        "turns": "3",
        "local voice to voice, median of 1 turn without calls": "842 ms",
        "slowest answer of all": "842 ms",
        "answers cut short": str(int(local.turns["interrupted"].sum())),
        "function calls": "1",
    }  # and a lost race, which is no error


def test_a_hosted_session_has_a_price(tmp_path: Path) -> None:
    hosted = recorded(tmp_path, "openai", "gpt-realtime")
    figures = dict(key_figures(hosted))

    # Six answers at $0.0106136; what was used for its transcripts is not told.
    assert figures["cost"] == "$0.0637 and what could not be priced"
    assert "voice to voice, median of 1 turn without calls" in figures


def test_whatever_a_session_says_is_escaped_and_no_audio_is_inside(local: Recording) -> None:
    page = local._repr_html_()

    assert "local &lt;echo&gt;" in page
    assert "<echo>" not in page
    assert page.count("<svg") == 1
    assert "<script" not in page and "<audio" not in page and "data:" not in page
    assert len(page) < 50_000


def test_an_audio_file_has_a_picture_and_no_figures() -> None:
    page = load(DATA / "cards_001.wav")._repr_html_()

    assert "<svg" in page
    assert "turns" not in page


def test_what_is_damaged_is_said_and_a_log_without_times_has_no_picture(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"type": "session.created", "session": {"type": "realtime", "id": "s"}}\n')
    page = load(log)._repr_html_()

    assert "The log has no times" in page
    assert "<svg" not in page
