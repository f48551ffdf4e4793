"""Audio as the outline of its wave: the lowest and the highest sample of each 10 ms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime_nb.audio import SAMPLE_RATE, Samples

__all__ = ["POINTS_PER_S", "POINT_BYTES", "Outline", "outline"]

POINTS_PER_S = 100
POINT_BYTES = 4
"""Two int16: lowest, highest."""

_POINT_SAMPLES = SAMPLE_RATE // POINTS_PER_S


class Outline:
    """The outline of audio that comes piece by piece, cut anywhere between samples."""

    def __init__(self) -> None:
        self.points = bytearray()
        self._rest = np.zeros(0, np.int16)

    @property
    def count(self) -> int:
        """Points so far."""
        return len(self.points) // POINT_BYTES

    @property
    def duration_s(self) -> float:
        """Length of the audio so far."""
        return self.count / POINTS_PER_S + len(self._rest) / SAMPLE_RATE

    def push(self, pcm: bytes) -> None:
        """Takes PCM16 mono at 24 kHz."""
        samples = np.concatenate([self._rest, np.frombuffer(pcm[: len(pcm) & ~1], "<i2")])
        whole = len(samples) - len(samples) % _POINT_SAMPLES
        self.points += _points(samples[:whole]).tobytes()
        self._rest = samples[whole:]


def outline(samples: Samples) -> bytes:
    """The outline of whole audio: float32 (n,) in −1..1 at 24 kHz."""
    whole = -(-len(samples) // _POINT_SAMPLES) * _POINT_SAMPLES
    padded = np.zeros(whole, np.float32)
    padded[: len(samples)] = samples
    pcm = np.clip(np.rint(padded * 32_768), -32_768, 32_767).astype(np.int16)
    return _points(pcm).tobytes()


def _points(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    frames = samples.reshape(-1, _POINT_SAMPLES)
    return np.stack([frames.min(axis=1), frames.max(axis=1)], axis=1).astype("<i2")
