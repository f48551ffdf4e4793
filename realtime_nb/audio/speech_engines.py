"""What hears speech in frames: the protocol of engines, and engines by name."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

import numpy as np

from realtime_nb.audio.pcm import Samples
from realtime_nb.errors import ConfigurationError

__all__ = ["FRAME_SAMPLES", "VAD_SAMPLE_RATE", "EnergyVAD", "SpeechEngine", "speech_engine"]

VAD_SAMPLE_RATE = 16_000
"""Samples per second that engines work on."""

FRAME_SAMPLES = 512
"""Samples per frame at that rate: 32 ms."""


class SpeechEngine(Protocol):
    """Something that hears speech in frames of 512 samples at 16 kHz.

    It keeps what it needs from frame to frame; one engine follows one stream.
    """

    def probabilities(self, samples: Samples) -> Samples:
        """Takes whole frames, shape (512·n,); return their speech probabilities, shape (n,).

        Cutting a stream into several calls must not change the result.
        """
        ...

    def reset(self) -> None:
        """Forgets the stream so far."""
        ...


class EnergyVAD:
    """Loudness taken for speech, to see why one should not.

    The probability rises from 0 at −60 dBFS to 1 at −20 dBFS.
    """

    def probabilities(self, samples: Samples) -> Samples:
        """Implements `SpeechEngine`."""
        frames = np.asarray(samples, np.float32).reshape(-1, FRAME_SAMPLES)
        level = 10 * np.log10(np.mean(np.square(frames), axis=1) + np.float32(1e-10))
        probabilities: Samples = np.clip((level + 60) / 40, 0, 1).astype(np.float32)
        return probabilities

    def reset(self) -> None:
        """Forgets nothing: there is nothing to forget."""


_ENGINES = {
    "silero": "realtime_nb.audio.silero:SileroVAD",
    "energy": "realtime_nb.audio.speech_engines:EnergyVAD",
}
"""Where engines are; imported when they are asked for."""


def speech_engine(name: str = "silero") -> SpeechEngine:
    """Makes an engine by name: ``"silero"``, or ``"energy"`` for contrast.

    Raises:
        ConfigurationError: There is no engine of that name.
    """
    if name not in _ENGINES:
        raise ConfigurationError(f"Unknown engine {name!r}; choose from {', '.join(_ENGINES)}.")
    module, _, made_by = _ENGINES[name].partition(":")
    engine: SpeechEngine = getattr(import_module(module), made_by)()
    return engine
