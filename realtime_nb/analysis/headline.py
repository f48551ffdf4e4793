"""How long a session's answers take, in the one figure that stands for all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realtime_nb.protocol.words import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Headline", "headline", "with_calls", "without_calls"]


@dataclass(frozen=True, slots=True)
class Headline:
    """The latency of a session: voice to voice, the median of its spoken turns without function
    calls.

    Attributes:
        ms: The median; NaN where no such turn has a latency.
        turns: How many have one.
    """

    ms: float
    turns: int

    @property
    def average(self) -> str:
        """Which turns, and which average, in words that stand beside the number."""
        return f"median of {counted(self.turns, 'turn')} without calls"


def headline(latency: pd.DataFrame) -> Headline:
    """Returns the headline of a table of latencies (``rec.latency``)."""
    known_ms = without_calls(latency).latency_ms.dropna()
    return Headline(float(known_ms.median()) if len(known_ms) else math.nan, len(known_ms))


def without_calls(latency: pd.DataFrame) -> pd.DataFrame:
    """Returns the turns of a headline: spoken, and answered without calling a function."""
    return _spoken(latency, had_calls=False)


def with_calls(latency: pd.DataFrame) -> pd.DataFrame:
    """Returns the spoken turns that called functions, which stand apart."""
    return _spoken(latency, had_calls=True)


def _spoken(latency: pd.DataFrame, *, had_calls: bool) -> pd.DataFrame:
    spoken = latency["latency_note"].fillna("") != "typed"
    return latency.loc[spoken & (latency["had_calls"].astype(bool) == had_calls)]
