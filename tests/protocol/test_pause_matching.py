from __future__ import annotations

import random

import pytest

from realtime_nb.protocol.pause_matching import Stretch, match_pauses
from realtime_nb.protocol.pauses import Pause
from realtime_nb.protocol.spoken_length import Stop

SENTENCE, CLAUSE = Stop.SENTENCE, Stop.CLAUSE


def pauses(*places: tuple[float, float]) -> list[tuple[float, Pause]]:
    """Pauses at so much speech, of such lengths."""
    return [(at_ms, Pause(at_ms, at_ms + length_ms)) for at_ms, length_ms in places]


def pairs(
    stops: list[tuple[float, Stop]],
    found: list[tuple[float, Pause]],
    letters: float,
    voiced_ms: float,
    *,
    whole: bool = True,
) -> list[tuple[int, int]]:
    return match_pauses(Stretch(stops, found, letters, voiced_ms, 60.0, whole)).pairs


def test_each_sentence_ends_at_its_pause() -> None:
    stops = [(20.0, SENTENCE), (60.0, SENTENCE)]
    assert pairs(stops, pauses((1_300, 350), (3_500, 350)), 100, 6_000) == [(0, 0), (1, 1)]


def test_a_pause_in_the_middle_of_a_sentence_is_left_over() -> None:
    stops = [(40.0, SENTENCE)]
    assert pairs(stops, pauses((900, 100), (2_300, 300), (4_000, 120)), 100, 6_000) == [(0, 1)]


def test_a_comma_without_a_pause_is_passed_over() -> None:
    stops = [(20.0, CLAUSE), (60.0, SENTENCE)]
    assert pairs(stops, pauses((3_650, 300)), 100, 6_000) == [(1, 0)]


def test_nothing_is_matched_where_nothing_pauses_or_stops() -> None:
    assert pairs([], pauses((900, 300)), 100, 6_000) == []
    assert pairs([(20.0, SENTENCE)], [], 100, 6_000) == []
    assert pairs([(20.0, SENTENCE)], pauses((5_500, 300)), 100, 6_000) == []


def test_stops_that_were_not_reached_cost_nothing() -> None:
    stops = [(20.0, SENTENCE), (90.0, SENTENCE), (120.0, SENTENCE)]
    match = match_pauses(Stretch(stops, pauses((1_250, 300)), 200, 2_000, 60.0, whole=False))
    assert match.pairs == [(0, 0)]
    assert match.cost < 0.1
    whole = match_pauses(Stretch(stops, pauses((1_250, 300)), 200, 2_000, 60.0, whole=True))
    assert whole.cost > match.cost + 6


def test_more_audio_than_the_text_needs_is_unlikely() -> None:
    little = match_pauses(Stretch([], [], 20, 1_200, 60.0, whole=False))
    assert match_pauses(Stretch([], [], 20, 4_000, 60.0, whole=False)).cost > little.cost + 1


@pytest.mark.parametrize("seed", range(20))
def test_stops_are_found_whatever_the_pace_does(seed: int) -> None:
    """Sentences whose pace varies by a sixth, commas that may have no pause, pauses in between."""
    chooser = random.Random(seed)
    letters = at_ms = 0.0
    stops: list[tuple[float, Stop]] = []
    places: list[tuple[float, float]] = []
    right: list[tuple[int, int]] = []
    for number in range(12):
        length = chooser.uniform(15, 60)
        pace = 60 * chooser.uniform(0.85, 1.18)
        if chooser.random() < 0.3:
            places.append((at_ms + length * pace * 0.5, chooser.uniform(80, 130)))
        letters, at_ms = letters + length, at_ms + length * pace
        stops.append((letters, SENTENCE))
        right.append((number, len(places)))
        places.append((at_ms, chooser.uniform(260, 500)))
    found = pairs(stops, pauses(*places), letters + 30, at_ms + 1_800)
    assert len(set(found) & set(right)) >= 11


def test_a_long_answer_takes_little_time() -> None:
    """Four minutes of speech: a hundred stops and pauses."""
    stops = [(40.0 * (i + 1), SENTENCE) for i in range(100)]
    found = pairs(stops, pauses(*((2_400.0 * (i + 1), 300.0) for i in range(100))), 4_040, 242_400)
    assert found == [(i, i) for i in range(100)]
