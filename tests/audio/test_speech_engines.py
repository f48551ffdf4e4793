from __future__ import annotations

import numpy as np
import pytest

from realtime_nb.audio.frame_detector import speech_probabilities
from realtime_nb.audio.silero import SileroVAD
from realtime_nb.audio.speech_engines import FRAME_SAMPLES, EnergyVAD, speech_engine
from realtime_nb.errors import ConfigurationError
from tests.audio.clips import noise


def test_loudness_as_contrast() -> None:
    engine = EnergyVAD()
    levels = np.repeat(np.array([1, 0.1, 0.01, 0.001, 0], np.float32), FRAME_SAMPLES)
    assert engine.probabilities(levels).tolist() == pytest.approx([1, 1, 0.5, 0, 0], abs=1e-3)
    assert min(speech_probabilities(noise(0.1), engine="energy")) > 0.9
    assert max(speech_probabilities(noise(0.1))) < 0.5


def test_engines_by_name() -> None:
    assert isinstance(speech_engine(), SileroVAD)
    assert isinstance(speech_engine("energy"), EnergyVAD)
    with pytest.raises(ConfigurationError, match="silero, energy"):
        speech_engine("ten")
