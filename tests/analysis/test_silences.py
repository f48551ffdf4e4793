from __future__ import annotations

from realtime_nb.analysis.silences import long_silences, longest_gap, merged


def test_merged() -> None:
    assert merged([(0.0, 1.0), (4.0, 5.0)], [(0.5, 2.0), (2.0, 3.0)]) == [(0, 3), (4, 5)]
    assert merged([(0.0, 9.0)], [(1.0, 2.0)]) == [(0, 9)]
    assert merged([], []) == []


def test_long_silences_begin_after_the_first_speech_and_end_with_the_session() -> None:
    audible = [(10.0, 11.0), (13.0, 14.0), (16.5, 17.0)]

    assert long_silences(audible, 18.0) == [(14, 16.5)]  # 11 to 13 is not more than 2 s
    assert long_silences(audible, 20.0) == [(14, 16.5), (17, 20)]
    assert long_silences([], 20.0) == []


def test_longest_gap() -> None:
    audible = [(0.0, 1.0), (2.0, 2.5), (4.0, 5.0)]

    assert longest_gap(audible, 0.5, 4.5) == (2.5, 4.0)
    assert longest_gap(audible, 2.75, 3.0) == (2.75, 3.0)
    assert longest_gap(audible, 4.0, 9.0) == (5.0, 9.0)
    assert longest_gap(audible, 4.2, 4.8) == (4.2, 4.2)
    assert longest_gap([], 1.0, 3.0) == (1.0, 3.0)
