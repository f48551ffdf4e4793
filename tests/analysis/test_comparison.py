from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_nb.analysis.comparison import Comparison, compare
from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import load
from realtime_nb.recordings.summary import key_figures
from tests.analysis.metrics.made_calls import called, response, returned
from tests.analysis.stage_talk import MOMENTS, talked
from tests.made_recording import MadeRecording
from tests.scripted_session import LiveSession, three_turns

NAMES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TEXTS = [f"number {name} please" for name in NAMES]


def spoken(unheard_ms: list[float], texts: list[str] | None = None, **fields: Any) -> MadeRecording:
    """Answers of 4 s, of each of which so much was not heard."""
    rec = MadeRecording(**fields)
    for number, (lost_ms, text) in enumerate(zip(unheard_ms, texts or TEXTS, strict=False)):
        rec.user(number * 10.0, f"user_{number}", text)
        usage = {"input_tokens": 100 * number, "output_tokens": 10, "total_tokens": 0}
        rec.answer(number * 10.0 + 1, f"resp_{number}", 4_000, "Yes.", usage=usage)
        rec.played(f"resp_{number}_item", 4_000 - lost_ms, "flushed", number * 10.0 + 5)
    return rec


def answered_after(latencies_ms: list[float], call: int | None = None) -> MadeRecording:
    """One second of speech every 10 s, and an answer that is heard so long after each.

    Args:
        call: index of a turn in which a function is called.
    """
    rec = MadeRecording()
    detection = {"type": "server_vad", "prefix_padding_ms": 300, "silence_duration_ms": 320}
    session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    rec.got(0.0, "session.created", session=session)
    for number, latency_ms in enumerate(latencies_ms):
        begin_s = number * 10.0
        onset_ms, user, answer = 1_000 + number * 10_000, f"user_{number}", f"answer_{number}"
        for step in range(100):  # as much audio as there is time
            rec.conversation.audio.sent_ms = begin_s * 1000 + (step + 1) * 100
            rec.input_clock.add(begin_s + (step + 1) / 10, rec.conversation.input_ms)
        start = {"item_id": user, "audio_start_ms": onset_ms - 300}
        rec.got(begin_s + 1.1, "input_audio_buffer.speech_started", **start)
        stop = {"item_id": user, "audio_end_ms": onset_ms + 1_320}
        rec.got(begin_s + 2.32, "input_audio_buffer.speech_stopped", **stop)
        rec.user(begin_s + 2.32, user, f"number {number + 1} please")
        if number == call:
            response(rec, begin_s + 2.33, "in_progress")
            called(rec, begin_s + 2.332)
            returned(rec, begin_s + 2.334, "{}")
            response(rec, begin_s + 2.335, "completed")
        rec.answer(begin_s + 2.34, answer, 1_000, "Yes.")
        heard_s = begin_s + 2.0 + latency_ms / 1000
        rec.played(f"{answer}_item", 0, "started", heard_s)
        rec.played(f"{answer}_item", 1_000, "done", heard_s + 1.0)
    return rec


def message(item_id: str, kind: str) -> dict[str, Any]:
    content = [{"type": kind, "text": "and now?"}]
    return {"id": item_id, "type": "message", "role": "user", "content": content}


def row(comparison: Comparison, metric: str) -> dict[str, Any]:
    table = comparison.table
    return {str(k): v for k, v in table[table.metric == metric].iloc[0].items()}


def test_a_difference_in_every_pair_is_a_verdict() -> None:
    lost = [100.0 * number for number in range(1, 9)]
    comparison = compare(spoken([0] * 8), spoken(lost), names=("was", "is"))

    unheard = row(comparison, "unheard_ms")
    assert (unheard["n"], unheard["average"]) == (8, "mean")
    assert (unheard["a"], unheard["b"], unheard["delta"]) == (0, 450, 450)
    # Wider than the t interval of these alone, as there are other figures beside them.
    error = np.std(lost, ddof=1) / math.sqrt(8)
    assert 0 < unheard["low"] < 450 - 2.365 * error
    assert unheard["verdict"] == "is higher"
    swapped = row(compare(spoken(lost), spoken([0] * 8)), "unheard_ms")
    assert swapped["verdict"] == "b lower"
    assert (swapped["low"], swapped["high"]) == (-unheard["high"], -unheard["low"])
    assert "all 8 turns are paired." in comparison.notes
    assert list(comparison.turns.unheard_ms_b) == lost


def test_differences_both_ways_are_none() -> None:
    unheard = row(compare(spoken([300, 0] * 4), spoken([0, 300] * 4)), "unheard_ms")

    assert unheard["delta"] == 0
    assert unheard["low"] < 0 < unheard["high"]
    assert unheard["verdict"] == "no difference shown"
    tokens = row(compare(spoken([0] * 8), spoken([0] * 8)), "input_tokens")
    assert (tokens["low"], tokens["high"]) == (0, 0)
    assert tokens["verdict"] == "no difference shown"


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_too_few_pairs_for_a_verdict(count: int) -> None:
    comparison = compare(spoken([0] * count), spoken([500] * count))

    unheard = row(comparison, "unheard_ms")
    assert (unheard["n"], unheard["delta"]) == (count, 500)
    assert unheard["verdict"] == "too few pairs to tell"
    assert math.isnan(unheard["low"]) and math.isnan(unheard["high"])
    assert "fewer than 7 pairs can't tell a difference from chance." in comparison.notes


def test_one_longer_answer_is_one_observation_in_all_inputs_after_it() -> None:
    """Its tokens are read again in each turn that follows; that is not eight longer inputs."""
    longer = spoken([0] * 9)
    for number, one in enumerate(longer.conversation.responses.values()):
        one.usage = {"input_tokens": 100 * number + 50 * (number > 0), "output_tokens": 10}

    tokens = row(compare(spoken([0] * 9), longer), "input_tokens")

    assert (tokens["n"], tokens["delta"]) == (9, pytest.approx(50 * 8 / 9))
    assert tokens["verdict"] == "no difference shown"


def test_a_recording_compared_has_the_latency_of_its_card_and_its_metrics() -> None:
    """Three turns of 450, 500 and 800 ms, one of 3 s with a call and a typed one."""
    rec = answered_after([450, 500, 800, 3_000], call=3)
    rec.got(90.0, "conversation.item.added", item=message("typed", "input_text"))
    rec.answer(90.5, "resp_typed", 1_000, "Yes.")
    rec.played("resp_typed_item", 0, "started", 91.0)

    latency = row(compare(rec, rec), "latency_ms")

    assert (latency["n"], latency["average"]) == (3, "median")
    assert latency["a"] == latency["b"] == pytest.approx(500)
    assert float(rec.metrics().value.latency_ms) == pytest.approx(500)
    assert "500 ms" in dict(key_figures(rec)).values()
    with_calls = row(compare(rec, rec), "latency_with_calls_ms")
    assert (with_calls["n"], with_calls["a"]) == (1, pytest.approx(3_000))


def test_a_slower_answer_is_told_in_spite_of_noise() -> None:
    """300 ms more, in twelve pairs whose latencies vary by 100 ms."""
    noise = np.random.default_rng(5).normal(0, 100, (2, 12))
    a, b = answered_after([*(900 + noise[0])]), answered_after([*(1_200 + noise[1])])

    comparison = compare(a, b)

    latency = row(comparison, "latency_ms")
    assert (latency["n"], latency["verdict"]) == (12, "b higher")
    assert 0 < latency["low"] < 300 < latency["high"]
    others = comparison.table[~comparison.table.metric.isin(["latency_ms", "playout_ms"])]
    assert not others.verdict.str.contains("higher|lower").any()


def test_times_of_a_session_that_ran_faster_than_life_are_not_compared() -> None:
    def session(**header: Any) -> MadeRecording:
        return spoken([0, 0, 0], header=header)

    comparison = compare(session(), session(speed=4.0), names=("live", "quick"))

    commit = row(comparison, "commit_wait_ms")
    assert (commit["n"], commit["verdict"]) == (0, "not known")
    assert row(compare(session(speed=1.0), session()), "commit_wait_ms")["n"] == 3
    assert row(comparison, "unheard_ms")["n"] == 3
    assert "quick ran at 4 x: its latencies are not compared." in comparison.notes
    assert not any("live ran" in note for note in comparison.notes)


def test_what_is_not_known_has_no_figures() -> None:
    latency = row(compare(spoken([0] * 4), spoken([0] * 4)), "latency_ms")

    assert latency["n"] == 0
    assert math.isnan(latency["delta"])
    assert latency["verdict"] == "not known"


def test_turns_are_paired_by_what_was_said() -> None:
    """In b the second turn was split, and the fourth is missing."""
    said = [TEXTS[0], "number", "two please", TEXTS[2], TEXTS[4]]
    a, b = spoken([1, 2, 3, 4, 5]), spoken([11, 12, 13, 14, 15], said)

    comparison = compare(a, b)

    assert list(comparison.turns.turn_a) == [1, 2, 3, 5]
    assert list(comparison.turns.turn_b) == [1, 3, 4, 5]
    assert comparison.notes[0].startswith("4 turns are paired, of 5 in a and 5 in b")


def test_unrelated_recordings_have_nothing_in_common() -> None:
    comparison = compare(spoken([0] * 3), spoken([0] * 3, ["x", "y", "z"]))

    assert len(comparison.turns) == 0
    assert set(comparison.table.n) == {0}
    assert comparison.notes[0].startswith("0 turns are paired")


def test_words_that_differ() -> None:
    a = spoken([0, 0], ["Book a table for two, please.", "Thanks"])
    b = spoken([0, 0], ["book a table for you please!", "Thanks a lot"])

    comparison = compare(a, b)

    assert list(comparison.turns.text_differences) == [1, 2]
    assert row(comparison, "user_text_differences")["delta"] == 1.5


def test_reads_well_and_is_escaped() -> None:
    a, b = spoken([0] * 3, simulated=True), spoken([0] * 3)

    comparison = compare(a, b, names=("<b>", "new"))

    assert "latencies of <b> are those of the local server" in repr(comparison)
    assert "too few pairs to tell" in repr(comparison)
    assert "<b>" not in comparison._repr_html_()
    assert "&lt;b&gt;" in comparison._repr_html_()


def test_recordings_on_disk(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {"dialect": "ga"})
    three_turns(LiveSession(recorder))
    recorder.close(duration_s=16.2)
    recording = load(recorder.path)

    comparison = compare(recording, recording)

    assert row(comparison, "latency_ms")["n"] == 1
    assert row(comparison, "unheard_ms")["a"] == pytest.approx(2_800 / 3)
    assert set(comparison.table.delta.dropna()) == {0.0}
    assert any("1 of the pairs have function calls" in note for note in comparison.notes)


def test_empty_recordings() -> None:
    comparison = compare(MadeRecording(), MadeRecording())

    assert set(comparison.table.n) == {0}
    assert "all 0 turns are paired." in comparison.notes


def test_the_stages_of_both_are_there_whatever_they_are_called() -> None:
    both = compare(talked(MOMENTS), talked(MOMENTS), names=("same", "same"))

    shown = both.stages[both.stages.stage == "llm_ms"]
    assert list(shown.pipeline) == ["same (a)", "same (b)"]
    assert list(shown.p50) == [700, 700]
