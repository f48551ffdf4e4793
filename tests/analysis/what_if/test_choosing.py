from __future__ import annotations

import math
from typing import Any

import pytest

from realtime_nb.analysis.what_if.candidates import Candidate, candidates
from realtime_nb.analysis.what_if.choosing import (
    BestSetting,
    ChoiceLimits,
    best_setting,
    percent_words,
    share_words,
)
from realtime_nb.errors import ConfigurationError

TRIED = candidates([0.3, 0.5], [200, 500, 800], 300, "silero")


def row(split: int, false_starts: int, wait_ms: float, sent_s: float = 1.0) -> dict[str, Any]:
    return {
        **{"labelled_turns": 10, "turns": 10, "split_turns": split, "false_starts": false_starts},
        **{"split_share": split / 10, "false_start_share": false_starts / 10},
        **{"split_low_share": 0.0, "split_high_share": 0.5},
        **{"false_start_low_share": math.nan, "false_start_high_share": math.nan},
        **{"endpoint_wait_p50_ms": wait_ms, "audio_sent_s": sent_s, "note": ""},
    }


ROWS = [
    row(3, 2, 240),
    row(1, 1, 540),
    row(0, 0, 830),
    row(5, 0, 220),
    row(2, 0, 510),
    row(0, 0, 820),
]


def chosen(limits: ChoiceLimits, rows: list[dict[str, Any]] = ROWS) -> tuple[float, float]:
    found = best_setting(TRIED, rows, limits)
    one = next(one for one in TRIED if one.detection == found.detection)
    return one.threshold, one.silence_ms


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (ChoiceLimits(), (0.5, 200)),  # who allows anything waits least
        (ChoiceLimits(split=0.3), (0.3, 200)),
        (ChoiceLimits(split=0.3, false_start=0.1), (0.5, 500)),
        (ChoiceLimits(split=0.1), (0.3, 500)),
        (ChoiceLimits(split=0.0), (0.5, 800)),
        (ChoiceLimits(wait_ms=540), (0.3, 500)),  # the fewest splits in that time
        (ChoiceLimits(wait_ms=540, false_start=0), (0.5, 500)),
        (ChoiceLimits(wait_ms=10_000), (0.5, 800)),
    ],
)
def test_the_best_within_limits(limits: ChoiceLimits, expected: tuple[float, int]) -> None:
    assert chosen(limits) == expected


def test_of_equals_the_one_that_sends_less() -> None:
    equal = [row(0, 0, 500, sent_s=number) for number in (3, 2, 4, 5, 6, 7)]

    assert chosen(ChoiceLimits(), equal) == (0.3, 500)


def test_it_is_shown_with_what_speaks_for_it() -> None:
    found = best_setting(TRIED, ROWS, ChoiceLimits(split=0.1))

    assert isinstance(found, BestSetting)
    assert repr(found).splitlines()[0] == repr(found.detection)
    assert "splits 1 of 10 (0–50 %), false starts 1 of 10, waits 540 ms" in found.evidence
    assert "the defaults: threshold 0.5, silence 500 ms: splits 2 of 10" in found.evidence
    assert found.row == ROWS[1]


def test_where_none_fits_the_nearest_is_named() -> None:
    rows = [{**one, "split_share": one["split_share"] + 0.2} for one in ROWS]

    with pytest.raises(ConfigurationError, match=r"None of 6 settings keeps within max_split 5 %"):
        best_setting(TRIED, rows, ChoiceLimits(split=0.05))
    with pytest.raises(ConfigurationError, match=r"waits 100 ms or less.*silence 200 ms: splits 5"):
        best_setting(TRIED, ROWS, ChoiceLimits(wait_ms=100))


def test_what_is_not_known_is_not_chosen() -> None:
    rows = [{**one, "endpoint_wait_p50_ms": math.nan} for one in ROWS[:-1]]

    assert chosen(ChoiceLimits(), [*rows, ROWS[-1]]) == (0.5, 800)
    with pytest.raises(ConfigurationError, match=r"can't be told: why"):
        best_setting(TRIED, [{**one, "note": "why"} for one in [*rows, rows[0]]], ChoiceLimits())


def test_without_labels_nothing_is_best() -> None:
    with pytest.raises(ConfigurationError, match=r"give labels="):
        best_setting(TRIED, [{**one, "labelled_turns": None} for one in ROWS], ChoiceLimits())


@pytest.mark.parametrize(
    ("name", "value"),
    [(n, v) for n in ("split", "false_start") for v in (-0.1, 5, "x", True, math.nan)]
    + [("wait_ms", -1), ("wait_ms", "x"), ("wait_ms", math.nan)],
)
def test_limits_that_are_none(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^max_{name} is "):
        ChoiceLimits(**{name: value})


def test_words() -> None:
    assert share_words(ROWS[0], "split") == "3 of 10 (0–50 %)"
    assert share_words(ROWS[0], "false_start") == "2 of 10"
    assert percent_words(0.125) == "12.5 %"
    assert percent_words(math.nan) == ""
    assert isinstance(TRIED[0], Candidate)
