"""How far the state machine here and the server's turn detection say the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["TRUSTED_SHARE", "LabAgreement", "agreed"]

TRUSTED_SHARE = 0.85
"""Ghosts are not to be trusted below."""

_TOLERANCE_MS = 100.0
_FEWEST_PAIRS = 3

Span = tuple[float, float]
"""Start and end in ms; NaN for an end that is not known."""


@dataclass(frozen=True, slots=True)
class LabAgreement:
    """How far emulator and server agree on where turns begin and end.

    Attributes:
        share: turns of both sides on which they agree; NaN where there is none.
        offset_ms: by how much the server is later, by the pairs; 0 where there are too few.
        spread_ms: how far starts and ends are apart once that is taken off, in the median; NaN
            where there is no pair.
        matched: pairs.
        server_turns, emulated_turns: of each side.
    """

    share: float
    offset_ms: float
    spread_ms: float
    matched: int
    server_turns: int
    emulated_turns: int

    @property
    def trusted(self) -> bool:
        """Whether what ghosts say may be taken for what the server would do.

        Where nothing was compared, nothing speaks against it.
        """
        return not self.share < TRUSTED_SHARE

    @property
    def words(self) -> str:
        """The same in a sentence."""
        if math.isnan(self.share):
            return "Nothing to compare yet: neither the server nor the emulator has heard a turn."
        agreement = f"{100 * self.share:.0f} % agreement with the server"
        if not self.matched:
            return f"{agreement}: no turn was heard by both."
        offset = f", {self.offset_ms:+.0f} ms taken off" if self.offset_ms else ""
        return (
            f"{agreement}, {self.spread_ms:.0f} ms apart in the median{offset} "
            f"(calibrated on {self.matched} turns)."
        )


def agreed(server: Sequence[Span], emulated: Sequence[Span]) -> LabAgreement:
    """Compares turns of both sides, each in order of time."""
    pairs = _pairs(server, emulated)
    starts = [one[0] - other[0] for one, other in pairs]
    offset_ms = median(starts) if len(starts) >= _FEWEST_PAIRS else 0.0
    apart = [
        [abs(a - b - offset_ms) for a, b in zip(one, other, strict=True) if not math.isnan(a - b)]
        for one, other in pairs
    ]
    agreeing = sum(max(each) <= _TOLERANCE_MS for each in apart)
    rows = len(server) + len(emulated) - len(pairs)
    every = [value for each in apart for value in each]
    return LabAgreement(
        agreeing / rows if rows else math.nan,
        offset_ms,
        median(every) if every else math.nan,
        len(pairs),
        len(server),
        len(emulated),
    )


def _pairs(server: Sequence[Span], emulated: Sequence[Span]) -> list[tuple[Span, Span]]:
    """Returns those that overlap, one to one."""
    pairs = []
    i = j = 0
    while i < len(server) and j < len(emulated):
        (a, b), (c, d) = (_closed(span) for span in (server[i], emulated[j]))
        if b <= c:
            i += 1
        elif d <= a:
            j += 1
        else:
            pairs.append((server[i], emulated[j]))
            i, j = i + 1, j + 1
    return pairs


def _closed(span: Span) -> Span:
    return span[0], math.inf if math.isnan(span[1]) else span[1]
