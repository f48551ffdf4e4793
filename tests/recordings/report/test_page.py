from __future__ import annotations

import base64
import hashlib
import io
import pickle
import re
from collections import Counter
from collections.abc import Callable
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
from realtime_nb.errors import RecordingError
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.recordings.report import page as report_page
from realtime_nb.recordings.report import report_html, write_report
from tests.paths import DATA
from tests.recordings.report.page_tags import Tags

matplotlib.use("Agg")


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


def test_its_path_is_a_path_and_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = tmp_path / "notebook"
    notebook.mkdir()
    monkeypatch.chdir(notebook)
    rec = load(DATA / "cards_001.wav")
    written = {
        "report.html": "report.html",
        "a b&c's <1>.html": "a%20b%26c%27s%20%3C1%3E.html",
        "../beside.html": "../beside.html",
        str(tmp_path / "whole.html"): "../whole.html",
    }
    for name, link in written.items():
        path = rec.report(name)
        assert isinstance(path, Path)
        assert path == Path(name)
        assert path.read_text("utf-8").startswith("<!doctype html>")
        shown = path._repr_html_()  # type: ignore[attr-defined]
        assert shown.startswith(f'<a href="{link}"')
        assert "<1>" not in shown
        assert pickle.loads(pickle.dumps(path)) == path
        assert path.parent._repr_html_() is None  # type: ignore[attr-defined]
        path.unlink()
        assert path._repr_html_() is None  # type: ignore[attr-defined]


def test_what_is_done_of_an_hour_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    class Bar:
        def __init__(self, total: float, unit: str, **options: object) -> None:
            self.total = total
            told.append(total)

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def update(self) -> None:
            told.append(1)

    monkeypatch.setattr(report_page, "progress_bar", Bar)
    report_html(load(DATA / "cards_001.wav"))
    total, *steps = told
    assert abs(sum(steps) - total) <= 2
