from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.what_if.true_turns import (
    TrueTurn,
    checked_turns,
    given_turns,
    marked_turns,
)
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.input_clock import InputClock


@pytest.mark.parametrize(
    "given",
    [
        [(0.5, 2.0)],
        [[0.5, 2.0, ""]],
        np.array([[0.5, 2.0]]),
        [{"start_s": 0.5, "end_s": 2.0}],
        [{"start_ms": 500, "end_ms": 2000}],
        [{"start": 0.5, "end": 2.0, "other": 1}],
        {"segments": [{"start_ms": 500, "end_ms": 2000}]},
        {"start_s": 0.5, "end_s": 2.0},
        pd.DataFrame({"start_s": [0.5], "end_s": [2.0]}),
        [TrueTurn(500, 2000)],
        iter([(0.5, 2.0)]),
    ],
)
def test_forms_of_labels(given: Any) -> None:
    assert given_turns(given) == [TrueTurn(500, 2000)]


def test_texts_are_kept() -> None:
    assert given_turns([(0, 1, "yes"), {"start": 2, "end": 3, "label": "no"}]) == [
        TrueTurn(0, 1000, "yes"),
        TrueTurn(2000, 3000, "no"),
    ]


@pytest.mark.parametrize(
    "given", [5, "0.5 2.0", [5], [(1,)], [("a", "b")], [(True, 2)], [{"from": 1}], [None]]
)
def test_what_is_no_label_is_refused_with_what_is(given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"give pairs of seconds"):
        given_turns(given)


def test_the_third_label_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^Label 3 is \(1,\)"):
        given_turns([(0, 1), (2, 3), (1,)])


def test_labels_come_in_order() -> None:
    turns = [TrueTurn(3000, 4000), TrueTurn(0, 1000)]

    assert checked_turns(turns, 5000, "a.wav") == turns[::-1]


def test_one_that_touches_the_next_does_not_overlap_it() -> None:
    turns = [TrueTurn(0, 1000), TrueTurn(1000, 2000)]

    assert checked_turns(turns, 5000, "a.wav") == turns


def test_a_rounded_end_is_the_end_of_the_audio() -> None:
    assert checked_turns([TrueTurn(0, 5049)], 5000, "a.wav") == [TrueTurn(0, 5000)]


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([(-1, 100)], r"from -0\.001 to 0\.1 s begins before a\.wav does"),
        ([(100, 100)], r"from 0\.1 to 0\.1 s of a\.wav has no length"),
        ([(200, 100)], "has no length"),
        ([(0, 5051)], r"runs past the end of a\.wav, which is at 5 s"),
        ([(0, 1000), (999, 2000)], r"from 0\.999 to 2 s of a\.wav overlaps .* from 0 to 1 s"),
        ([(0, 4000), (1000, 2000)], "overlaps"),
        ([(0, math.nan)], "finite"),
        ([(0, math.inf)], "finite"),
    ],
)
def test_bad_labels(turns: list[tuple[float, float]], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        checked_turns([TrueTurn(*turn) for turn in turns], 5000, "a.wav")


class Marked:
    """A recording whose microphone began a second after it, with a pause of two seconds."""

    def __init__(self, *marks: tuple[float, str]) -> None:
        self.labels = frame("labels", [{"t_s": t_s, "text": text} for t_s, text in marks])
        self.input_clock = InputClock()
        for number in range(100):  # two seconds until 3.0, two more from 5.0 on
            pause_s = 2.0 if number >= 50 else 0.0
            end_ms = (number + 1) * 40.0
            self.input_clock.add(1 + end_ms / 1000 + pause_s, end_ms)


def test_marks_of_a_recording() -> None:
    rec = Marked((1.5, "speech start"), (2.5, "speech end"), (2.7, "a note"), (6.0, "speech end"))

    first, second = marked_turns(rec, [(480.0, 1490.0), (2200.0, 2990.0)])

    # The microphone's 0 is 1 s; after the pause, its 2000 is 5 s.
    assert first.start_ms == pytest.approx(500, abs=1)
    assert first.end_ms == pytest.approx(1500, abs=1)
    assert first.onset_told
    assert (second.start_ms, second.onset_told) == (2200, False)
    assert second.end_ms == pytest.approx(3000, abs=1)


def test_a_mark_of_an_end_without_a_voice_before_it_is_no_turn() -> None:
    assert marked_turns(Marked((2.5, "speech end")), []) == []
    assert marked_turns(Marked((2.5, "wow")), [(480.0, 1490.0)]) == []
