from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio import silero, silero_stretches
from realtime_nb.audio.frame_detector import FrameDetector, speech_probabilities
from realtime_nb.audio.pcm import Samples, pcm_from_samples, samples_from_pcm
from realtime_nb.audio.silero import SileroVAD
from realtime_nb.audio.silero_stretches import alike
from realtime_nb.audio.speech_engines import FRAME_SAMPLES
from realtime_nb.protocol.turns import TurnSettings, find_speech_spans
from tests.audio.clips import CLIPS, load, noise

SPEECH = [load(clip, 16_000) for clip in CLIPS]
THRESHOLDS = [step / 10 for step in range(1, 10)]
BLOCK = 100 * FRAME_SAMPLES


def joins(seed: int, frames: int, pause_s: float = 3) -> Samples:
    """Clips in any order, at any level, with pauses that are silent or hiss."""
    draw = np.random.default_rng(seed)
    pieces: list[Samples] = []
    while sum(map(len, pieces)) < frames * FRAME_SAMPLES:
        level, hiss = 10 ** draw.uniform(-1, 0.3), draw.choice([0, 1e-4, 1e-2])
        pause = np.zeros(int(draw.uniform(0, pause_s) * 16_000))
        piece = np.concatenate([level * SPEECH[draw.integers(len(SPEECH))], pause])
        pieces.append(piece + hiss * draw.standard_normal(len(piece)))
    return np.clip(np.concatenate(pieces), -1, 1).astype(np.float32)[: frames * FRAME_SAMPLES]


def recording(samples: Samples) -> tuple[Samples, SileroVAD]:
    engine = SileroVAD()
    blocks = (samples[at : at + BLOCK] for at in range(0, len(samples), BLOCK))
    return engine.recording_probabilities(blocks), engine


def check_as_in_sequence(samples: Samples, atol: float = 1e-5) -> SileroVAD:
    one_by_one = SileroVAD()
    expected = one_by_one.probabilities(samples)
    found, engine = recording(samples)
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
    for threshold in THRESHOLDS:
        of = TurnSettings(threshold=threshold)
        assert find_speech_spans(found.tolist(), of) == find_speech_spans(expected.tolist(), of)
        assert np.array_equal(found >= threshold, expected >= threshold)
    np.testing.assert_allclose(engine._hidden, one_by_one._hidden, rtol=0, atol=1e-5)
    return engine


SOUNDS: dict[str, Callable[[int], Samples]] = {
    "speech and pauses": lambda n: joins(0, n),
    "other speech, hardly a pause": lambda n: joins(8, n, pause_s=0.3),
    "silence for minutes, and speech": lambda n: np.concatenate(
        [joins(2, n // 2), np.zeros(n // 4 * 512, np.float32), joins(3, n - n // 2 - n // 4)]
    ),
    "clipped": lambda n: np.clip(30 * joins(4, n), -1, 1),
}


def test_stretches_that_meet_are_what_the_loop_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "LEAST_FRAMES", 40_000)
    engine = check_as_in_sequence(joins(1, 44_001))
    assert (engine.stretches, engine.in_sequence) == (4, 0)


@pytest.mark.long
@pytest.mark.parametrize("name", SOUNDS)
def test_an_hour_is_what_the_loop_gives(name: str) -> None:
    engine = check_as_in_sequence(SOUNDS[name](112_500), atol=1e-4)
    # A quarter of an hour of zeros, a whole stretch, is not enough to forget the speech before.
    assert (engine.stretches, engine.in_sequence) == (4, int("silence" in name))


STUBBORN: dict[str, Callable[[int], Samples]] = {
    "noise": lambda n: noise(0.1, n * FRAME_SAMPLES),
    "tones": lambda n: (0.3 * np.sin(np.arange(n * 512) / 20)).astype(np.float32),
    "zeros": lambda n: np.zeros(n * FRAME_SAMPLES, np.float32),
    "too short to prove": lambda n: joins(5, n),
    "noise, then speech": lambda n: np.concatenate(
        [noise(0.1, n // 2 * FRAME_SAMPLES), joins(6, n - n // 2)]
    ),
}


@pytest.mark.parametrize("name", STUBBORN)
def test_stretches_that_do_not_meet_are_gone_through_in_sequence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silero, "LEAST_FRAMES", 2_000)
    engine = check_as_in_sequence(STUBBORN[name](4_100))
    # The second stretch begins where the first, which knew its state, ended: nothing is to prove.
    assert (engine.stretches, engine.in_sequence) == (4, 2)


@given(seed=st.integers(0, 10_000), frames=st.integers(128, 1_500), lot=st.integers(128, 1_000))
@settings(max_examples=15, deadline=None)
def test_any_joins_in_lots_of_any_size(seed: int, frames: int, lot: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(silero, "LEAST_FRAMES", 128)
        patch.setattr(silero, "MOST_FRAMES", lot)
        engine = check_as_in_sequence(joins(seed, frames, pause_s=1))
    assert engine.stretches >= 4


def test_without_the_proof_it_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "LEAST_FRAMES", 2_000)
    monkeypatch.setattr(silero_stretches, "alike", lambda states, _: np.ones(len(states), bool))
    samples = joins(7, 4_000)
    assert np.abs(recording(samples)[0] - SileroVAD().probabilities(samples)).max() > 0.01


def test_what_is_alike() -> None:
    states = np.random.default_rng(0).uniform(-1, 1, (3, 2, 128)).astype(np.float32)
    states[:, 1] *= 100
    assert alike(states, states).tolist() == [True, True, True]
    others = states.copy()
    others[0, 0, 5] += 1e-5
    others[1, 1, 5] += 1e-4
    others[2] = np.nextafter(others[2], np.float32(np.inf))
    assert alike(states, others).tolist() == [False, False, True]
    assert not alike(states, np.full_like(states, np.nan)).any()


def test_whoever_has_a_whole_recording_takes_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "LEAST_FRAMES", 500)
    engines = [SileroVAD(), SileroVAD()]
    samples = np.resize(load(CLIPS[0], 24_000), 600 * 768)
    pcm = pcm_from_samples(samples)
    pieces = [pcm[at : at + 50_001] for at in range(0, len(pcm), 50_001)]
    found = FrameDetector(engine=engines[0]).recording(pieces)
    np.testing.assert_allclose(found, FrameDetector().push(pcm), rtol=0, atol=1e-5)
    as_sent = samples_from_pcm(pcm)
    assert speech_probabilities(as_sent, engine=engines[1]).tolist() == found.tolist()
    assert [engine.stretches for engine in engines] == [4, 4]
