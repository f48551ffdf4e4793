from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest

from realtime_nb.analysis.findings import findings as module
from realtime_nb.analysis.findings.findings import FINDING_IDS, Finding, Findings, findings
from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import Recording, load
from tests.made_recording import MadeRecording
from tests.paths import DATA
from tests.scripted_session import LiveSession, three_turns


def made(id: str, severity: str, start_s: float, text: str = "It went so.") -> Finding:
    return Finding(id, severity, None, start_s, start_s + 1, text, {"events": [3]}, "Change it.")  # type: ignore[arg-type]


FOUND = Findings(
    [
        made("unheard-audio", "note", 5.0),
        made("slow-answer", "warning", 65.0),
        made("slow-answer", "warning", 8.0),
        made("failed-tool", "error", 9.0),
        made("clipping", "warning", math.nan),
    ]
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {"dialect": "ga"})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)
    return load(recorder.path)


def test_worst_first_then_in_order_of_time() -> None:
    assert [one.id for one in FOUND] == [
        "failed-tool",
        "clipping",
        "slow-answer",
        "slow-answer",
        "unheard-audio",
    ]
    assert [one.start_s for one in FOUND[2:4]] == [8.0, 65.0]


def test_a_sequence_of_which_one_kind_can_be_taken() -> None:
    assert len(FOUND) == 5
    assert FOUND[0].severity == "error"
    assert isinstance(FOUND[1:], Findings)
    assert [one.start_s for one in FOUND.of("slow-answer")] == [8.0, 65.0]
    assert not FOUND.of("missed-barge-in")


def test_reads_as_lines() -> None:
    assert repr(FOUND).splitlines()[0] == "1 error, 3 warnings, 1 note"
    assert "warning   1:05  It went so.  [slow-answer]" in repr(FOUND)
    assert "→ Change it." in repr(FOUND)
    assert repr(Findings([])) == "nothing to report"
    assert "(times are the local server's)" in repr(Findings([], simulated=True))


def test_many_of_a_kind_are_not_all_displayed_among_others() -> None:
    many = [made("phantom-turn", "warning", float(second), f"At {second}.") for second in range(9)]
    found = Findings([*many, made("clipping", "warning", 3.0, "It clips.")])

    for text in (repr(found), found._repr_html_()):
        assert "At 4." in text
        assert "At 5." not in text
        assert "It clips." in text
        assert "and 4 more like it" in text
    assert "At 8." in repr(found.of("phantom-turn"))
    assert len(found.table) == 10


def test_html_has_the_severity_in_a_word_and_is_escaped() -> None:
    page = Findings([made("slow-answer", "error", 1.0, "<script>alert(1)</script>")])._repr_html_()

    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert ">error<" in page
    assert "events 3" in page


def test_table() -> None:
    table = FOUND.table

    assert list(table.columns)[:3] == ["turn", "severity", "text"]
    assert list(table.severity) == ["error", "warning", "warning", "warning", "note"]
    assert list(Findings([]).table.columns) == list(table.columns)


def test_every_kind_is_listed_once() -> None:
    """Reads the ids from the source of the rules."""
    folder = Path(module.__file__).parent
    used: set[str] = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                used.add(node.value)
    assert len(set(FINDING_IDS)) == len(FINDING_IDS)
    assert set(FINDING_IDS) <= used


def test_a_recorded_session(recording: Recording) -> None:
    found = findings(recording)

    assert {one.id for one in found} <= set(FINDING_IDS)
    (rejected,) = found.of("rejected-requests")
    assert rejected.severity == "note"
    assert rejected.evidence["code"] == "response_cancel_not_active"
    (unheard,) = found.of("unheard-audio")
    assert unheard.text.startswith("37% of the agent's audio was never heard (2.8 s)")
    events = {line.seq: line.event for line in recording.raw_events()}
    for one in found:
        seqs = one.evidence.get("events", [])
        assert isinstance(seqs, list)
        assert all(seq in events for seq in seqs)
    assert events[rejected.evidence["events"][0]]["type"] == "error"  # type: ignore[index]


def test_nothing_happened() -> None:
    assert len(findings(MadeRecording())) == 0


def test_a_bare_audio_file() -> None:
    assert len(findings(load(DATA / "cards_001.wav"))) == 0
