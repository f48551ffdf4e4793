from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_nb.analysis.comparison import Comparison, compare
from realtime_nb.archive.recorder import Recorder
from realtime_nb.recordings.recording import load
from tests.made_recording import MadeRecording
from tests.scripted_session import LiveSession, three_turns

TEXTS = [f"number {name} please" for name in ("one", "two", "three", "four", "five")]


def spoken(unheard_ms: list[float], texts: list[str] | None = None, **fields: Any) -> MadeRecording:
    """Answers of 4 s, of each of which so much was not heard."""
    rec = MadeRecording(**fields)
    for number, (lost_ms, text) in enumerate(zip(unheard_ms, texts or TEXTS, strict=False)):
        rec.user(number * 10.0, f"user_{number}", text)
        usage = {"input_tokens": 100 * number, "output_tokens": 10, "total_tokens": 0}
        rec.answer(number * 10.0 + 1, f"resp_{number}", 4_000, "Yes.", usage=usage)
        rec.played(f"resp_{number}_item", 4_000 - lost_ms, "flushed", number * 10.0 + 5)
    return rec


def row(comparison: Comparison, metric: str) -> dict[str, Any]:
    table = comparison.table
    return {str(k): v for k, v in table[table.metric == metric].iloc[0].items()}


def test_a_difference_in_every_pair_is_a_verdict() -> None:
    comparison = compare(spoken([0, 0, 0, 0]), spoken([100, 200, 300, 400]), names=("was", "is"))

    unheard = row(comparison, "unheard_ms")
    assert (unheard["n"], unheard["a"], unheard["b"], unheard["delta"]) == (4, 0, 250, 250)
    assert 100 <= unheard["low"] < 250 < unheard["high"] <= 400
    assert unheard["verdict"] == "is higher"
    swapped = row(compare(spoken([100, 200, 300, 400]), spoken([0, 0, 0, 0])), "unheard_ms")
    assert swapped["verdict"] == "b lower"
    assert (swapped["low"], swapped["high"]) == (-unheard["high"], -unheard["low"])
    assert "all 4 turns are paired." in comparison.notes
    assert list(comparison.turns.unheard_ms_b) == [100, 200, 300, 400]


def test_differences_both_ways_are_none() -> None:
    unheard = row(compare(spoken([300, 0, 300, 0]), spoken([0, 300, 0, 300])), "unheard_ms")

    assert unheard["delta"] == 0
    assert unheard["low"] < 0 < unheard["high"]
    assert unheard["verdict"] == "no difference shown"
    tokens = row(compare(spoken([0] * 4), spoken([0] * 4)), "input_tokens")
    assert (tokens["low"], tokens["high"]) == (0, 0)
    assert tokens["verdict"] == "no difference shown"


def test_interval_is_that_of_a_seeded_percentile_bootstrap() -> None:
    a, b = spoken([0, 0, 0, 0, 0]), spoken([10, 90, 20, 400, 30])
    differences = np.array([10, 90, 20, 400, 30], float)
    drawn = np.random.default_rng(7).integers(0, 5, (10_000, 5))
    expected = np.percentile(differences[drawn].mean(axis=1), (2.5, 97.5))

    unheard = row(compare(a, b, seed=7), "unheard_ms")

    assert (unheard["low"], unheard["high"]) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_pairs_for_a_verdict(count: int) -> None:
    unheard = row(compare(spoken([0] * count), spoken([500] * count)), "unheard_ms")

    assert (unheard["n"], unheard["delta"]) == (count, 500)
    assert unheard["verdict"] == "too few pairs"


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
    assert "no difference shown" in repr(comparison)
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
    assert "1 of the pairs have function calls: their times include running them." in (
        comparison.notes
    )


def test_empty_recordings() -> None:
    comparison = compare(MadeRecording(), MadeRecording())

    assert set(comparison.table.n) == {0}
    assert "all 0 turns are paired." in comparison.notes
