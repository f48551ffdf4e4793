"""Whether what ghosts say may be taken for what the server would do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from realtime_nb.analysis.agreement import Agreement, Span, agreement

__all__ = ["TRUSTED_SHARE", "LabAgreement", "agreed"]

TRUSTED_SHARE = 0.85
"""Ghosts are not to be trusted below."""


@dataclass(frozen=True, repr=False)
class LabAgreement(Agreement):
    """How far emulator and server agree on where turns begin and end.

    Attributes:
        starts_only: whether turns were compared of which the server alone tells the end.
    """

    starts_only: bool = False

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
        told = f"{self.percent:.0f} % agreement with the server"
        if not self.matched:
            return f"{told}: no turn was heard by both."
        offset = f", {self.offset_ms:+.0f} ms taken off" if self.offset_ms else ""
        starts = " It is about beginnings: by semantic_vad, a model ends turns."
        return (
            f"{told}, {self.spread_ms:.0f} ms apart in the median{offset} (calibrated on "
            f"{self.matched} turns).{starts if self.starts_only else ''}"
        )


def agreed(
    server: Sequence[Span], emulated: Sequence[Span], starts_only: bool = False
) -> LabAgreement:
    """Compares turns of both sides."""
    found = agreement(server, emulated)
    return LabAgreement(found.turns, found.offset_ms, found.tolerance_ms, starts_only)
