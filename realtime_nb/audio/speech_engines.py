"""What hears speech in frames: the protocol of engines, and engines by name.

Besides those of this package, an installed package may bring more: entry points of the group
``realtime_nb.vad_engines``, each naming what makes an engine when it is called without arguments.
Engines of this package keep their names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from realtime_nb.audio.named_engines import EngineNames, Shipped, refuse_without
from realtime_nb.audio.pcm import Samples
from realtime_nb.errors import ConfigurationError

__all__ = [
    "ENTRY_POINTS",
    "FRAME_SAMPLES",
    "VAD_SAMPLE_RATE",
    "CheckedEngine",
    "EnergyVAD",
    "RecordingEngine",
    "SpeechEngine",
    "check_engine_name",
    "checked_engine",
    "speech_engine",
    "vad_engine_names",
]

ENTRY_POINTS = "realtime_nb.vad_engines"
"""The group of entry points in which other packages name their engines."""

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


@runtime_checkable
class RecordingEngine(Protocol):
    """An engine with a faster way for a whole recording."""

    def recording_probabilities(self, blocks: Iterable[Samples]) -> Samples:
        """Takes all frames, in blocks of shape (512·n,); returns their speech probabilities."""
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


def vad_engine_names() -> list[str]:
    """Returns the names of the engines that can be used here, the default first."""
    return list(_ENGINES)


def check_engine_name(name: str, option: str = "engine") -> None:
    """Raises a ConfigurationError where there is no engine of that name; makes none."""
    _ENGINES.check(name, option)


def speech_engine(name: str = "silero", option: str = "engine") -> SpeechEngine:
    """Makes an engine by name, for one stream.

    Args:
        name: ``"silero"``; ``"earshot"`` or ``"webrtc"``, which the extra ``[vad]`` brings;
            ``"energy"`` for contrast; or one that an installed package brings.
        option: what an error calls it.

    Raises:
        ConfigurationError: There is no engine of that name, or it can't be used here.
    """
    return _ENGINES.make(name, option)


class CheckedEngine:
    """An engine whose answers are looked at: as many as there are frames, each within 0 to 1."""

    def __init__(self, engine: SpeechEngine, name: str) -> None:
        self._engine = engine
        self._name = name

    def probabilities(self, samples: Samples) -> Samples:
        """Implements `SpeechEngine`.

        Raises:
            ConfigurationError: It answers with something else than probabilities.
        """
        frames = len(samples) // FRAME_SAMPLES
        answer = np.asarray(self._engine.probabilities(samples), np.float32)
        if answer.shape != (frames,):
            raise ConfigurationError(
                f"engine {self._name!r} answers {frames} frames with an array of shape "
                f"{answer.shape}; one probability per frame of {FRAME_SAMPLES} samples is needed."
            )
        if not np.all((answer >= 0) & (answer <= 1)):  # NaN is neither
            wrong = answer[~((answer >= 0) & (answer <= 1))][0]
            raise ConfigurationError(
                f"engine {self._name!r} answers with the probability {wrong}; from 0 to 1 is legal."
            )
        return answer

    def reset(self) -> None:
        """Implements `SpeechEngine`."""
        self._engine.reset()


def checked_engine(engine: Any, subject: str, name: str) -> SpeechEngine:
    """Returns what another package made as an engine whose answers are looked at.

    Args:
        subject: how to speak of it in an error.

    Raises:
        ConfigurationError: It is none.
    """
    has = "an engine has probabilities(samples) and reset()"
    refuse_without(engine, subject, ("probabilities", "reset"), has)
    return CheckedEngine(engine, name)


def _of_extra(made_by: str, needs: str) -> Shipped:
    place = f"realtime_nb.audio.short_frame_engines:{made_by}"
    return Shipped(place, (needs,), install=(needs, "pip install 'realtime_nb[vad]'"))


_ENGINES = EngineNames(
    "engine",
    ENTRY_POINTS,
    {
        "silero": Shipped("realtime_nb.audio.silero:SileroVAD"),
        "earshot": _of_extra("EarshotVAD", "earshot"),
        "webrtc": _of_extra("WebRtcVAD", "webrtcvad"),
        "energy": Shipped("realtime_nb.audio.speech_engines:EnergyVAD"),
    },
    checked_engine,
)
