from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb.analysis.columns.frames import table_rows
from realtime_nb.analysis.findings.evidence import Evidence
from realtime_nb.analysis.findings.timing import (
    calls_that_failed,
    calls_that_took_long,
    endpoint_wait_dominates,
    pushed_input,
    slow_answers,
)
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.analysis.voices import Voices
from realtime_nb.archive.lines import RecordedEvent
from tests.made_recording import MadeRecording


def waited(*turns: dict[str, Any], **settings: Any) -> Evidence:
    """Turns whose answers came after so many ms, by part; what is left out took no time."""
    rec = MadeRecording()
    detection = {"type": "server_vad", "silence_duration_ms": 500, **settings}
    rec.got(0.0, "session.created", session={"audio": {"input": {"turn_detection": detection}}})
    table = []
    for number, parts in enumerate(turns, start=1):
        rec.user(number * 10.0, f"user_{number}", "Hello.")
        rec.answer(number * 10.0 + 1, f"resp_{number}", 500, "Yes.")
        parts_ms = {name: parts.get(name, 0.0) for name in LATENCY_PARTS}
        table.append(
            {
                "turn": number,
                "speech_end_s": number * 10.0,
                "played_s": number * 10.0 + sum(parts_ms.values()) / 1000,
                "commit_s": number * 10.0,
                "latency_ms": sum(parts_ms.values()),
                "latency_note": None,
                "had_calls": False,
                **parts,
                **parts_ms,
            }
        )
    evidence = Evidence(rec)
    evidence.latency = {row.turn: row for row in table_rows(pd.DataFrame(table))}
    return evidence


def test_a_slow_answer_says_what_took_longest() -> None:
    evidence = waited(
        {"endpoint_wait_ms": 600, "model_first_audio_ms": 1_900},
        {"endpoint_wait_ms": 600, "model_first_audio_ms": 1_100},
        {"endpoint_wait_ms": 3_100, "model_first_audio_ms": 100},
    )

    model, endpoint = slow_answers(evidence)

    assert (model.id, model.severity, model.turn) == ("slow-answer", "warning", 1)
    assert model.text == (
        "turn 1: the answer was heard 2.5 s after the user had finished; 1.9 s of it was the "
        "model's first audio."
    )
    assert (model.start_s, model.end_s) == (10.0, 12.5)
    assert model.evidence["latency_ms"] == 2_500
    assert model.evidence["events"] == [1, 2, 3, 4, 6, 8, 9]
    assert endpoint.severity == "error"
    assert "silence_duration_ms" in endpoint.suggestion


def test_many_slow_answers_with_one_cause_are_one_finding() -> None:
    slow = [{"commit_wait_ms": 2_000.0 + 100 * number} for number in range(4)]

    (finding,) = slow_answers(waited({"commit_wait_ms": 100}, *slow))

    assert finding.turn is None
    assert finding.text.startswith("4 of 5 answers took longer than 1.7 s (median 2.1 s)")
    assert finding.text.endswith("the slowest was turn 5 with 2.3 s.")
    assert finding.evidence["turns"] == [2, 3, 4, 5]


def test_turns_with_calls_are_not_slow_answers() -> None:
    assert not list(slow_answers(waited({"model_first_audio_ms": 9_000, "had_calls": True})))


@pytest.mark.parametrize(
    ("wait_ms", "rest_ms", "settings", "remedy"),
    [
        (700, 300, {}, "lower silence_duration_ms from 500;"),
        (700, 300, {"silence_duration_ms": 200}, "the window is 200 ms, so the rest"),
        (700, 300, {"type": "semantic_vad", "silence_duration_ms": None}, "raise eagerness"),
        (700, 800, {}, None),  # not even half
        (400, 100, {}, None),  # short anyway
    ],
)
def test_waiting_for_the_end_of_the_turn(
    wait_ms: float, rest_ms: float, settings: dict[str, Any], remedy: str | None
) -> None:
    parts = {"endpoint_wait_ms": wait_ms, "model_first_audio_ms": rest_ms}

    found = list(endpoint_wait_dominates(waited(parts, parts, **settings)))

    assert len(found) == (remedy is not None)
    for finding in found:
        assert "of 1.0 s until the answer was heard, 0.7 s was waiting" in finding.text
        assert "medians of 2 turns" in finding.text
        assert remedy is not None
        assert finding.suggestion.startswith(remedy)


def with_call(
    run_s: float, resume_s: float, output: str | None = '{"ok": true}', **fields: Any
) -> Evidence:
    """A call whose arguments are whole at 10 s."""
    rec = MadeRecording(**fields, output=np.zeros(24_000, np.float32))
    rec.user(8.0, "user_1", "Weather?")
    call = {
        "id": "call_item",
        "type": "function_call",
        "name": "get_weather",
        "call_id": "call_1",
        "arguments": "{}",
        "status": "completed",
    }
    rec.got(9.0, "response.created", response={"id": "resp_1", "conversation_id": "c"})
    rec.got(10.0, "response.output_item.done", item=call, response_id="resp_1")
    rec.got(10.1, "response.done", response={"id": "resp_1", "status": "completed"})
    if output is not None:
        item = {"type": "function_call_output", "call_id": "call_1", "output": output}
        rec.sent(10.0 + run_s, "conversation.item.create", item=item)
        rec.answer(10.0 + run_s + resume_s - 0.1, "resp_2", 500, "Sunny.")
    return Evidence(rec)


@pytest.mark.parametrize(
    ("run_s", "resume_s", "agent", "expected"),
    [
        (3.9, 0.5, [(8.0, 11.2)], "dead-air"),
        (3.9, 0.5, [(8.0, 15.0)], "slow-tool"),
        (0.1, 3.0, [], "dead-air"),
        (1.0, 0.5, [], None),
    ],
)
def test_calls_and_silence(
    run_s: float, resume_s: float, agent: list[tuple[float, float]], expected: str | None
) -> None:
    evidence = with_call(run_s, resume_s, voices=Voices(user=[], agent=agent))

    found = list(calls_that_took_long(evidence))

    assert [finding.id for finding in found] == ([expected] if expected else [])


def test_silence_is_no_finding_where_what_was_played_is_not_recorded() -> None:
    evidence = with_call(0.1, 3.0)
    assert isinstance(evidence.rec, MadeRecording)
    evidence.rec.output = np.zeros(0, np.float32)

    assert list(calls_that_took_long(evidence)) == []


def test_dead_air_is_told_with_its_place() -> None:
    voices = Voices(user=[], agent=[(8.0, 11.2), (15.0, 16.0)])

    (finding,) = calls_that_took_long(with_call(3.9, 0.5, voices=voices))

    assert finding.text == "turn 1: get_weather took 3.9 s with nothing audible for 3.2 s."
    assert (finding.start_s, round(finding.end_s, 6)) == (11.2, 14.4)
    assert finding.evidence["call_id"] == "call_1"
    assert finding.evidence["events"] == [4, 6]
    quick = next(calls_that_took_long(with_call(0.1, 3.0)))
    assert "the function was quick" in quick.suggestion


@pytest.mark.parametrize(
    ("output", "id", "words"),
    [
        (
            '{"error": "No such city."}',
            "failed-tool",
            "told that get_weather failed: No such city.",
        ),
        (None, "orphan-call", "turn 1: get_weather was called and never answered."),
        ('{"ok": true}', None, ""),
    ],
)
def test_calls_that_failed(output: str | None, id: str | None, words: str) -> None:
    found = list(calls_that_failed(with_call(0.5, 0.5, output)))

    assert [finding.id for finding in found] == ([id] if id else [])
    assert all(words in finding.text for finding in found)


def test_a_late_output() -> None:
    evidence = with_call(2.0, 0.5, None)
    rec = evidence.rec
    assert isinstance(rec, MadeRecording)
    rec.user(11.0, "user_2", "Never mind.")
    item = {"type": "function_call_output", "call_id": "call_1", "output": "{}"}
    rec.sent(12.0, "conversation.item.create", item=item)

    (finding,) = calls_that_failed(evidence)

    assert (finding.id, finding.severity) == ("late-output", "warning")
    assert (finding.start_s, finding.end_s) == (10.0, 12.0)


def test_input_that_was_pushed() -> None:
    evidence = waited({"latency_note": "input was not sent in real time"}, {})

    (finding,) = pushed_input(evidence)

    assert finding.severity == "note"
    assert finding.text.startswith("the audio of 1 turn was not sent in real time")
    assert finding.evidence["turns"] == [1]


@pytest.mark.parametrize(
    ("header", "captured_s", "words"),
    [
        ({"microphone": {"echo_cancellation": True}}, 1.0, "the page's microphone came in bursts"),
        ({"microphone": {"source": "host", "lost_ms": 0.0}}, 1.0, "the computer's microphone"),
        ({"endpoint": {"kind": "local"}}, None, "session.play() does"),
        ({"endpoint": {"kind": "local"}}, 1.0, "in chunks of 20 to 100 ms"),
        ({}, None, "in chunks of 20 to 100 ms"),
    ],
)
def test_advice_about_the_pace_fits_who_speaks(
    header: dict[str, Any], captured_s: float | None, words: str
) -> None:
    """Who speaks into a page or a sound card plays no files."""
    evidence = waited({"latency_note": "input was not sent in real time"})
    rec = evidence.rec
    assert isinstance(rec, MadeRecording)
    rec.header = header
    append = {"type": "input_audio_buffer.append", "audio": ""}
    rec.lines.append(RecordedEvent(99, 1.0, "sent", append, captured_s))

    (finding,) = pushed_input(evidence)

    assert words in finding.suggestion
    assert ("session.play()" in finding.suggestion) == (words == "session.play() does")
