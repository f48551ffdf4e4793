from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.short_frames import ShortFrames
from realtime_nb.audio.speech_engines import FRAME_SAMPLES

FRAMES = 40
# Whole numbers up to 2**24 are exact in float32.
RAMP = np.arange(FRAMES * FRAME_SAMPLES, dtype=np.float32)


class Counting(ShortFrames):
    """Says of a frame where its last sample lay in the stream, and checks that none is left out."""

    def __init__(self, frame_samples: int) -> None:
        self.next = 0
        super().__init__(frame_samples, self.hear, self.forget)

    def hear(self, frame: Samples) -> float:
        assert frame.tolist() == list(range(self.next, self.next + len(frame)))
        self.next += len(frame)
        return float(frame[-1])

    def forget(self) -> None:
        self.next = 0


def expected(length: int) -> list[float]:
    """By the definition, from whole streams."""
    said: list[float] = []
    for number in range(FRAMES):
        first, last = number * FRAME_SAMPLES, (number + 1) * FRAME_SAMPLES
        ends = [end for end in range(length, len(RAMP) + 1, length) if first < end <= last]
        said.append(sum(end - 1 for end in ends) / len(ends) if ends else (said or [0.0])[-1])
    return [float(np.float32(one)) for one in said]


@given(st.integers(1, 3_000), st.lists(st.integers(0, FRAMES), max_size=6))
def test_every_sample_is_heard_once_however_the_stream_is_cut(length: int, cuts: list[int]) -> None:
    engine = Counting(max(length, 100))
    edges = [0, *sorted(cuts), FRAMES]
    pieces = [
        engine.probabilities(RAMP[a * FRAME_SAMPLES : b * FRAME_SAMPLES])
        for a, b in pairwise(edges)
    ]
    assert np.concatenate(pieces).tolist() == expected(max(length, 100))


def test_reset_forgets_what_is_left_of_a_frame_and_what_was_said() -> None:
    engine = Counting(700)
    engine.probabilities(RAMP[:1_024])
    engine.reset()
    assert engine.probabilities(RAMP[:1_024]).tolist() == [0.0, 699.0]


def test_no_samples_are_no_frame() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Counting(0)
    assert Counting(160).probabilities(RAMP[:0]).shape == (0,)
