from __future__ import annotations

import numpy as np
import pytest

from realtime_nb.audio import silero
from realtime_nb.commands.bench.recording_speed import (
    joined_speech,
    measure_recording,
    print_recording,
)
from tests.audio.clips import CLIPS, load, noise


def test_figures_of_a_recording_in_stretches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(silero, "LEAST_FRAMES", 1_000)
    figures = measure_recording(noise(0.1, 1_100 * 512), None)
    assert (figures["recording_stretches"], figures["recording_in_sequence"]) == (4, 2)
    assert figures["recording_min"] == pytest.approx(1_100 * 0.032 / 60)
    assert figures["recording_differing"] == 0
    assert (figures["recording_max_difference"] or 0) < 1e-5
    assert figures["recording_ratio"] is figures["recording_onnx_differing"] is None
    print_recording(figures)
    printed = capsys.readouterr().out
    assert "4 stretches side by side, 2 of them gone through in sequence" in printed
    assert "ONNX" not in printed


class Deaf:
    """An original that hears nothing."""

    def probabilities(self, samples: np.ndarray) -> np.ndarray:
        return np.zeros(len(samples) // 512, np.float32)

    def reset(self) -> None:
        pass


def test_decisions_that_differ_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    samples = joined_speech(load(CLIPS[0], 16_000), 600)
    figures = measure_recording(samples, Deaf())
    expected = silero.SileroVAD().probabilities(samples)
    above = sum(int((expected >= step / 20).sum()) for step in range(2, 19))
    assert figures["recording_onnx_differing"] == above > 0
    assert figures["recording_onnx_max_difference"] == pytest.approx(expected.max())
    assert figures["recording_stretches"] == figures["recording_differing"] == 0
    print_recording(figures)
    assert f"ratio {figures['recording_ratio']:.1f}" in capsys.readouterr().out


def test_joins_are_the_same_each_time_and_full_of_speech_and_pauses() -> None:
    speech = load(CLIPS[0], 16_000)
    samples = joined_speech(speech, 2_000)
    assert len(samples) == 2_000 * 512
    np.testing.assert_array_equal(samples, joined_speech(speech, 2_000))
    assert not np.array_equal(samples, joined_speech(speech, 2_000, seed=1))
    assert np.abs(samples).max() <= 1
