"""One figure of a session: what it is, of how many values, and why it is unknown if it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from realtime_nb.analysis.recorded import Recorded

__all__ = [
    "NO_EVENTS",
    "NO_INPUT",
    "NO_OUTPUT",
    "NO_PLAYBACK",
    "Figure",
    "all_unknown",
    "count",
    "gap",
    "known",
    "largest",
    "share",
    "spread",
    "total",
    "unknown",
    "unless",
]

NO_EVENTS = "there are no events"
NO_INPUT = "there is no input audio"
NO_OUTPUT = "what was played is not recorded"
NO_PLAYBACK = "playback was not reported"


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline and the values behind it.

    Attributes:
        value: the headline; NaN where unknown.
        unit: of all of them.
        values: what it was made of, without those that are unknown.
        source: who says so.
        reason: why ``value`` is NaN.
    """

    value: float
    unit: str
    values: Sequence[float] = ()
    source: str | None = None
    reason: str | None = None

    def row(self) -> dict[str, object]:
        """Returns a row of the table of metrics."""
        quantiles = [math.nan] * 5
        if len(self.values):
            quantiles = np.quantile(self.values, [0.5, 0.9, 0.95, 0.0, 1.0]).tolist()
        names = ("p50", "p90", "p95", "min", "max")
        return {
            "value": self.value,
            "unit": self.unit,
            "n": len(self.values),
            **dict(zip(names, quantiles, strict=True)),
            "reason": self.reason,
            "source": None if math.isnan(self.value) else self.source,
        }


def known(values: Iterable[float]) -> list[float]:
    """Returns those that are not NaN."""
    return [float(value) for value in values if not math.isnan(value)]


def unknown(unit: str, reason: str) -> Figure:
    """Returns a figure that can't be known."""
    return Figure(math.nan, unit, reason=reason)


def all_unknown(units: Mapping[str, str], reason: str) -> dict[str, Figure]:
    """Returns figures that can't be known, by their names, of which the units are given."""
    return {name: unknown(unit, reason) for name, unit in units.items()}


def unless(reason: str | None, figure: Figure) -> Figure:
    """Returns a figure, or one that is unknown where there is a reason for that."""
    return figure if reason is None else unknown(figure.unit, reason)


def gap(rec: Recorded, *names: str) -> str | None:
    """Returns why something of that kind is missing from the recording; None where nothing is."""
    gaps = rec.conversation.gaps
    return next((gaps[name] for name in names if name in gaps), None)


def spread(values: Iterable[float], unit: str, source: str, reason: str) -> Figure:
    """Returns the median of values; ``reason``: why there is none, if there is none."""
    found = known(values)
    if not found:
        return unknown(unit, reason)
    return Figure(float(np.median(found)), unit, found, source)


def total(values: Iterable[float], unit: str, source: str) -> Figure:
    """Returns the sum of values; 0 of none."""
    found = known(values)
    return Figure(float(sum(found)), unit, found, source)


def largest(values: Iterable[float], unit: str, source: str, reason: str) -> Figure:
    """Returns the largest of values."""
    found = known(values)
    return Figure(max(found), unit, found, source) if found else unknown(unit, reason)


def count(number: int, source: str) -> Figure:
    """Returns how many there are."""
    return Figure(float(number), "count", source=source)


def share(part: float, whole: float, source: str, reason: str) -> Figure:
    """Returns a part of a whole, from 0 to 1; ``reason``: why there is no whole."""
    if not whole > 0:
        return unknown("share", reason)
    return Figure(part / whole, "share", source=source)
