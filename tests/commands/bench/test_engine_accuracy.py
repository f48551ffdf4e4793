from __future__ import annotations

import math

import numpy as np
import pytest

from realtime_nb.commands.bench.engine_accuracy import Score, measure_accuracy, print_accuracy
from realtime_nb.commands.bench.scenes import Scene
from realtime_nb.protocol.turns import SpeechSpan

# 60 s, of which words are three.
SCENE = Scene(
    np.zeros(63 * 24_000, np.float32),
    [(9_900, 11_000), (20_000, 21_000), (30_000, 31_000)],
    [10_000, 20_000, 30_000],
)


def span(onset_ms: int, offset_ms: int) -> SpeechSpan:
    return SpeechSpan(onset_ms, onset_ms, offset_ms, offset_ms)


def test_turns_that_fit() -> None:
    score = Score()
    score.add(SCENE, [span(10_032, 11_040), span(19_936, 21_008), span(30_064, 30_976)])
    score.add(SCENE, [])
    figures = score.figures()
    assert figures["found"] == pytest.approx(3 / 6)
    assert figures["onset_p50_ms"] == 64 and figures["end_p50_ms"] == 24
    assert figures["onset_p95_ms"] == pytest.approx(64) and 24 < figures["end_p95_ms"] <= 40
    assert figures["false_a_minute"] == 0


@pytest.mark.parametrize(
    ("spans", "found", "false_a_minute"),
    [
        ([span(10_000, 21_000), span(30_000, 31_000)], 1, 0),  # two words in one turn
        ([span(10_000, 10_400), span(10_600, 11_000), span(20_100, 20_900)], 1, 0),  # split
        ([span(12_000, 13_000), span(40_000, 41_000), span(30_500, 30_600)], 1, 2),  # of nothing
        ([span(11_000, 20_000)], 0, 1),  # between two
        ([span(0, 63_000)], 0, 0),  # all is speech
    ],
)
def test_turns_that_do_not(spans: list[SpeechSpan], found: int, false_a_minute: int) -> None:
    score = Score()
    score.add(SCENE, spans)
    figures = score.figures()
    assert figures["found"] == pytest.approx(found / 3)
    assert figures["false_a_minute"] == pytest.approx(false_a_minute)
    assert math.isnan(figures["end_p50_ms"]) == (not found)


def test_nothing_is_known_of_no_scene() -> None:
    assert all(math.isnan(value) for value in Score().figures().values())


def test_loudness_finds_words_in_silence_and_none_in_noise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = measure_accuracy(1, ["silero", "energy"], snrs_db=(10,))
    assert figures["silero_clean_found"] == figures["energy_clean_found"] == 1
    assert figures["silero_threshold"] == pytest.approx(0.5, abs=0.02)
    assert (figures["silero_pink_10_found"] or 0) >= 0.9
    assert figures["energy_white_10_found"] == 0 and figures["energy_white_10_end_p50_ms"] is None
    assert (figures["silero_clean_onset_p50_ms"] or 99) <= 64
    assert (figures["silero_clean_end_p50_ms"] or 99) <= 96
    print_accuracy(figures)
    printed = capsys.readouterr().out
    assert "energy: words found one to one at threshold 0.5 (silero's 0.5 is its 0.3" in printed
    assert "  white 10 dB   0.00          -    -        -    -               0.0" in printed
