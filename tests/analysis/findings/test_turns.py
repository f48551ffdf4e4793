from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.findings.evidence import Evidence
from realtime_nb.analysis.findings.turns import (
    cancelled_answers,
    false_interruptions,
    late_barge_ins,
    missed_barge_ins,
    over_remembered,
    phantom_turns,
    premature_cuts,
    unanswered_turns,
    unheard_speech,
)
from realtime_nb.analysis.metrics.metrics import metrics
from realtime_nb.analysis.voices import Voices
from tests.analysis.untimed_log import untimed
from tests.made_recording import MadeRecording

SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 192,
}


def begun(**settings: Any) -> MadeRecording:
    """The microphone sends from t = 0 on, as fast as it hears."""
    rec = MadeRecording(input=np.zeros(24_000, np.float32))
    for chunk in range(1, 600):
        rec.input_clock.add(chunk / 10, chunk * 100.0)
    detection = {**SERVER_VAD, **settings}
    rec.got(0.0, "session.created", session={"audio": {"input": {"turn_detection": detection}}})
    return rec


def heard(rec: MadeRecording, item_id: str, start_ms: int, end_ms: int, text: str) -> None:
    """Speech from ``start_ms`` to ``end_ms``, reported with padding and window and committed."""
    rec.got(
        start_ms / 1000,
        "input_audio_buffer.speech_started",
        audio_start_ms=start_ms - 300,
        item_id=item_id,
    )
    stopped_ms = end_ms + 192
    rec.got(
        stopped_ms / 1000,
        "input_audio_buffer.speech_stopped",
        audio_end_ms=stopped_ms,
        item_id=item_id,
    )
    rec.user(stopped_ms / 1000, item_id, text)


def interrupted(rec: MadeRecording, **fields: Any) -> Evidence:
    row = {
        "kind": "interruption",
        "turn": 4,
        "item_id": "resp_1_item",
        "user_item": "user_2",
        "onset_s": 12.0,
        "stopped_s": 12.4,
        "played_ms": 1_100.0,
        "received_ms": 4_000.0,
        "over_remembered_ms": 0.0,
        "cause": "user",
        "false": False,
        "echo_score": math.nan,
        "user_text": "",
        **fields,
    }
    evidence = Evidence(rec)
    evidence.interruptions = frame("interruptions", [row])
    return evidence


@pytest.mark.parametrize(
    ("fields", "id", "text", "remedy"),
    [
        (
            {"cause": "echo", "echo_score": 0.83},
            "agent-cut-by-echo",
            "turn 4: the agent was cut after 1.1 s by sound that matches its own voice (echo "
            "0.83).",
            "use headphones",
        ),
        (
            {"cause": "empty"},
            "false-interruption",
            "turn 4: the agent was cut after 1.1 s by a sound in which no words were understood.",
            "raise threshold from 0.5 to about 0.6",
        ),
        (
            {"cause": "backchannel", "user_text": "Uh-huh."},
            "false-interruption",
            "turn 4: the agent was cut after 1.1 s by 'Uh-huh.', which is a listener's word and no "
            "wish to speak.",
            "use semantic_vad",
        ),
    ],
)
def test_false_interruptions_by_cause(
    fields: dict[str, Any], id: str, text: str, remedy: str
) -> None:
    rec = begun()
    rec.answer(11.0, "resp_1", 4_000, "A long answer.")

    (finding,) = false_interruptions(interrupted(rec, false=True, **fields))

    assert (finding.id, finding.turn) == (id, 4)
    assert finding.text == text
    assert finding.suggestion.startswith(remedy)
    assert (finding.start_s, finding.end_s) == (12.0, 12.4)
    assert finding.evidence["item_id"] == "resp_1_item"
    assert finding.evidence["events"] == [2, 3, 5]


def test_interruptions_that_were_meant_are_none_of_ours() -> None:
    evidence = interrupted(begun())

    assert not list(false_interruptions(evidence))
    assert not list(missed_barge_ins(evidence))
    assert not list(over_remembered(evidence))


def test_missed_barge_in() -> None:
    (finding,) = missed_barge_ins(interrupted(begun(), kind="missed", turn=math.nan))

    assert finding.text == "the user spoke over the agent at 12.0 s and was not heard."
    assert (finding.severity, finding.turn) == ("error", None)
    assert finding.suggestion.startswith("lower threshold from 0.5,")


@pytest.mark.parametrize(("excess_ms", "count"), [(200.0, 0), (201.0, 1), (math.nan, 0)])
def test_over_remembered_audio(excess_ms: float, count: int) -> None:
    found = list(over_remembered(interrupted(begun(), over_remembered_ms=excess_ms)))

    assert len(found) == count
    assert all("believes that it said 0.2 s more" in finding.text for finding in found)


def test_no_model_goes_on_from_what_the_end_of_the_session_cut() -> None:
    rec = begun()
    rec.duration_s = 12.5
    assert not list(over_remembered(interrupted(rec, over_remembered_ms=2_000.0)))
    assert list(over_remembered(interrupted(rec, over_remembered_ms=2_000.0, stopped_s=11.0)))
    assert list(over_remembered(interrupted(rec, over_remembered_ms=2_000.0, stopped_s=math.nan)))


@pytest.mark.parametrize(
    ("gap_ms", "reply_played_s", "cut"),
    [
        (460, None, True),
        (460, 3.5, True),
        (1_300, None, True),
        (1_500, None, False),
        (1_000, 2.3, False),  # the user spoke up 0.7 s into the reply: that is a barge-in
    ],
)
def test_a_turn_that_was_cut_in_two(gap_ms: int, reply_played_s: float | None, cut: bool) -> None:
    rec = begun()
    rec.voices = Voices([], [], [(1_000, 2_000), (2_000 + gap_ms, 4_000 + gap_ms)])
    heard(rec, "user_1", 1_000, 2_000, "I would like")
    if reply_played_s is not None:
        rec.answer(2.2, "resp_1", 1_000, "Yes?")
        rec.played("resp_1_item", 0, "started", reply_played_s)
    heard(rec, "user_2", 2_000 + gap_ms, 4_000 + gap_ms, "a table for two.")

    found = list(premature_cuts(Evidence(rec)))

    assert len(found) == cut == metrics(rec).value["premature_cuts"]
    if cut and gap_ms == 460:
        assert found[0].text == (
            "turn 1 was ended in a pause of 460 ms: the user went on with 'a table for two.'."
        )
        assert found[0].evidence["gap_ms"] == 460
        # No promise: performed speech sounds finished at its pauses, too (docs/turn-ends.md).
        assert "semantic_vad may wait where a sentence does not sound finished" in (
            found[0].suggestion
        )
        assert found[0].suggestion.startswith("silence_duration_ms of at least 550 instead of 192")


@pytest.mark.parametrize(
    ("voiced", "text", "shown"),
    [
        ([(1_300.0, 1_390.0)], "Thank you.", "(0.09 s voiced; transcript 'Thank you.')"),
        ([], "", "(0.00 s voiced; transcript empty)"),
        ([(1_300.0, 1_500.0)], "Yes.", None),
    ],
)
def test_turns_without_speech(
    voiced: list[tuple[float, float]], text: str, shown: str | None
) -> None:
    rec = begun()
    heard(rec, "user_1", 1_200, 1_500, text)
    rec.voices = Voices(user=[], agent=[], user_ms=voiced)

    found = list(phantom_turns(Evidence(rec)))

    assert len(found) == (shown is not None) == metrics(rec).value["phantom_turns"]
    assert all(
        finding.text == f"turn 1: the user said nothing, but a turn was committed {shown}."
        for finding in found
    )


def test_without_input_audio_nobody_can_tell() -> None:
    rec = begun()
    heard(rec, "user_1", 1_200, 1_500, "Yes.")
    rec.input = np.zeros(0, np.float32)

    assert not list(phantom_turns(Evidence(rec)))


def test_speech_that_was_never_reported() -> None:
    rec = begun()
    heard(rec, "user_1", 1_000, 3_000, "Hello.")
    spans = [(1_000.0, 3_000.0), (5_000.0, 6_400.0), (8_000.0, 8_900.0), (12_000.0, 14_000.0)]
    rec.voices = Voices(user=[], agent=[(12.5, 13.0)], user_ms=spans)

    (finding,) = unheard_speech(Evidence(rec))

    assert finding.text == "the server did not hear 1.4 s of speech at 5.0 s."
    rec.got(20.0, "session.updated", session={"audio": {"input": {"turn_detection": None}}})
    assert not list(unheard_speech(Evidence(rec)))


def test_turns_that_nothing_answered() -> None:
    rec = begun()
    rec.user(1.0, "user_1", "Hello?")
    rec.user(10.0, "user_2", "I would like")
    rec.user(11.0, "user_3", "a table.")
    rec.answer(12.0, "resp_3", 500, "Yes.")
    rec.user(58.0, "user_4", "Bye.")  # two seconds before the end

    (finding,) = unanswered_turns(Evidence(rec))

    assert finding.text == "turn 1: nothing answered 'Hello?'."
    assert (finding.severity, finding.start_s, finding.end_s) == ("warning", 1.0, 10.0)
    rec.got(
        59.0,
        "session.updated",
        session={"audio": {"input": {"turn_detection": {**SERVER_VAD, "create_response": False}}}},
    )
    assert next(unanswered_turns(Evidence(rec))).severity == "note"


LONG, SHORT = "Which of the plans am I on?", ("mhm", "Yeah.", "Um...", "pff", "Okay.")


@pytest.mark.parametrize(
    ("window_ms", "remedy"),
    [
        (200, "set silence_duration_ms to 500 or more instead of 200"),
        (700, "semantic_vad with eagerness='low' waits"),
    ],
)
def test_answers_that_short_turns_cancelled_are_counted_without_a_clock(
    tmp_path: Path, window_ms: int, remedy: str
) -> None:
    turns = [(LONG, False), *((text, True) for text in SHORT), (LONG, False)]

    (finding,) = cancelled_answers(Evidence(untimed(tmp_path, turns, window_ms)))

    assert finding.text == (
        "5 of 7 answers were cancelled by short turns such as 'mhm', 'Yeah.' and 'Um...', at a "
        f"silence window of {window_ms} ms."
    )
    assert finding.suggestion.startswith(remedy)
    assert (finding.evidence["cancelled"], finding.evidence["answers"]) == (5, 7)


@pytest.mark.parametrize(
    "turns",
    [
        [(LONG, True)] * 7,  # they were no short turns
        [("mhm", False)] * 7,  # nothing was cancelled
        [("mhm", True), *[(LONG, False)] * 8],  # it happened once
        [*[(LONG, False), ("mhm", True), (LONG, False)] * 1, *[(LONG, False)] * 20],
    ],
)
def test_few_answers_that_were_cancelled_are_no_pattern(
    tmp_path: Path, turns: list[tuple[str, bool]]
) -> None:
    assert list(cancelled_answers(Evidence(untimed(tmp_path, turns)))) == []


def test_a_barge_in_that_was_heard_late_is_not_unheard() -> None:
    found = interrupted(begun(), kind="late", onset_s=12.0, detected_s=12.9, detection_ms=900.0)

    assert list(missed_barge_ins(found)) == []
    (finding,) = late_barge_ins(found)
    assert "spoke over the agent at 12.0 s, and the server heard it 0.9 s later" in finding.text
    assert finding.severity == "warning"


@pytest.mark.parametrize(
    ("header", "words", "never"),
    [
        ({"microphone": {"echo_cancellation": False}}, "echo cancellation on in the panel", "play"),
        ({"microphone": {"source": "host", "lost_ms": 0}}, "audio='browser'", "the panel"),
        ({}, "use headphones or echo cancellation", "the panel"),
    ],
)
def test_advice_against_echo_fits_who_speaks(
    header: dict[str, Any], words: str, never: str
) -> None:
    found = interrupted(begun(), cause="echo", **{"false": True}, echo_score=0.9)
    assert isinstance(found.rec, MadeRecording)
    found.rec.header = header

    (finding,) = false_interruptions(found)

    assert words in finding.suggestion
    assert never not in finding.suggestion
