"""The cost of a session in figures, and how they are read."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from realtime_nb.analysis.cost.prices import PRICES_DATE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cost"]


@dataclass(frozen=True)
class Cost:
    """What a session cost, in USD; NaN with a reason where that is not known.

    Attributes:
        total_usd: Everything; NaN as soon as a part of it could not be priced. At most, where a
            server does not tell whether cached tokens were text or audio.
        least_usd: At least, then; else the same.
        priced_usd: What could be priced; NaN when nothing could.
        responses_usd, transcription_usd: Its two parts.
        per_minute_usd, per_talk_minute_usd: ``priced_usd`` by minute of the session, and by minute
            of talk: the user's speech and the agent's audio that was played, see
            :func:`realtime_nb.analysis.talk_time.talk_time`.
        unheard_usd: What was paid for the agent's audio that nobody heard: by audio tokens of each
            response, in the proportion of its audio.
        unheard_tokens: The audio tokens that this was paid for.
        unheard_share: Of the agent's audio that was received, 0 to 1.
        by_turn: One row per user turn: ``turn``, ``usd`` and its running ``cumulative_usd``,
            ``responses_usd`` without transcription, ``responses``, ``input_tokens`` of the last of
            them, its ``cached_share``.
        table: The rows of :func:`realtime_nb.analysis.cost.costs.costs`.
        prices_date: Of the built-in table, but for the models in ``price_dates``.
        price_dates: By model, where its price is of another time.
        assumption: As what it was priced, when not as what it was; or how tokens were counted of
            which the server does not tell what they were.
        reason: What is missing and why; None when nothing is.
        unknown: By the name of one of the figures above, why it is NaN for another reason than a
            missing price.
    """

    total_usd: float
    least_usd: float
    priced_usd: float
    responses_usd: float
    transcription_usd: float
    per_minute_usd: float
    per_talk_minute_usd: float
    unheard_usd: float
    unheard_tokens: float
    unheard_share: float
    by_turn: pd.DataFrame = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    prices_date: str = PRICES_DATE
    price_dates: Mapping[str, str] = field(default_factory=dict)
    assumption: str | None = None
    reason: str | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._lines())

    @property
    def amount(self) -> str:
        """What it cost, in words: one sum, or from what to what, or what of it is known."""
        if self.least_usd < self.total_usd:
            return f"{_usd(self.least_usd)} to {_usd(self.total_usd)}"
        if self.total_usd == self.total_usd:
            return _usd(self.total_usd)
        if self.priced_usd == self.priced_usd:
            return f"{_usd(self.priced_usd)} and what could not be priced"
        return "not known"

    def copy(self) -> Cost:
        """Returns one whose tables are its own."""
        return replace(self, by_turn=self.by_turn.copy(), table=self.table.copy())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in self._lines()
        )
        return f"<table>{rows}</table>"

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "cost", self.amount
        figures = {
            "responses": self.responses_usd,
            "transcription": self.transcription_usd,
            "per minute": self.per_minute_usd,
            "per minute of talk": self.per_talk_minute_usd,
        }
        yield from ((name, _usd(usd)) for name, usd in figures.items() if usd == usd)
        if "per_talk_minute_usd" in self.unknown and self.priced_usd == self.priced_usd:
            yield "per minute of talk", f"not known: {self.unknown['per_talk_minute_usd']}"
        if self.unheard_usd == self.unheard_usd and self.unheard_share > 0:
            share = f"{self.unheard_share:.0%} of the agent's audio"
            yield "never heard", f"{_usd(self.unheard_usd)} ({share})"
        if self.reason is not None:
            yield "not priced", self.reason
        if self.assumption is not None:
            yield "assumption", self.assumption
        if self.priced_usd == self.priced_usd:
            others = [f"; {model}: of {date}" for model, date in self.price_dates.items()]
            yield "prices", f"of {self.prices_date}, unless given{''.join(others)}"


def _usd(usd: float) -> str:
    return f"${usd:.4f}"
