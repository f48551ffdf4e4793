"""The settings of turn detection: their limits and defaults, and how long a silence ends a turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Meta

__all__ = [
    "EAGERNESS",
    "SERVER_VAD",
    "Eagerness",
    "Limits",
    "closing_silence_ms",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a setting may be, and what it is where nobody says."""

    usual: Any
    low: float
    high: float

    @property
    def meta(self) -> Meta:
        """The limits as msgspec checks them."""
        return Meta(ge=self.low, le=self.high)


SERVER_VAD = {
    "threshold": Limits(0.5, 0.0, 1.0),
    "prefix_padding_ms": Limits(300, 0, 60_000),
    "silence_duration_ms": Limits(200, 0, 60_000),
    "idle_timeout_ms": Limits(None, 5_000, 30_000),
}


@dataclass(frozen=True, slots=True)
class Eagerness:
    """How long ``semantic_vad`` waits.

    Attributes:
        whole_ms: after what reads like a finished sentence.
        longest_ms: after anything.
    """

    whole_ms: int
    longest_ms: int


EAGERNESS = {
    "low": Eagerness(1_500, 8_000),
    "medium": Eagerness(600, 4_000),
    "high": Eagerness(224, 2_000),
    "auto": Eagerness(600, 4_000),
}


def closing_silence_ms(detection: Mapping[str, Any] | None) -> int:
    """Returns a silence that ends any turn: the window, or the longest wait where none is told."""
    told: int | None = (detection or {}).get("silence_duration_ms")
    return told or max(eagerness.longest_ms for eagerness in EAGERNESS.values())
