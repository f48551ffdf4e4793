from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.cost.prices import DurationPrice, Price
from realtime_nb.analysis.what_if.candidates import Candidate, candidates
from realtime_nb.analysis.what_if.outcomes import Bounds, judge
from realtime_nb.analysis.what_if.scores import AudioPrice, SweptRun, audio_price, scores_table
from realtime_nb.analysis.what_if.taken_turns import Taken
from realtime_nb.analysis.what_if.true_turns import TrueTurn
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.turns import SpeechSpan

(ONE, *_) = candidates(0.5, 200, 300, "silero")
PRICE = AudioPrice("some-model", 0.02)


def run(
    spans: list[tuple[int, int]],
    turns: list[tuple[float, float]] | None,
    ends_ms: tuple[float, ...] = (),
    duration_ms: float = 10_000,
) -> SweptRun:
    taken = Taken.of([SpeechSpan(on - 300, on, off, off + 224) for on, off in spans])
    truth = None if turns is None else Bounds.of([TrueTurn(*turn) for turn in turns])
    outcomes = None if truth is None else judge(taken, truth)
    return SweptRun(taken, outcomes, np.array(ends_ms), duration_ms)


def row_of(*runs: SweptRun, one: Candidate = ONE) -> dict[str, Any]:
    (row,) = records(scores_table([one], [runs], PRICE))
    return row


def test_the_figures_of_two_recordings_together() -> None:
    # First: one turn whole, one split in two, and a cough. Second: one missed.
    first = run(
        [(1024, 2016), (3104, 3520), (4032, 4992), (7040, 7200)], [(1000, 2000), (3000, 5000)]
    )
    row = row_of(first, run([], [(500, 900)], duration_ms=2_000))

    assert (row["turns"], row["labelled_turns"]) == (4, 3)
    assert (row["split_turns"], row["false_starts"], row["missed_turns"]) == (1, 1, 1)
    assert row["split_share"] == pytest.approx(1 / 3)
    assert row["false_start_share"] == pytest.approx(1 / 4)
    assert row["missed_share"] == pytest.approx(1 / 3)
    assert row["missed_speech_ms"] == 400
    # Onsets are 24 and 104 ms late, ends 16 late and 8 early.
    assert row["onset_error_p50_ms"] == 64
    assert row["onset_error_p95_ms"] == pytest.approx(24 + 0.95 * 80)
    assert row["end_error_p50_ms"] == 4
    assert row["end_error_p95_ms"] == pytest.approx(8 + 0.95 * 8)
    # 2016 + 224 − 2000 and 4992 + 224 − 5000
    assert (row["waits"], row["endpoint_wait_p50_ms"]) == (2, 228)
    assert row["endpoint_wait_p95_ms"] == pytest.approx(216 + 0.95 * 24)
    assert row["wait_source"] == "label"
    # Speech of 992, 416, 960 and 160 ms, each with 524 ms around it, in 12 s.
    assert row["audio_sent_s"] == pytest.approx(4.624)
    assert row["audio_sent_share"] == pytest.approx(4.624 / 12)
    assert row["hour_usd"] == pytest.approx(4.624 / 12 * 60 * 0.02)
    assert row["note"].startswith("of 1 of 3 turns no wait is known")


def test_percentiles_of_waits_have_intervals_from_six_waits_on() -> None:
    names = [f"endpoint_wait_{of}_{end}_ms" for of in ("p50", "p95") for end in ("low", "high")]
    ends_ms = [4_000 * number + 10 * number for number in range(1, 11)]  # waits of 214, 204, …
    spans = [(4_000 * number - 1_000, 4_000 * number) for number in range(1, 11)]
    turns = [(float(end_ms - 1_000), float(end_ms)) for end_ms in ends_ms]

    row = row_of(run(spans, turns, duration_ms=50_000))
    low, high, last_low, last_high = (row[name] for name in names)
    waits = [4_000 * number + 224 - end for number, end in enumerate(ends_ms, 1)]
    assert {low, high, last_low, last_high} <= set(map(float, waits))
    assert min(waits) < low < row["endpoint_wait_p50_ms"] < high < max(waits) == last_high
    five = row_of(run(spans[:5], turns[:5], duration_ms=50_000))
    assert five["waits"] == 5
    assert all(math.isnan(five[name]) for name in names)


def test_without_labels_what_can_be_known_is() -> None:
    row = row_of(run([(1024, 2016)], None, (1990.0,)))

    assert row["turns"] == 1
    assert (row["endpoint_wait_p50_ms"], row["wait_source"]) == (250, "offline_vad")
    assert row["audio_sent_s"] > 0
    unknown = [name for name, value in row.items() if value is None or value != value]
    assert {"split_share", "split_turns", "false_starts", "missed_turns"} <= set(unknown)
    assert {"onset_error_p50_ms", "missed_speech_ms", "labelled_turns"} <= set(unknown)
    assert "no labels tell" in row["note"]


def test_one_recording_without_labels_makes_shares_unknown() -> None:
    row = row_of(run([(1024, 2016)], [(1000, 2000)]), run([(1024, 2016)], None, (2000.0,)))

    assert math.isnan(row["split_share"])
    assert row["turns"] == 2


def test_nobody_spoke_and_nothing_was_taken() -> None:
    row = row_of(run([], []))

    assert (row["labelled_turns"], row["split_turns"]) == (0, 0)
    assert math.isnan(row["split_share"]) and math.isnan(row["false_start_share"])
    assert "no turn is labelled" in row["note"] and "no turn was taken" in row["note"]


def test_prices() -> None:
    # 600 tokens a minute at $32 a million
    assert audio_price("gpt-realtime").usd_per_minute == pytest.approx(0.0192)
    assert audio_price("x", {"x": Price(audio_in=10)}).usd_per_minute == pytest.approx(0.006)
    assert audio_price("x", {"x": DurationPrice(0.03)}).usd_per_minute == 0.03


@pytest.mark.parametrize("model", ["unheard-of", "", "text"])
def test_a_model_without_a_price_of_audio(model: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"price_model is '{model}'.*gpt-realtime"):
        audio_price(model, {"text": Price(text_in=1)})
