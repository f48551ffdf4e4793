from __future__ import annotations

import math

import numpy as np
import pytest

from realtime_nb.analysis.echo import echo_score
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import Samples
from tests.paths import DATA

AGENT = load_audio(DATA / "austen_0880.wav")
USER = load_audio(DATA / "cards_001.wav")


def excerpt(samples: Samples, start_s: float, length_s: float) -> Samples:
    return samples[round(start_s * 24_000) : round((start_s + length_s) * 24_000)]


@pytest.mark.parametrize("lag_s", [-0.09, 0.0, 0.12, 0.49])
def test_a_copy_scores_one_whatever_its_loudness(lag_s: float) -> None:
    heard = -0.01 * excerpt(AGENT, 1.0, 0.5)

    assert echo_score(heard, AGENT, 1.0 + lag_s) == pytest.approx(1.0, abs=0.02)


def test_a_copy_beyond_the_lags_is_not_found() -> None:
    assert echo_score(excerpt(AGENT, 1.0, 0.5), AGENT, 1.8) < 0.35


def test_an_echo_in_a_room_scores_above_unrelated_speech() -> None:
    random = np.random.default_rng(1)
    room = np.zeros(4_800)
    room[960] = 1.0
    tail = np.arange(1_000, 4_800)
    room[1_000:] = 0.05 * random.normal(size=len(tail)) * np.exp(-(tail - 1_000) / 1_800)
    echo = (0.1 * np.convolve(AGENT, room)[: len(AGENT)]).astype(np.float32)

    assert echo_score(excerpt(echo, 1.0, 0.5), AGENT, 1.0) > 0.4
    assert echo_score(excerpt(USER, 0.3, 0.5), AGENT, 1.0) < 0.3


def test_where_nothing_was_played_there_is_no_echo() -> None:
    assert echo_score(excerpt(USER, 0.3, 0.5), AGENT, 60.0) == 0
    assert echo_score(excerpt(USER, 0.3, 0.5), np.zeros(0, np.float32), 0.0) == 0
    assert echo_score(np.zeros(24_000, np.float32), AGENT, 1.0) == 0


def test_too_little_to_compare_is_unknown() -> None:
    assert math.isnan(echo_score(excerpt(AGENT, 1.0, 0.09), AGENT, 1.0))
    assert math.isnan(echo_score(excerpt(AGENT, 1.0, 0.5), AGENT, math.nan))


def test_of_a_long_stretch_the_first_second_counts() -> None:
    heard = np.concatenate([excerpt(AGENT, 0.5, 1.0), np.ones(24_000, np.float32)])

    assert echo_score(heard, AGENT, 0.5) == pytest.approx(1.0, abs=1e-4)
