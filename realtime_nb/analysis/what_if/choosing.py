"""Which of many settings to take, and what speaks for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from realtime_nb.analysis.what_if.candidates import DEFAULT, IN_USE, Candidate
from realtime_nb.analysis.what_if.scores import NO_LABELS
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD
from realtime_nb.protocol.words import counted

__all__ = ["BestSetting", "ChoiceLimits", "best_setting", "percent_words", "share_words"]

Row = Mapping[str, Any]

_NOUNS = {
    "split": ("split_turns", "labelled_turns"),
    "missed": ("missed_turns", "labelled_turns"),
    "false_start": ("false_starts", "turns"),
}
_COMPARED = {IN_USE: "those in use", DEFAULT: "the defaults"}


@dataclass(frozen=True, repr=False)
class BestSetting:
    """The setting to take within some limits.

    Attributes:
        detection: To be used as it is: ``rt.connect(turn_detection=best.detection)``.
        engine: Of the probabilities that it was found with.
        row: Its row of the table.
        evidence: What speaks for it, in sentences.
    """

    detection: ServerVAD | SemanticVAD
    engine: str
    row: dict[str, Any] = field(compare=False)
    evidence: str = field(compare=False)

    def __repr__(self) -> str:
        return f"{self.detection!r}\n{self.evidence}"


@dataclass(frozen=True, slots=True)
class ChoiceLimits:
    """What a setting may cost at most; None: anything.

    Attributes:
        split, false_start: shares, 0 to 1.
        wait_ms: the median wait.
    """

    split: float | None = None
    false_start: float | None = None
    wait_ms: float | None = None

    def __post_init__(self) -> None:
        for name, limit in self.shares.items():
            if limit is not None and not (_is_number(limit) and 0 <= limit <= 1):
                raise ConfigurationError(f"max_{name} is {limit!r}; give a share from 0 to 1.")
        if self.wait_ms is not None and not (_is_number(self.wait_ms) and self.wait_ms >= 0):
            raise ConfigurationError(f"max_wait_ms is {self.wait_ms!r}; give ms, 0 or more.")

    @property
    def shares(self) -> dict[str, float | None]:
        """The limits of shares, by what they are of."""
        return {"split": self.split, "false_start": self.false_start}

    def beyond(self, row: Row) -> float:
        """Returns how far the worst share of a row is beyond its limit; 0 or less keeps it."""
        over = [
            row[f"{name}_share"] - limit for name, limit in self.shares.items() if limit is not None
        ]
        return max(over, default=0.0)


def best_setting(
    tried: Sequence[Candidate], rows: Sequence[Row], limits: ChoiceLimits
) -> BestSetting:
    """Returns the setting with the shortest median wait that keeps within the limits; within a
    limit of the wait, the one with the fewest splits.

    Args:
        tried: The settings.
        rows: Their rows of the table of a sweep.
        limits: What they may cost.

    Raises:
        ConfigurationError: Nothing tells, or no setting keeps within the limits; the nearest is
            named.
    """
    if any(row["labelled_turns"] is None for row in rows):
        raise ConfigurationError(f"What is best can't be told: {NO_LABELS}.")
    known = [i for i, row in enumerate(rows) if not math.isnan(row["endpoint_wait_p50_ms"])]
    if not known:
        raise ConfigurationError(f"What is best can't be told: {rows[0]['note']}.")
    longest_ms = math.inf if limits.wait_ms is None else limits.wait_ms
    soon = [i for i in known if rows[i]["endpoint_wait_p50_ms"] <= longest_ms]
    if not soon:
        nearest = min(known, key=lambda i: _rank(rows[i]))
        asked = f"waits {longest_ms:g} ms or less in the median"
        raise ConfigurationError(_none(len(known), asked, tried[nearest], rows[nearest]))
    fitting = [i for i in soon if limits.beyond(rows[i]) <= 0]
    if not fitting:
        nearest = min(soon, key=lambda i: limits.beyond(rows[i]))
        asked = " and ".join(
            f"max_{name} {percent_words(limit)}"
            for name, limit in limits.shares.items()
            if limit is not None
        )
        asked = f"keeps within {asked}"
        raise ConfigurationError(_none(len(soon), asked, tried[nearest], rows[nearest]))
    ranked = _rank if limits.wait_ms is None else _rank_by_splits
    best = min(fitting, key=lambda i: ranked(rows[i]))
    evidence = _evidence(tried, rows, best)
    return BestSetting(tried[best].detection, tried[best].engine, dict(rows[best]), evidence)


def _rank(row: Row) -> tuple[float, ...]:
    return (
        *(row["endpoint_wait_p50_ms"], row["split_share"], row["false_start_share"]),
        row["audio_sent_s"],
    )


def _rank_by_splits(row: Row) -> tuple[float, ...]:
    wait_ms, splits, *rest = _rank(row)
    return splits, wait_ms, *rest


def _none(count: int, asked: str, nearest: Candidate, row: Row) -> str:
    return (
        f"None of {counted(count, 'setting')} {asked}. Nearest: {_row_words(nearest, row)}. "
        "Try others, or allow more."
    )


def _evidence(tried: Sequence[Candidate], rows: Sequence[Row], best: int) -> str:
    sentences = [_row_words(tried[best], rows[best])]
    for mark, name in _COMPARED.items():
        sentences += [
            f"{name}: {_row_words(other, row)}"
            for other, row in zip(tried, rows, strict=True)
            if mark in other.marks and other is not tried[best]
        ]
    return "; ".join(sentences) + "."


def _row_words(candidate: Candidate, row: Row) -> str:
    wait_ms = row["endpoint_wait_p50_ms"]
    waits = "" if math.isnan(wait_ms) else f", waits {wait_ms:,.0f} ms in the median"
    return (
        f"{candidate.words}: splits {share_words(row, 'split')}, false starts "
        f"{share_words(row, 'false_start')}{waits}"
    )


def share_words(row: Row, name: str) -> str:
    """Returns ``"2 of 14 (0–36 %)"``: how many of how many, and the 95 % interval."""
    count, of = (row[noun] for noun in _NOUNS[name])
    low, high = row[f"{name}_low_share"], row[f"{name}_high_share"]
    if math.isnan(low):
        return f"{count} of {of}"
    return f"{count} of {of} ({100 * low:.0f}–{100 * high:.0f} %)"


def percent_words(share: float) -> str:
    """Returns ``"12.5 %"``; nothing of what is not known."""
    return "" if math.isnan(share) else f"{100 * share:.3g} %"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
