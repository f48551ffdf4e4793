"""What is told of pairs: of equals nothing, of real differences that they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from realtime_nb.analysis.paired_test import Told, added_up, tell_apart

FIGURES = 12
Array = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Array]


def both(draw: Callable[[np.random.Generator, tuple[int, int]], Array]) -> Draw:
    """Two measurements of the same, one taken from the other."""
    return lambda random, n: draw(random, (n, FIGURES)) - draw(random, (n, FIGURES))


def together(random: np.random.Generator, n: int) -> Array:
    """Figures of which each says nearly what the others say."""
    return random.normal(size=(n, 1)) + random.normal(0, 0.2, (n, FIGURES))


def with_gaps(random: np.random.Generator, n: int) -> Array:
    found = random.normal(size=(n, FIGURES))
    found[random.random((n, FIGURES)) < 0.4] = np.nan
    return found


def read_again(random: np.random.Generator, n: int) -> Array:
    """Each turn reads what all before it said."""
    walks = np.cumsum(random.normal(size=(n, FIGURES)), axis=0)
    return np.column_stack([added_up(column) for column in walks.T])


NULLS: dict[str, Draw] = {
    "normal": lambda random, n: random.normal(size=(n, FIGURES)),
    "heavy tails": lambda random, n: random.standard_cauchy((n, FIGURES)),
    "skewed latencies": both(lambda random, size: random.lognormal(6, 0.8, size)),
    "counts, mostly 0": both(lambda random, size: random.poisson(0.2, size).astype(float)),
    "yes and no": both(lambda random, size: random.integers(0, 2, size).astype(float)),
    "together": together,
    "with gaps": with_gaps,
    "read again": read_again,
}


@pytest.mark.parametrize("n", [3, 5, 7, 8, 10, 12, 20, 50])
def test_tables_of_equals_say_nothing(n: int) -> None:
    """In 8 × 20 tables of 12 figures; 5 % of them are promised, 5 % of rows would be 46 %."""
    random = np.random.default_rng(n)
    told = [
        any(one.differs for one in tell_apart(draw(random, n), seed=table))
        for draw in NULLS.values()
        for table in range(20)
    ]

    assert sum(told) <= 0.05 * len(told)


def test_one_kind_of_equals_after_the_other() -> None:
    """At the size that recordings have, each kind alone stays below the 5 %."""
    random = np.random.default_rng(1)
    for name, draw in NULLS.items():
        told = sum(any(one.differs for one in tell_apart(draw(random, 10))) for _ in range(300))
        assert told <= 0.05 * 300, name


@pytest.mark.parametrize(("n", "least"), [(8, 0.5), (10, 0.85), (12, 0.95), (20, 1.0)])
def test_three_hundred_ms_are_told_from_noise_of_a_hundred(n: int, least: float) -> None:
    random = np.random.default_rng(n)
    found = 0
    for _ in range(60):
        differences = random.normal(0, 100, (n, FIGURES)) - random.normal(0, 100, (n, FIGURES))
        differences[:, 0] += 300
        told = tell_apart(differences)
        found += told[0].differs and told[0].low > 0
    assert found >= least * 60


def test_what_differs_in_every_pair_is_told_from_seven_on() -> None:
    # All seven have one sign in 2 of 2 ** 7 cases, which is less than 2.5 %; of six it is more.
    assert [tell_apart(np.full((n, 1), 40.0))[0].differs for n in (5, 6, 7, 30)] == [
        *(False, False),
        *(True, True),
    ]


def test_counts_of_swaps_by_hand() -> None:
    """Of a single figure it is the permutation test, counted here one swap after the other."""
    random = np.random.default_rng(3)
    for _ in range(100):
        differences = np.round(random.normal(0.8, 1, 9), 1)
        means = [abs(np.dot(signs, differences)) for signs in product((1, -1), repeat=9)]
        rarity = np.mean(np.array(means) >= abs(differences.sum()) - 1e-9)
        assert tell_apart(differences[:, None])[0].differs == (rarity <= 0.025)


def test_the_interval_says_what_the_verdict_says() -> None:
    random = np.random.default_rng(4)
    for n in (3, 6, 7, 9, 15):
        for shift in (0.0, 1.0, 2.0):
            for draw in NULLS.values():
                for one in tell_apart(draw(random, n) + shift * (np.arange(FIGURES) % 2)):
                    assert one.differs == (one.low > 0 or one.high < 0)
                    assert math.isnan(one.low) == math.isnan(one.high)


def test_a_figure_of_few_pairs_takes_nothing_from_the_others() -> None:
    """Two equal differences are no news, though their t is infinite."""
    random = np.random.default_rng(6)
    many = random.normal(3, 1, (10, 1))
    few = np.full((10, 1), np.nan)
    few[:2] = 1.0

    told = tell_apart(np.hstack([many, few]))

    assert told[0] == tell_apart(many)[0]
    assert told[0].differs
    assert math.isnan(told[1].low)


def test_nothing_that_differs() -> None:
    assert tell_apart(np.zeros((9, 2))) == [Told(0.0, 0.0, False)] * 2
    assert tell_apart(np.zeros((0, 2)))[0].differs is False


def test_what_is_read_again_counts_once() -> None:
    """50 tokens more from the third turn on, in 5 turns."""
    news = added_up(np.array([0.0, np.nan, 50.0, 50.0, 50.0]))

    assert news.tolist()[2:] == [150.0, 0.0, 0.0]
    assert np.nanmean(news) == pytest.approx(150 / 4)
    assert not tell_apart(added_up(np.full(20, 50.0))[:, None])[0].differs
    assert tell_apart(added_up(np.linspace(0.0, 950.0, 20))[:, None])[0].differs
