"""Audio as the outline of its wave: the lowest and the highest sample of each 10 ms, or so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.long_sound import LongSound, blocks
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples

__all__ = ["POINTS_PER_S", "POINT_BYTES", "POINT_SAMPLES", "Outline", "long_outline", "outline"]

POINTS_PER_S = 100
POINT_BYTES = 4
"""Two int16: lowest, highest."""

POINT_SAMPLES = SAMPLE_RATE // POINTS_PER_S

_READ_SAMPLES = 60 * SAMPLE_RATE


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
        whole = len(samples) - len(samples) % POINT_SAMPLES
        self.points += _points(samples[:whole]).tobytes()
        self._rest = samples[whole:].copy()  # a view would keep the whole chunk

    def cut_off(self) -> tuple[Outline, float]:
        """Returns the outline that goes on where this one ends, and how much of it is there
        already, in seconds.

        It begins with what is no point here yet, behind the last point: a wave drawn in two parts
        has neither a gap nor a step between them.
        """
        following = Outline()
        following.points += self.points[-POINT_BYTES:]
        following._rest, self._rest = self._rest, self._rest[:0]
        return following, following.duration_s


def outline(samples: Samples, step: int = POINT_SAMPLES) -> bytes:
    """Returns the outline of whole audio: float32 (n,) in −1..1, ``step`` of them to a point.

    The last point is of what is left.
    """
    whole = len(samples) - len(samples) % step
    frames = samples[:whole].reshape(-1, step)
    extremes = [(frames.min(axis=1), frames.max(axis=1))]
    if whole < len(samples):
        rest = samples[whole:]
        extremes.append((rest.min(keepdims=True), rest.max(keepdims=True)))
    points = np.rint(np.concatenate([np.stack(pair, axis=1) for pair in extremes]) * 32_768)
    pcm: npt.NDArray[np.int16] = np.clip(points, -32_768, 32_767).astype("<i2")
    return pcm.tobytes()


def long_outline(sound: LongSound, step: int) -> bytes:
    """Returns the same of a sound of any length, which is read in pieces."""
    pieces = blocks(sound, step * max(1, _READ_SAMPLES // step))
    return b"".join(outline(piece, step) for piece in pieces)


def _points(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    frames = samples.reshape(-1, POINT_SAMPLES)
    return np.stack([frames.min(axis=1), frames.max(axis=1)], axis=1).astype("<i2")
