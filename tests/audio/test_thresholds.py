from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio.thresholds import threshold_like
from realtime_nb.errors import ConfigurationError

UNIT = st.floats(0, 1, width=32)


@given(st.lists(UNIT, min_size=1, max_size=60), UNIT, st.data())
@settings(max_examples=50)
def test_no_other_threshold_is_nearer(
    first: list[float], threshold: float, data: st.DataObject
) -> None:
    second = np.array(data.draw(st.lists(UNIT, min_size=len(first), max_size=len(first))))
    wanted = sum(p >= threshold for p in first)
    found = threshold_like(first, threshold, second)
    if wanted in (0, len(first)):
        assert math.isnan(found)
        return
    assert 0 <= found <= 1
    missed = abs(int(np.sum(second >= found)) - wanted)
    assert missed == min(abs(int(np.sum(second >= p)) - wanted) for p in second)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_a_curve_that_was_bent_is_found_bent(threshold: float) -> None:
    probabilities = np.random.default_rng(3).random(10_000)
    assert threshold_like(probabilities, threshold, probabilities**3) == pytest.approx(
        threshold**3, abs=0.001
    )


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_thresholds_that_make_no_sense(threshold: float) -> None:
    with pytest.raises(ConfigurationError, match=r"threshold is .*from 0 to 1"):
        threshold_like([0.1, 0.9], threshold, [0.1, 0.9])


def test_other_audio() -> None:
    with pytest.raises(ConfigurationError, match=r"\(2,\) and \(3,\)"):
        threshold_like([0.1, 0.9], 0.5, [0.1, 0.9, 0.2])
    assert math.isnan(threshold_like([], 0.5, []))
