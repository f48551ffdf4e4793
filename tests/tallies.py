"""What a run of the tests adds up to, over all its processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version

from tests.foreign.environments import CLIENTS, versions

__all__ = ["FOLDED", "HELD", "NOTEBOOKS_S", "REFUSED", "VALIDATED", "add", "held", "lines", "taken"]

FOLDED: Counter[str] = Counter()
"""Recorded sessions that folded from disk to what they were live, and their events."""

VALIDATED: Counter[str] = Counter()
"""Server events that were checked against the types of the openai package, by event type."""

REFUSED: Counter[str] = Counter()
"""Server events that were not of their type, by what is wrong with them."""

_ALL = (FOLDED, VALIDATED, REFUSED)

HELD: dict[str, dict[str, bool]] = {}
"""Whether all tests of a scenario of ``docs/clients.md`` passed, by client and scenario."""

NOTEBOOKS_S: dict[str, float] = {}
"""How long each tutorial ran, by its name."""


def taken() -> list[dict[str, int]]:
    """All tallies, to be sent to another process."""
    return [dict(tally) for tally in _ALL]


def add(others: list[dict[str, int]]) -> None:
    """Adds what another process has taken."""
    for tally, other in zip(_ALL, others, strict=True):
        tally.update(other)


def held() -> dict[str, object]:
    """Which scenarios held, and with which versions."""
    return {"held": HELD, "versions": {client: versions(client) for client in CLIENTS}}


def lines() -> Iterator[str]:
    """What to say of them."""
    if VALIDATED or REFUSED:
        yield (
            f"{VALIDATED.total()} server frames validated strictly against the types of openai "
            f"{version('openai')} ({len(VALIDATED)} event types), {REFUSED.total()} failures"
        )
    if FOLDED:
        sessions, events = FOLDED["sessions"], FOLDED["events"]
        yield f"{sessions} recorded sessions ({events} events) folded from disk as live"
    if NOTEBOOKS_S:
        longest = max(NOTEBOOKS_S, key=lambda name: NOTEBOOKS_S[name])
        yield (
            f"{len(NOTEBOOKS_S)} notebooks run headless, the longest ({longest}) in "
            f"{NOTEBOOKS_S[longest]:.0f} s"
        )
