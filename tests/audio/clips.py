"""Speech and noise that detectors are tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.speech_engines import FRAME_SAMPLES
from tests.paths import DATA

__all__ = ["CLIPS", "load", "noise", "whole_frames"]

CLIPS = sorted(path for path in DATA.iterdir() if path.suffix in (".wav", ".raw"))


def load(clip: Path, sample_rate: int) -> Samples:
    return load_audio(clip, sample_rate, raw_sample_rate=16_000)


def whole_frames(samples: Samples) -> Samples:
    return samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]


def noise(level: float, length: int = 64_000) -> Samples:
    return (level * np.random.default_rng(7).standard_normal(length)).astype(np.float32)
