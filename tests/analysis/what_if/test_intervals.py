from __future__ import annotations

import math

import numpy as np
import pytest

from realtime_nb.analysis.what_if.intervals import share_interval


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
