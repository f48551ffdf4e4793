"""Functions that run at the same time, in any order: one silence, and the slow one named."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.analysis.call_gaps import find_call_gaps, why_no_gaps
from realtime_nb.analysis.findings.findings import findings
from realtime_nb.analysis.voices import Voices
from tests.made_recording import MadeRecording

ASKED_S = 10.0
"""When the arguments of the calls are whole."""

RESUME_S = 0.5
"""From the last output to the first audio of the answer."""


def called(rec: MadeRecording, t_s: float, name: str, response_id: str = "resp_1") -> None:
    item = {"id": f"item_{name}", "type": "function_call", "name": name, "call_id": name}
    rec.got(t_s, "response.output_item.done", item=item, response_id=response_id)


def returned(rec: MadeRecording, name: str, from_s: float, to_s: float) -> None:
    rec.ran(name, from_s, to_s)
    item = {"type": "function_call_output", "call_id": name, "output": "{}"}
    rec.sent(to_s, "conversation.item.create", item=item)


def response(rec: MadeRecording, t_s: float, kind: str, response_id: str = "resp_1") -> None:
    rec.got(t_s, f"response.{kind}", response={"id": response_id, "conversation_id": "c"})


def parallel(runs_s: list[float], agent: list[tuple[float, float]] | None = None) -> MadeRecording:
    """Calls ``call_0``, ``call_1`` … of one response that run at the same time."""
    voices = Voices(user=[(8.0, 9.0)], agent=agent or [])
    rec = MadeRecording(voices=voices, output=np.zeros(24_000, np.float32))
    rec.user(9.0, "user_1", "Weather, news and mail?")
    response(rec, 9.5, "created")
    for number in range(len(runs_s)):
        called(rec, ASKED_S, f"call_{number}")
    response(rec, ASKED_S, "done")
    for number in sorted(range(len(runs_s)), key=lambda one: runs_s[one]):
        returned(rec, f"call_{number}", ASKED_S, ASKED_S + runs_s[number])
    rec.answer(ASKED_S + max(runs_s) + RESUME_S - 0.1, "resp_2", 1_000, "Here.")
    return rec


def dead_air(rec: MadeRecording) -> list[str]:
    return [one.text for one in findings(rec).of("dead-air")]


def test_three_calls_of_one_response_are_one_silence() -> None:
    """Of 0, 0.5 and 3 s: the user waits 3.5 s, once."""
    rec = parallel([0.0, 0.5, 3.0])

    assert dead_air(rec) == [
        "turn 1: call_2, the slowest of 3 calls, took 3.0 s with nothing audible for 3.5 s."
    ]
    assert len(findings(rec).of("slow-tool")) == 0
    metrics = rec.metrics()
    assert (metrics.n.silent_tool_gap_ms, metrics.value.silent_tool_gap_ms) == (1, 3_500)
    assert rec.calls.others_ms.tolist() == pytest.approx([3_000, 2_500, 0])
    assert rec.calls.resume_ms.tolist() == pytest.approx([500] * 3)
    assert metrics.value.tool_resume_ms == pytest.approx(500)
    assert metrics.value.tool_others_ms == pytest.approx(2_500)


@settings(max_examples=25)  # all findings each time, 0.1 s of processor time
@given(
    runs_s=st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.5, 3.0, 7.0]), min_size=1, max_size=5)
)
def test_calls_in_any_order(runs_s: list[float]) -> None:
    rec = parallel(runs_s)
    longest_s = max(runs_s)

    calls = rec.calls
    assert calls.run_ms.tolist() == pytest.approx([run_s * 1000 for run_s in runs_s])
    assert calls.others_ms.tolist() == pytest.approx([(longest_s - one) * 1000 for one in runs_s])
    assert calls.resume_ms.tolist() == pytest.approx([500] * len(runs_s))
    (gap,) = find_call_gaps(rec)
    assert gap.silent_s == pytest.approx(longest_s + RESUME_S)
    assert gap.slowest.run_ms == pytest.approx(longest_s * 1000)
    found = findings(rec)
    told = [one.text for one in found.of("dead-air")]
    assert len(told) == (longest_s + RESUME_S > 2)
    assert all(gap.slowest.name in text for text in told)
    slow = [one.evidence["call_id"] for one in found.of("slow-tool")]
    expected = {f"call_{n}" for n, run_s in enumerate(runs_s) if run_s > 2} - {gap.slowest.call_id}
    assert set(slow) == expected


@settings(max_examples=25)
@given(
    runs_s=st.lists(st.sampled_from([0.1, 1.0, 1.5, 4.0]), min_size=2, max_size=4),
    thought_s=st.sampled_from([0.23, 1.07]),
)
def test_calls_one_after_the_other_without_a_word_between(
    runs_s: list[float], thought_s: float
) -> None:
    """The agent asks for the next when it has the last: still one silence."""
    rec = MadeRecording(output=np.zeros(24_000, np.float32))
    rec.user(9.0, "user_1", "Book it.")
    outputs_s, at_s = [], 9.5
    for number, run_s in enumerate(runs_s):
        response(rec, at_s, "created", f"asks_{number}")
        called(rec, at_s + thought_s, f"call_{number}", f"asks_{number}")
        response(rec, at_s + thought_s, "done", f"asks_{number}")
        returned(rec, f"call_{number}", at_s + thought_s, at_s + thought_s + run_s)
        at_s += thought_s + run_s
        outputs_s.append(at_s)
    rec.answer(at_s + 0.3, "resp_2", 1_000, "Booked.")

    others_ms = [(outputs_s[-1] - one) * 1000 for one in outputs_s]
    assert rec.calls.others_ms.tolist() == pytest.approx(others_ms)
    assert rec.calls.resume_ms.tolist() == pytest.approx([400] * len(runs_s))
    (gap,) = find_call_gaps(rec)
    silent_s = sum(runs_s) + thought_s * (len(runs_s) - 1) + 0.4
    assert gap.silent_s == pytest.approx(silent_s)
    assert len(dead_air(rec)) == (silent_s > 2)


def test_an_answer_to_the_fast_one_while_the_slow_one_runs() -> None:
    """Silent from 10 to 10.7 s and, after the first answer, from 12 to 16.4 s."""
    voices = Voices(user=[(8.0, 9.0)], agent=[(10.7, 12.0)])
    rec = MadeRecording(voices=voices, output=np.zeros(24_000, np.float32))
    rec.user(9.0, "user_1", "Weather and news?")
    response(rec, 9.5, "created")
    called(rec, 10.0, "fast")
    called(rec, 10.0, "slow")
    response(rec, 10.0, "done")
    returned(rec, "fast", 10.0, 10.1)
    rec.answer(10.6, "resp_2", 1_300, "Sunny.")
    returned(rec, "slow", 10.0, 16.0)
    rec.answer(16.3, "resp_3", 1_000, "No news.")

    assert rec.calls.others_ms.tolist() == pytest.approx([0, 0])
    assert rec.calls.resume_ms.tolist() == pytest.approx([600, 400])
    assert dead_air(rec) == ["turn 1: slow took 6.0 s with nothing audible for 4.4 s."]
    assert [gap.silent_s for gap in find_call_gaps(rec)] == pytest.approx([0.7, 4.4])


def test_calls_that_nobody_spoke_of() -> None:
    """No answer followed: the silence ends with the last output, and others are not known."""
    rec = MadeRecording(output=np.zeros(24_000, np.float32))
    rec.user(9.0, "user_1", "Weather and news?")
    response(rec, 9.5, "created")
    for name in ("a", "b"):
        called(rec, 10.0, name)
    returned(rec, "a", 10.0, 10.2)
    returned(rec, "b", 10.0, 14.0)

    assert rec.calls.others_ms.isna().all() and rec.calls.resume_ms.isna().all()
    (gap,) = find_call_gaps(rec)
    assert gap.silent_s == pytest.approx(4.0)
    assert not gap.answered
    assert math.isnan(rec.metrics().value.silent_tool_gap_ms)
    assert len(dead_air(rec)) == 1


@pytest.mark.parametrize("lost", ["output.wav", "input.wav", "times"])
def test_silence_is_not_known_where_somebody_may_have_been_audible(lost: str) -> None:
    rec = parallel([4.0])
    assert why_no_gaps(rec) is None

    rec.conversation.gaps[lost] = "for some reason"

    assert why_no_gaps(rec) == "for some reason"
    assert dead_air(rec) == []
    assert [one.evidence["run_ms"] for one in findings(rec).of("slow-tool")] == [4_000]
