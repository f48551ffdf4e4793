"""What hears speech in frames: the protocol of engines, and engines by name.

Besides those of this package, an installed package may bring more: entry points of the group
``realtime_nb.vad_engines``, each naming what makes an engine when it is called without arguments.
Engines of this package keep their names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Protocol

import numpy as np

from realtime_nb.audio.pcm import Samples
from realtime_nb.errors import ConfigurationError

__all__ = [
    "ENTRY_POINTS",
    "FRAME_SAMPLES",
    "VAD_SAMPLE_RATE",
    "CheckedEngine",
    "EnergyVAD",
    "SpeechEngine",
    "engine_names",
    "speech_engine",
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


@dataclass(frozen=True, slots=True)
class _Shipped:
    """Where an engine of this package is, and the module that it needs from elsewhere."""

    place: str
    needs: str | None = None


_SHIPPED = {
    "silero": _Shipped("realtime_nb.audio.silero:SileroVAD"),
    "earshot": _Shipped("realtime_nb.audio.short_frame_engines:EarshotVAD", "earshot"),
    "webrtc": _Shipped("realtime_nb.audio.short_frame_engines:WebRtcVAD", "webrtcvad"),
    "energy": _Shipped("realtime_nb.audio.speech_engines:EnergyVAD"),
}


def engine_names() -> list[str]:
    """Returns the names of the engines that can be used here, the default first."""
    shipped = [name for name, one in _SHIPPED.items() if not one.needs or find_spec(one.needs)]
    brought = {point.name for point in entry_points(group=ENTRY_POINTS)}
    return shipped + sorted(brought - _SHIPPED.keys())


def speech_engine(name: str = "silero") -> SpeechEngine:
    """Makes an engine by name, for one stream.

    Args:
        name: ``"silero"``; ``"earshot"`` or ``"webrtc"``, which the extra ``[vad]`` brings;
            ``"energy"`` for contrast; or one that an installed package brings.

    Raises:
        ConfigurationError: There is no engine of that name, or it can't be used here.
    """
    if shipped := _SHIPPED.get(name) if isinstance(name, str) else None:
        if shipped.needs and not find_spec(shipped.needs):
            raise ConfigurationError(
                f"engine is {name!r}, which needs the package {shipped.needs}, and that is not "
                f"installed. Run: pip install 'realtime_nb[vad]'. "
                f"Until then there are {', '.join(engine_names())}."
            )
        module, _, made_by = shipped.place.partition(":")
        engine: SpeechEngine = getattr(import_module(module), made_by)()
        return engine
    points = [point for point in entry_points(group=ENTRY_POINTS) if point.name == name]
    if not points:
        raise ConfigurationError(_unknown(name))
    if len({point.value for point in points}) > 1:
        raise ConfigurationError(
            f"engine is {name!r}, which several packages bring: "
            f"{', '.join(sorted(_told(point) for point in points))}. Uninstall all but one."
        )
    return _brought(points[0])


def _unknown(name: object) -> str:
    names = engine_names()
    near = get_close_matches(str(name), [*names, *_SHIPPED], 1, 0.6)
    nearest = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown engine {name!r}; choose from {', '.join(names)}.{nearest}"


def _told(point: EntryPoint) -> str:
    return f"{point.value} of {point.dist.name if point.dist else 'an unnamed package'}"


def _brought(point: EntryPoint) -> SpeechEngine:
    """Makes an engine of another package, whatever that does."""
    try:
        make: Callable[[], SpeechEngine] = point.load()
        engine = make()
    except Exception as error:
        raise ConfigurationError(
            f"engine is {point.name!r}, and {_told(point)} could not be made: "
            f"{type(error).__name__}: {error}. Update that package or uninstall it."
        ) from error
    for method in ("probabilities", "reset"):
        if not callable(getattr(engine, method, None)):
            raise ConfigurationError(
                f"engine is {point.name!r}, and what {_told(point)} makes has no method "
                f"{method}(); an engine has probabilities(samples) and reset()."
            )
    return CheckedEngine(engine, point.name)


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
