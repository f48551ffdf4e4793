"""Whether a rule could look at all: no finding is no good news where it could not."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_nb.analysis.checks import Checks
from realtime_nb.analysis.findings.evidence import SEVERITIES, Evidence
from realtime_nb.analysis.findings.findings import FINDING_IDS, findings
from realtime_nb.analysis.findings.unknown import KINDS, why_unknown
from realtime_nb.analysis.voices import Voices
from realtime_nb.recordings.recording import load
from tests.analysis.metrics.made_calls import called, response, returned
from tests.made_recording import MadeRecording

OWN = {"complete": True}


def typed(rec: MadeRecording) -> MadeRecording:
    """A session in which the user types and the agent writes."""
    rec.got(0.0, "session.created", session={"output_modalities": ["text"], "type": "realtime"})
    content = [{"type": "input_text", "text": "Hello?"}]
    item = {"id": "user_1", "type": "message", "role": "user", "content": content}
    rec.got(1.0, "conversation.item.added", item=item)
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    rec.answer(1.1, "resp_1", text="Hello.", usage=usage)
    return rec


def spoken(rec: MadeRecording) -> MadeRecording:
    """A session in which the user speaks and is answered; nothing of the sound was kept."""
    detection = {"type": "server_vad", "prefix_padding_ms": 300, "silence_duration_ms": 200}
    session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    rec.got(0.0, "session.created", session=session)
    rec.got(1.0, "input_audio_buffer.speech_started", item_id="user_1", audio_start_ms=500)
    rec.got(2.0, "input_audio_buffer.speech_stopped", item_id="user_1", audio_end_ms=1_500)
    rec.user(2.0, "user_1", "Hello?")
    rec.answer(2.1, "resp_1", 1_000, "Hello.")
    return rec


def test_of_a_typed_session_all_is_known_but_what_no_server_told() -> None:
    rec = typed(MadeRecording(header=OWN))

    assert set(why_unknown(Evidence(rec))) == {"rate-limit-low"}
    rec.simulated = True
    assert why_unknown(Evidence(rec)) == {}


def test_without_sound_what_was_heard_is_unknown() -> None:
    told = why_unknown(Evidence(spoken(MadeRecording(header=OWN))))

    of_the_user = {"missed-barge-in", "late-barge-in", "phantom-turn", "unheard-speech"}
    of_the_user |= {"quiet-microphone", "clipping", "noisy-room"}
    of_the_agent = {"over-remembered-audio", "unheard-audio", "underruns"}
    assert of_the_user | of_the_agent <= set(told)
    assert {told[id] for id in of_the_user} == {"there is no input audio"}
    assert {told[id] for id in of_the_agent} == {"playback was not reported"}
    known = {"rejected-requests", "response-failed", "unanswered-turn", "recording-damaged"}
    known |= {"failed-tool", "orphan-call", "dead-air", "slow-tool", "session-ended-early"}
    assert not known & set(told)


def test_of_an_audio_file_no_event_is_known() -> None:
    """What is heard in it is known; a session was there none."""
    rec = MadeRecording(input=np.full(24_000, 0.1, np.float32))
    ids = sorted(set(FINDING_IDS) - {"recording-damaged", "quiet-microphone", "clipping"})

    checks = Checks(rec)
    checks.no(*ids)

    assert len(ids) >= 30
    assert [failure.split(" is not known: ")[0] for failure in checks.failures] == [
        f"whether there is a finding of {id}" for id in ids
    ]
    allowing = Checks(rec)
    allowing.no(*ids, allow_unknown=True)
    assert allowing.failures == []


def test_a_level_is_known_by_the_audio_alone() -> None:
    checks = Checks(MadeRecording(input=np.full(24_000, 0.1, np.float32)))

    checks.no("recording-damaged", "quiet-microphone", "clipping")

    assert checks.failures == []


@pytest.mark.parametrize(
    ("gap", "ids"),
    [
        ("events.jsonl", {"response-failed", "orphan-call", "false-interruption", "dead-air"}),
        ("times", {"missed-barge-in", "slow-tool", "dead-air", "late-output", "premature-cut"}),
        ("playback.jsonl", {"false-interruption", "underruns", "unheard-audio"}),
        ("output.wav", {"dead-air"}),
        ("input.wav", {"missed-barge-in", "unheard-speech", "phantom-turn"}),
    ],
)
def test_what_was_lost_is_why(gap: str, ids: set[str]) -> None:
    rec = spoken(MadeRecording(header=OWN, input=np.full(96_000, 0.1, np.float32)))
    if gap == "times":  # nothing of it has a time
        rec = spoken_untimed()
        rec.input = np.full(96_000, 0.1, np.float32)
    response(rec, _at(gap, 5.0), "in_progress")
    called(rec, _at(gap, 5.1))
    returned(rec, _at(gap, 5.2), "{}")
    rec.output = np.full(96_000, 0.1, np.float32)
    rec.conversation.gaps[gap] = "it was lost"

    told = why_unknown(Evidence(rec))

    assert {told.get(id) for id in ids} == {"it was lost"}


def spoken_untimed() -> MadeRecording:
    timed = spoken(MadeRecording(header=OWN))
    rec = MadeRecording(header=OWN)
    for line in timed.lines:
        rec.got(math.nan, line.event["type"], **_rest(line.event))
    return rec


def _rest(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "type"}


def _at(gap: str, t_s: float) -> float:
    return math.nan if gap == "times" else t_s


def test_interruptions_of_which_no_words_are_known() -> None:
    """Whether somebody meant to interrupt is told by what was said."""
    rec = spoken(MadeRecording(header=OWN))
    rec.got(4.0, "input_audio_buffer.speech_started", item_id="user_2", audio_start_ms=3_500)
    rec.got(4.5, "input_audio_buffer.committed", item_id="user_2")
    rec.answer(3.0, "resp_2", 4_000, "On and on.", **CANCELLED)

    told = why_unknown(Evidence(rec))

    assert told["false-interruption"] == "the user's speech was not transcribed"
    assert told["agent-cut-by-echo"] == "there is no audio of user and agent to compare"


CANCELLED = {
    "status": "cancelled",
    "status_details": {"type": "cancelled", "reason": "turn_detected"},
}


def test_none_worse_needs_to_know_what_can_be_worse() -> None:
    rec = spoken(MadeRecording(header=OWN))

    checks = Checks(rec)
    checks.none_worse_than("error")
    assert checks.failures == []
    checks.none_worse_than("warning")
    assert any("missed-barge-in is not known" in one for one in checks.failures)
    assert not any("phantom-turn" in one for one in checks.failures)  # no worse than a warning
    allowing = Checks(rec)
    allowing.none_worse_than("warning", allow_unknown=True)
    assert allowing.failures == []


def test_findings_say_what_they_could_not_look_for() -> None:
    found = findings(spoken(MadeRecording(header=OWN)))

    assert "not known, there is no input audio: " in repr(found)
    assert "missed-barge-in" in found.of("missed-barge-in").unknown
    assert found.of("missed-barge-in").unknown.keys() == {"missed-barge-in"}
    assert found[:1].unknown == found.unknown
    assert "not known, there is no input audio" in found._repr_html_()


def test_no_finding_is_worse_than_its_kind() -> None:
    rec = spoken(MadeRecording(voices=Voices(user=[], agent=[])))
    for one in findings(rec):
        assert SEVERITIES.index(one.severity) >= SEVERITIES.index(KINDS[one.id].worst)


def test_a_log_without_times_fails_a_check_for_missed_barge_ins(tmp_path: Path) -> None:
    """Words came, no audio: somebody may have spoken over them."""
    rec = spoken_untimed()
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(line.event) for line in rec.lines))

    with (
        pytest.raises(AssertionError, match="missed-barge-in is not known: the log has no times"),
        load(tmp_path / "log.jsonl").check() as check,
    ):
        check.no("missed-barge-in")
    assert load(tmp_path / "log.jsonl").findings().unknown["slow-answer"] == "the log has no times"
