"""Which settings are tried: a grid, settings given one by one, and those to compare them with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from msgspec import UNSET

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD
from realtime_nb.protocol.semantic_turns import SemanticSettings, semantic_settings
from realtime_nb.protocol.turn_detection import CLIENT_SILENCE_MS, SERVER_VAD
from realtime_nb.protocol.turns import TurnSettings

__all__ = [
    "DEFAULT",
    "IN_USE",
    "SERVER_DEFAULT",
    "Candidate",
    "candidates",
    "told_detection",
    "told_settings",
]

IN_USE = "in use"
DEFAULT = "default"
SERVER_DEFAULT = "server default"

USUAL_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
USUAL_SILENCES_MS = (200, 300, 400, 500, 700, 900)
"""The grid of who gives none."""

T = TypeVar("T")
Values = float | Iterable[float] | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Settings that are tried.

    Attributes:
        detection: The settings, all of them told.
        engine: What makes the speech probabilities.
        marks: ``in use`` in the recording, ``default`` of this package's clients,
            ``server default`` of who asks for none.
        in_grid: Whether they were asked for, rather than added to compare with.
    """

    detection: ServerVAD | SemanticVAD
    engine: str
    marks: tuple[str, ...] = field(default=(), compare=False)
    in_grid: bool = field(default=True, compare=False)

    @property
    def semantic(self) -> SemanticSettings | None:
        """The same for the state machine that asks a turn model; None of ``server_vad``."""
        if isinstance(self.detection, ServerVAD):
            return None
        return semantic_settings(str(self.detection.eagerness))

    @property
    def eagerness(self) -> str | None:
        """Of ``semantic_vad``."""
        return None if isinstance(self.detection, ServerVAD) else str(self.detection.eagerness)

    @property
    def threshold(self) -> float:
        """The threshold; NaN of ``semantic_vad``, which tells none."""
        return _told(self.detection, "threshold")

    @property
    def silence_ms(self) -> float:
        """The silence that ends a turn; NaN likewise."""
        return _told(self.detection, "silence_duration_ms")

    @property
    def padding_ms(self) -> float:
        """What belongs to a turn before it was heard; NaN likewise."""
        return _told(self.detection, "prefix_padding_ms")

    @property
    def settings(self) -> TurnSettings:
        """The same for the state machine; of ``semantic_vad``, with the longest wait."""
        if self.semantic is not None:
            return self.semantic.turns
        return TurnSettings(self.threshold, int(self.padding_ms), int(self.silence_ms))

    @property
    def words(self) -> str:
        """The settings in short."""
        if self.eagerness is not None:
            return f"semantic, eagerness {self.eagerness}"
        return f"threshold {self.threshold:g}, silence {self.silence_ms:g} ms"

    @property
    def code(self) -> str:
        """What asks for them in code."""
        if self.eagerness is not None:
            return f"rt.SemanticVAD(eagerness={self.eagerness!r})"
        return (
            f"rt.ServerVAD(threshold={self.threshold:g}, prefix_padding_ms={self.padding_ms:g}, "
            f"silence_duration_ms={self.silence_ms:g})"
        )


def told_settings(detection: ServerVAD, silence_ms: int = CLIENT_SILENCE_MS) -> ServerVAD:
    """Returns the same settings with those told that were left out, and no others."""
    threshold, padding_ms = detection.threshold, detection.prefix_padding_ms
    own_silence_ms = detection.silence_duration_ms
    return ServerVAD(
        threshold=SERVER_VAD["threshold"].usual if threshold is UNSET else threshold,
        prefix_padding_ms=SERVER_VAD["prefix_padding_ms"].usual
        if padding_ms is UNSET
        else padding_ms,
        silence_duration_ms=silence_ms if own_silence_ms is UNSET else own_silence_ms,
    )


def candidates(
    threshold: Values,
    silence_duration_ms: Values,
    prefix_padding_ms: Values,
    engine: str | Iterable[str],
    settings: object = (),
    in_use: ServerVAD | None = None,
) -> list[Candidate]:
    """Returns all settings of a grid, those given one by one, and those to compare them with.

    A dimension of which nothing is said has the value in use or, where that is not known, the
    default. Who says nothing at all gets the usual grid.

    Raises:
        ConfigurationError: A value is not what it must be, or nothing is left to try.
    """
    base = in_use or told_settings(ServerVAD())
    one_by_one = [told_detection(one) for one in _detections(settings)]
    nothing = threshold is None and silence_duration_ms is None and prefix_padding_ms is None
    if nothing and not one_by_one:
        threshold, silence_duration_ms = USUAL_THRESHOLDS, USUAL_SILENCES_MS
    axes = [
        _values("threshold", threshold, _told(base, "threshold")),
        _values("silence_duration_ms", silence_duration_ms, _told(base, "silence_duration_ms")),
        _values("prefix_padding_ms", prefix_padding_ms, _told(base, "prefix_padding_ms")),
    ]
    grid = [] if nothing and one_by_one else list(itertools.product(*axes))
    engines = _engines(engine)
    detections = [
        ServerVAD(threshold=one, silence_duration_ms=int(silence), prefix_padding_ms=int(padding))
        for one, silence, padding in grid
    ]
    tried: list[ServerVAD | SemanticVAD] = [*detections, *one_by_one]
    asked = [Candidate(one, name) for name in engines for one in tried]
    server = told_settings(ServerVAD(), SERVER_VAD["silence_duration_ms"].usual)
    compared = [(DEFAULT, told_settings(ServerVAD())), (SERVER_DEFAULT, server)]
    if in_use is not None:
        compared.insert(0, (IN_USE, in_use))
    found = dict.fromkeys(asked)
    marked: dict[Candidate, tuple[str, ...]] = {}
    for mark, detection in compared:
        for name in engines[:1]:
            one = Candidate(detection, name)
            marked[one] = (*marked.get(one, ()), mark)
    return [
        replace(one, marks=marked.get(one, ()), in_grid=one in found) for one in {**found, **marked}
    ]


def _values(name: str, given: Values, usual: float) -> list[float]:
    """Returns the values of one dimension, each once, in the order in which they were given."""
    limits = SERVER_VAD[name]
    legal = f"a number from {limits.low:,g} to {limits.high:,g}"
    if given is None:
        return [usual]
    if isinstance(given, str | bytes | Mapping):
        raise ConfigurationError(f"{name} is {given!r}; give {legal}, or a list of such.")
    values = list(np.ravel(given)) if isinstance(given, np.ndarray) else _listed(given)
    if not values:
        raise ConfigurationError(f"{name} is empty; give {legal}, or a list of such.")
    return list(dict.fromkeys(_value(name, value, legal) for value in values))


def _value(name: str, value: object, legal: str) -> float:
    limits = SERVER_VAD[name]
    whole = isinstance(limits.usual, int)
    if isinstance(value, np.generic):
        value = value.item()
    right = isinstance(value, int | float) and not isinstance(value, bool)
    if not right or not limits.low <= value <= limits.high:  # type: ignore[operator]
        raise ConfigurationError(f"{name} is {value!r}; give {legal}.")
    assert isinstance(value, int | float)
    if whole and value != int(value):
        raise ConfigurationError(f"{name} is {value!r}; give whole milliseconds.")
    return int(value) if whole else float(value)


def _listed(given: T | Iterable[T]) -> list[T]:
    return list(given) if isinstance(given, Iterable) else [given]


def _engines(engine: str | Iterable[str]) -> Sequence[str]:
    names = [engine] if isinstance(engine, str) else list(engine)
    if not names or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"engine is {engine!r}; give a name, or a list of names.")
    return list(dict.fromkeys(names))


def _detections(settings: object) -> list[ServerVAD | SemanticVAD]:
    """Returns the settings that were given one by one."""
    given = [settings] if isinstance(settings, ServerVAD | SemanticVAD) else settings
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise ConfigurationError(f"settings is {settings!r}; give a list of rt.ServerVAD(…).")
    found = list(given)
    for one in found:
        if not isinstance(one, ServerVAD | SemanticVAD):
            raise ConfigurationError(
                f"settings holds {one!r}; give rt.ServerVAD(…) or rt.SemanticVAD(…)."
            )
    return found


def told_detection(detection: ServerVAD | SemanticVAD) -> ServerVAD | SemanticVAD:
    """Returns the same of either kind."""
    if isinstance(detection, ServerVAD):
        return told_settings(detection)
    eagerness = "auto" if detection.eagerness is UNSET else detection.eagerness
    return SemanticVAD(eagerness=eagerness)


def _told(detection: ServerVAD | SemanticVAD, name: str) -> float:
    return float(getattr(detection, name, math.nan))
