from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.audio.given_samples import check_sample_rate, given_samples

RATE = 16_000


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.array([0.5, -1.0]), [0.5, -1.0]),
        ([0.5, -1.0], [0.5, -1.0]),
        (np.array([16_384, -32_768], np.int16), [0.5, -1.0]),
        (np.array([2**30, -(2**31)], np.int32), [0.5, -1.0]),
        (np.array([64, -128], np.int8), [0.5, -1.0]),
        (np.array([1.5, -1.5]), [1.5, -1.5]),  # loud, as floats may be
    ],
    ids=str,
)
def test_floats_and_whole_numbers(given: Any, expected: list[float]) -> None:
    samples = given_samples(given, RATE, RATE, "sound")

    assert samples.dtype == np.float32
    assert samples.tolist() == expected


def test_another_rate() -> None:
    samples = given_samples(np.zeros(8_000), 8_000, 24_000, "sound")

    assert samples.shape == (24_000,)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((5, 2)), r"sound has the shape \(5, 2\); give one channel, shape \(n,\)"),
        (np.float32(1), r"sound has the shape \(\)"),
        ([], "sound holds no samples"),
        ([0.0, np.nan, 0.5], "sound holds samples that are not finite"),
        ([0.0, -np.inf], "sound holds samples that are not finite"),
        ([0.0, -1_200.0], "The loudest sample of sound is 1200; give floats in −1..1"),
        (np.zeros(5, bool), "sound holds bool"),
        (np.zeros(5, np.uint8), "sound holds uint8; give floats in −1..1, or int16"),
        (["a"], "sound holds <U1"),
        ([None], "sound holds object"),
    ],
    ids=str,
)
def test_what_is_no_sound(given: Any, words: str) -> None:
    with pytest.raises(rt.AudioError, match=words):
        given_samples(given, RATE, RATE, "sound")


@pytest.mark.parametrize("sample_rate", [0, -8_000, 8_000.5, "8000", True, None])
def test_what_is_no_rate(sample_rate: Any) -> None:
    with pytest.raises(rt.ConfigurationError, match=r"^rate is .*; give samples per second"):
        check_sample_rate(sample_rate, "rate")
    with pytest.raises(rt.ConfigurationError, match=r"^sample_rate is "):
        given_samples([0.0], sample_rate, RATE, "sound")
