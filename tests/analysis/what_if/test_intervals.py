from __future__ import annotations

import math

import numpy as np
import pytest

from realtime_nb.analysis.what_if.intervals import FEWEST, percentile_places, share_interval


@pytest.mark.parametrize(("count", "of"), [(1, 8), (3, 8), (7, 20), (2, 200), (250, 500)])
def test_it_is_what_drawing_turns_anew_gives(count: int, of: int) -> None:
    verdicts = np.arange(of) < count
    draws = np.random.default_rng(1).integers(0, of, (20_000, of))
    drawn = np.percentile(verdicts[draws].mean(axis=1), [2.5, 97.5])

    assert share_interval(count, of) == pytest.approx(drawn, abs=1.01 / of)


@pytest.mark.parametrize("of", [1, 5, 60, 1000])
def test_none_of_few_is_no_certainty(of: int) -> None:
    low, high = share_interval(0, of)

    assert low == 0
    assert (1 - high) ** of == pytest.approx(0.025)  # so often nothing shows all the same
    assert share_interval(of, of) == pytest.approx((1 - high, 1))


def test_of_nothing_nothing_is_known() -> None:
    assert all(map(math.isnan, share_interval(0, 0)))


@pytest.mark.parametrize("percent", [50, 95])
@pytest.mark.parametrize("of", [FEWEST, 15, 41, 400])
def test_a_percentile_lies_where_drawing_values_anew_puts_it(percent: int, of: int) -> None:
    rng = np.random.default_rng(3)
    values = np.sort(rng.lognormal(6, 0.5, of))
    drawn = np.sort(rng.choice(values, (20_000, of)), axis=1)[:, round((of - 1) * percent / 100)]
    low, high = np.percentile(drawn, [2.5, 97.5], method="inverted_cdf")

    places = percentile_places(percent, of)
    told = np.searchsorted(values, [low, high])
    assert places == pytest.approx(tuple(told), abs=1)  # 20,000 draws miss the edge by a place
    assert 0 <= places[0] <= places[1] < of


def test_of_as_few_as_tell_an_interval_it_is_nearly_all_of_them() -> None:
    assert percentile_places(50, FEWEST) in {(0, 4), (0, 5)}


def test_a_hundred_thousand_values_are_no_matter() -> None:
    low, high = percentile_places(50, 100_000)
    # The sum of so many coins: 1.96 times half the root of their number on both sides.
    assert (low, high) == pytest.approx((49_690, 50_309), abs=2)
