"""Engines that think in frames of another length, made to answer once in 32 ms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.speech_engines import FRAME_SAMPLES

__all__ = ["ShortFrames"]


class ShortFrames:
    """A `SpeechEngine` out of something that hears frames of another length.

    The probability of 32 ms is the mean of what was said of the frames that end in them: nothing
    is looked at ahead of time, and what is left of a frame waits for the next samples. Where no
    frame ends, as happens with long ones, the latest probability still holds; before the first it
    is 0.

    Args:
        frame_samples: Length of its frames, at 16 kHz.
        hear: Takes the next such frame; return its speech probability.
        forget: Makes it forget the stream so far.
    """

    def __init__(
        self, frame_samples: int, hear: Callable[[Samples], float], forget: Callable[[], object]
    ) -> None:
        if frame_samples < 1:
            raise ValueError(f"frame_samples is {frame_samples}; at least one sample is a frame")
        self._frame_samples = frame_samples
        self._hear = hear
        self._forget = forget
        self._restart()

    def _restart(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._latest = 0.0

    def probabilities(self, samples: Samples) -> Samples:
        """Implements `SpeechEngine`."""
        return np.array(
            [self._next(frame) for frame in np.reshape(samples, (-1, FRAME_SAMPLES))], np.float32
        )

    def _next(self, samples: Samples) -> float:
        joined = np.concatenate([self._rest, samples], dtype=np.float32)
        whole = len(joined) // self._frame_samples * self._frame_samples
        self._rest = joined[whole:]
        if whole:
            heard = [self._hear(frame) for frame in joined[:whole].reshape(-1, self._frame_samples)]
            self._latest = sum(heard) / len(heard)
        return self._latest

    def reset(self) -> None:
        """Implements `SpeechEngine`."""
        self._forget()
        self._restart()
