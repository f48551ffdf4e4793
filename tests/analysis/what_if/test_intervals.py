from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from realtime_nb.analysis.what_if.intervals import FEWEST, percentile_places, share_interval


@pytest.mark.parametrize(("count", "of"), [(1, 8), (3, 8), (7, 20), (2, 200), (250, 500), (0, 32)])
def test_its_ends_are_the_shares_from_which_the_count_is_196_deviations_off(
    count: int, of: int
) -> None:
    for end in share_interval(count, of):
        off = abs(count - of * end)
        assert off == pytest.approx(1.96 * math.sqrt(of * end * (1 - end)), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("of", [1, 3, 32, 400])
def test_it_grows_with_the_count_and_holds_it(of: int) -> None:
    intervals = [share_interval(count, of) for count in range(of + 1)]
    for (low, high), (more_low, more_high) in pairwise(intervals):
        assert low < more_low and high < more_high
    assert all(low <= n / of <= high for n, (low, high) in enumerate(intervals))
    assert intervals[0][0] == 0 and intervals[0][1] > 0
    assert intervals[-1] == pytest.approx((1 - intervals[0][1], 1))


@pytest.mark.parametrize("of", [10, 32, 100])
def test_it_holds_the_truth_95_times_of_100(of: int) -> None:
    shares = np.linspace(0.02, 0.98, 97)
    counts = np.random.default_rng(4).binomial(of, np.repeat(shares, 400))
    table = np.array([share_interval(count, of) for count in range(of + 1)])[counts]
    held = (table[:, 0] <= np.repeat(shares, 400)) & (np.repeat(shares, 400) <= table[:, 1])
    assert held.mean() == pytest.approx(0.95, abs=0.01)


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
