"""What a run of the tests adds up to, over all its processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version

__all__ = ["FOLDED", "VALIDATED", "add", "lines", "taken"]

FOLDED: Counter[str] = Counter()
"""Recorded sessions that folded from disk to what they were live, and their events."""

VALIDATED: Counter[str] = Counter()
"""Server events that were checked against the types of the openai package, by event type."""


def taken() -> list[dict[str, int]]:
    """All tallies, to be sent to another process."""
    return [dict(FOLDED), dict(VALIDATED)]


def add(others: list[dict[str, int]]) -> None:
    """Adds what another process has taken."""
    for tally, other in zip((FOLDED, VALIDATED), others, strict=True):
        tally.update(other)


def lines() -> Iterator[str]:
    """What to say of them."""
    if VALIDATED:
        yield (
            f"{VALIDATED.total()} server frames validated against the types of openai "
            f"{version('openai')} ({len(VALIDATED)} event types)"
        )
    if FOLDED:
        sessions, events = FOLDED["sessions"], FOLDED["events"]
        yield f"{sessions} recorded sessions ({events} events) folded from disk as live"
