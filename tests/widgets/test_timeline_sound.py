from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.timeline import PlacedAudio, TimelineData
from realtime_nb.widgets.timeline_sound import MAX_BLOCK_S, MAX_DETAIL_POINTS, Sound, Wave

RNG = np.random.default_rng(1)
USER = RNG.uniform(-0.5, 0.5, 48_000).astype(np.float32)
AGENT = RNG.uniform(-0.9, 0.9, 30 * 24_000).astype(np.float32)
UNHEARD = RNG.uniform(-0.2, 0.2, 12_000).astype(np.float32)


@pytest.fixture
def sound() -> Sound:
    return Sound(
        TimelineData(
            30.0,
            [PlacedAudio(1.0, USER)],
            [PlacedAudio(0.0, AGENT)],
            unheard=[PlacedAudio(29.0, UNHEARD)],
        )
    )


def points(wave: Wave) -> np.ndarray:
    return np.frombuffer(wave.points, "<i2").reshape(-1, 2)


def test_a_block_is_the_user_left_and_the_agent_right(sound: Sound) -> None:
    pcm = np.frombuffer(sound.block(0.5, 1.5), "<i2").reshape(-1, 2) / 32_768
    assert len(pcm) == 24_000
    assert not pcm[:12_000, 0].any()
    assert np.abs(pcm[12_000:, 0] - USER[:12_000]).max() < 1e-4
    assert np.abs(pcm[:, 1] - AGENT[12_000:36_000]).max() < 1e-4


def test_a_block_is_no_longer_than_it_may_be(sound: Sound) -> None:
    assert len(sound.block(0.0, 30.0)) == MAX_BLOCK_S * 24_000 * 4
    assert len(sound.block(29.0, 99.0)) == 24_000 * 4
    assert sound.block(30.0, 31.0) == b""


def test_what_was_not_heard_is_not_played_but_shown(sound: Sound) -> None:
    pcm = np.frombuffer(sound.block(29.0, 29.5), "<i2").reshape(-1, 2)[:, 1] / 32_768
    assert np.abs(pcm - AGENT[29 * 24_000 :][:12_000]).max() < 1e-4
    assert [(wave.lane, wave.heard_s) for wave in sound.overview()] == [
        ("user", None),
        ("agent", None),
        ("agent", 0.0),
    ]


def test_an_hour_is_sent_coarsely_and_keeps_its_peaks() -> None:
    hour = np.zeros(3_600 * 24_000, np.float32)
    hour[1_800 * 24_000 + 17] = 0.75
    [wave] = Sound(TimelineData(3_600.0, [PlacedAudio(0.0, hour)])).overview()
    assert wave.count == pytest.approx(12_000, abs=1)
    assert points(wave).max() == round(0.75 * 32_768)
    assert points(wave)[:, 1].argmax() * wave.step / 24_000 == pytest.approx(1_800, abs=0.3)


def test_detail_down_to_the_sample(sound: Sound) -> None:
    step, waves = sound.detail(1.5, 1.6, 4_000)
    assert step == 1
    user = next(wave for wave in waves if wave.lane == "user")
    assert user.start_s == pytest.approx(1.5)
    found = points(user)
    assert np.array_equal(found[:, 0], found[:, 1])
    assert np.abs(found[:, 0] / 32_768 - USER[12_000:14_400]).max() < 1e-4
    assert {wave.lane for wave in waves} == {"user", "agent"}
    assert all(wave.heard_s is None for wave in waves)


@given(
    start=st.floats(0, 29),
    length=st.floats(0.01, 30),
    wanted=st.integers(-5, 10 * MAX_DETAIL_POINTS),
)
def test_detail_is_bounded_and_covers_what_was_asked_for(
    start: float, length: float, wanted: int
) -> None:
    sound = Sound(TimelineData(30.0, agent=[PlacedAudio(0.0, AGENT)]))
    end = min(30.0, start + length)
    step, [wave] = sound.detail(start, end, wanted)
    assert wave.count <= MAX_DETAIL_POINTS + 2
    assert wave.start_s <= start + 1 / 24_000
    assert wave.start_s + wave.count * step / 24_000 >= end - 1e-4
    part = AGENT[round(wave.start_s * 24_000) : round(end * 24_000)]
    assert points(wave)[:, 1].max() == np.rint(part.max() * 32_768)
