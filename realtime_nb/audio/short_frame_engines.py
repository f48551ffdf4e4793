"""The engines that the extra ``[vad]`` brings, to compare with: another network, and a classic."""

from __future__ import annotations

import numpy as np

from realtime_nb.audio.pcm import Samples, pcm_from_samples
from realtime_nb.audio.short_frames import ShortFrames
from realtime_nb.audio.speech_engines import VAD_SAMPLE_RATE

__all__ = ["EarshotVAD", "WebRtcVAD"]

_MODES = range(4)


class EarshotVAD(ShortFrames):
    """The small network of the package earshot (MIT or Apache-2.0), in frames of 16 ms."""

    def __init__(self) -> None:
        import earshot

        detector = earshot.Detector()
        super().__init__(
            VAD_SAMPLE_RATE * 16 // 1000,
            lambda frame: float(detector.predict_f32(np.clip(frame, -1, 1))),
            detector.reset,
        )


class WebRtcVAD(ShortFrames):
    """WebRTC's Gaussian mixtures (package webrtcvad-wheels, BSD), in frames of 10 ms.

    They say yes or no, in four modes from lenient to strict; the probability is how many of the
    four say yes.
    """

    def __init__(self) -> None:
        self._forget()
        super().__init__(VAD_SAMPLE_RATE // 100, self._vote, self._forget)

    def _forget(self) -> None:
        import webrtcvad

        self._detectors = [webrtcvad.Vad(mode) for mode in _MODES]

    def _vote(self, frame: Samples) -> float:
        pcm = pcm_from_samples(frame)
        votes = [bool(one.is_speech(pcm, VAD_SAMPLE_RATE)) for one in self._detectors]
        return sum(votes) / len(votes)
