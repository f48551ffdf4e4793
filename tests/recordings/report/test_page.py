from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import soundfile

from realtime_nb.analysis import interruptions, tables, voices
from realtime_nb.analysis.cost import costs
from realtime_nb.analysis.findings import findings
from realtime_nb.analysis.metrics import metrics
from realtime_nb.analysis.timeline import timeline_data
from realtime_nb.archive.fold import Fold
from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.pcm import load_audio
from realtime_nb.errors import RecordingError
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.recordings.report import report_html, write_report
from tests.paths import DATA
from tests.scripted_session import LiveSession, three_turns

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    header = {"endpoint": {"kind": "local"}, "model": "<b>echo</b>", "dialect": "ga"}
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), header)
    live = LiveSession(recorder)
    three_turns(live)
    live.user_item(15.4, "user_x", "<script>alert(1)</script> & <img src=x onerror=alert(2)>")
    recorder.close(duration_s=16.2)
    return load(recorder.path)


@pytest.fixture(scope="module")
def page(recording: Recording) -> str:
    return report_html(recording)


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_everything_is_inside(page: str) -> None:
    tags = Tags(page)

    for _, attributes in tags.found:
        for name in ("src", "href", "xlink:href"):
            reference = attributes.get(name)
            assert reference is None or reference.startswith(("data:", "#")), reference
    assert not re.findall(r"url\((?!#|[\"']?data:)", page)
    (policy,) = (meta["content"] for meta in tags.all("meta") if "http-equiv" in meta)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    (script,) = re.findall(r'<script type="module">(.*)</script>', page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy  # the browser runs this script and no other


def test_what_was_said_is_text_never_markup(page: str) -> None:
    tags = Tags(page)

    assert len(tags.all("script")) == 1
    assert tags.all("img") == []
    assert "<script>alert(1)</script> & <img src=x onerror=alert(2)>" in tags.text
    assert "<b>echo</b>" in tags.text


def test_says_what_a_reader_wants_to_know(recording: Recording, page: str) -> None:
    text = " ".join(Tags(page).text.split())

    assert "Which slots are free?" in text
    assert 'book(time="10:00")' in text
    assert "local voice to voice, median of" in text
    assert "its latencies are its own" in text
    for finding in recording.findings():
        assert " ".join(finding.text.split()) in text
    for heading in ("Findings", "What was heard", "Conversation", "Functions", "Tokens and cost"):
        assert heading in text
    unheard = recording.turns["agent_text"][0]
    assert unheard in text
    assert re.search(r"<s [^>]*>[^<]*do for you today", page)


def test_the_audio_is_both_voices_at_their_times(recording: Recording, page: str) -> None:
    (audio,) = Tags(page).all("audio")
    assert audio["src"] is not None
    encoded = audio["src"].removeprefix("data:audio/mpeg;base64,")
    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(encoded)), dtype="float32")

    assert rate == 24_000
    assert heard.shape[1] == 2
    assert len(heard) / rate == pytest.approx(recording.duration_s, abs=0.15)
    loudness = np.sqrt(np.add.reduceat(heard**2, np.arange(0, len(heard), 2_400)) / 2_400)
    agent = recording.clip(3.9, 5.7)  # the first answer, while the user is silent
    assert np.sqrt(np.mean(agent.agent**2)) == pytest.approx(
        float(np.sqrt(np.mean(heard[round(3.9 * rate) : round(5.7 * rate), 1] ** 2))), rel=0.1
    )
    assert loudness[41:55, 0].max() < 0.001  # left is the user, who says nothing then
    assert loudness[21:29, 0].max() > 0.01


def test_nothing_is_computed_twice(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table, figure and picture of a page needs some of these."""
    counts: Counter[str] = Counter()

    def counted(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return work(*arguments, **options)

        return counting

    places: dict[str, Callable[..., Any]] = {
        "realtime_nb.analysis.cost.costs.costs": costs.costs,
        "realtime_nb.analysis.tables.turns": tables.turns,
        "realtime_nb.analysis.tables.latency": tables.latency,
        "realtime_nb.analysis.tables.speech": tables.speech,
        "realtime_nb.analysis.tables.calls": tables.calls,
        "realtime_nb.analysis.tables.usage": tables.usage,
        "realtime_nb.analysis.metrics.metrics.metrics": metrics.metrics,
        "realtime_nb.analysis.interruptions.interruptions": interruptions.interruptions,
        "realtime_nb.analysis.voices.find_voices": voices.find_voices,
        "realtime_nb.archive.fold.Fold.finish": Fold.finish,
        "realtime_nb.recordings.recording.timeline_data": timeline_data,
        "realtime_nb.recordings.report.page.findings": findings.findings,
    }
    for name, work in places.items():
        monkeypatch.setattr(name, counted(name, work))
    report_html(load(recording.path))

    assert counts == dict.fromkeys(places, 1)


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


def test_pictures_take_the_colour_of_the_page(page: str) -> None:
    pictures = re.findall(r'<svg role="img".*?</svg>', page, re.DOTALL)

    assert len(pictures) == 4
    assert all("currentColor" in picture and "#010203" not in picture for picture in pictures)
    assert "<text" in pictures[0]  # words that can be found and read aloud


def test_a_bare_file_and_a_log_without_times_have_reports_too(tmp_path: Path) -> None:
    assert "<audio" in report_html(load(DATA / "cards_001.wav"))
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"type": "session.created", "session": {"type": "realtime", "id": "s"}}\n'
        '{"type": "conversation.item.added", "item": {"id": "i", "type": "message", '
        '"role": "user", "content": [{"type": "input_text", "text": "Hello there"}]}}\n'
    )
    page = report_html(load(log))
    assert "Hello there" in page
    assert "<audio" not in page


def test_a_path_that_cannot_be_written_is_named(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"can't be written to .*nowhere.*Give another path"):
        write_report(recording, tmp_path / "nowhere" / "x.html")
    assert write_report(recording, tmp_path / "x.html") == tmp_path / "x.html"
