"""What the finders share: a value with its place in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Found", "TextSpan", "overlaps", "pattern"]

T = TypeVar("T")
TextSpan = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A value and where it was said: characters ``start`` to ``end`` of the text."""

    value: T
    start: int
    end: int

    @property
    def span(self) -> TextSpan:
        """``(start, end)``."""
        return self.start, self.end


def overlaps(span: TextSpan, spans: Iterable[TextSpan]) -> bool:
    """Tells whether a span shares a character with one of the others."""
    return any(span[0] < end and start < span[1] for start, end in spans)


def pattern(text: str) -> re.Pattern[str]:
    """Returns a verbose regular expression that takes capitals and small letters as the same."""
    return re.compile(text, re.IGNORECASE | re.VERBOSE)
