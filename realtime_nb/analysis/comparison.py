"""Two recordings of the same user audio, compared turn by turn.

Each turn of one is paired with the turn of the other in which the user says the same, in order.
Which figures differ within the pairs, :mod:`realtime_nb.analysis.paired_test` tells of all of them
together, so that of two recordings that differ in nothing hardly a table says that they do.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_nb.analysis.columns.figure_tables import COMPARED
from realtime_nb.analysis.columns.frames import frame, records
from realtime_nb.analysis.cost.prices import PriceTable
from realtime_nb.analysis.pace import pace_note
from realtime_nb.analysis.paired_test import (
    FEWEST_PAIRS,
    Floats,
    Told,
    added_up,
    tell_apart,
)
from realtime_nb.analysis.recorded import Recorded, refuse_unrecorded
from realtime_nb.analysis.stage_comparison import compare_stages
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.errors import at_call

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "compare"]

SAME_WORDS = 0.5
"""Texts of which at least this share of the words agrees are taken to be of the same audio."""

SAME_DURATION = 0.8
"""So are durations, where a text is missing, of which the shorter is this share of the longer."""

_USAGE = ("input_tokens", "cached_tokens", "output_tokens")
_WITHOUT_CALLS = ("latency_ms", *LATENCY_PARTS)
_WITH_CALLS = "latency_with_calls_ms"
_TIMES = (*_WITHOUT_CALLS, _WITH_CALLS)
_GOES_ON = ("input_tokens", "cached_tokens", "responses_usd")
"""Each turn reads all before it again, so that one that got longer makes all that follow dearer."""

Pairs = Sequence[tuple["_TurnFigures", "_TurnFigures"]]


@dataclass(frozen=True)
class Comparison:
    """How ``b`` differs from ``a``.

    Attributes:
        table: One row per figure. ``latency_ms`` and its parts are of pairs without function calls,
            ``latency_with_calls_ms`` is of pairs with calls in both. Times are not
            compared when one of the two ran at another speed than life's. The last row,
            ``user_text_differences``, counts words that differ between the transcripts; which of
            them is right, it can't tell.
        turns: One row per pair of turns, with every figure of both.
        stages: What their stages took, where a server told: see
            :func:`realtime_nb.analysis.stage_comparison.compare_stages`, which takes any number.
        names: What the two are called.
        notes: What to know before trusting it.
    """

    table: pd.DataFrame = field(repr=False)
    turns: pd.DataFrame = field(repr=False)
    stages: pd.DataFrame = field(repr=False)
    names: tuple[str, str]
    notes: list[str]

    def __repr__(self) -> str:
        shown = self._shown().to_string(index=False, na_rep="")
        return "\n".join([shown, *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        table = self._shown().to_html(index=False, na_rep="", border=0)
        return table + "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)

    def _shown(self) -> pd.DataFrame:
        """Returns the table as it is read: under the names, with as many digits as mean
        anything."""
        shown = self.table.copy()
        for column in ("a", "b", "delta", "low", "high"):
            shown[column] = [_digits(value) for value in shown[column]]
        return shown.rename(columns={"a": self.names[0], "b": self.names[1]})


@at_call
def compare(
    a: Recorded,
    b: Recorded,
    *,
    names: tuple[str, str] = ("a", "b"),
    seed: int = 0,
    prices: PriceTable | None = None,
) -> Comparison:
    """Compares two recordings of the same user audio, such as two replays with other settings.

    Args:
        a, b: The recordings; differences are b − a.
        names: What to call them.
        seed: Of the swaps of signs that are drawn where there are many pairs.
        prices: Prices that come before the built-in ones.

    Raises:
        ConfigurationError: One of them is no recording.
    """
    refuse_unrecorded(a, b)
    sides = [_figures(rec, prices) for rec in (a, b)]
    pairs = _paired(*sides)
    values = _values(pairs)
    if any(pace_note(rec.header) for rec in (a, b)):
        values[:, [COMPARED.index(metric) for metric in _TIMES]] = math.nan
    rows = _rows(values, names, seed)
    different = [_differences(left, right) for left, right in pairs]
    rows.append(_text_row(different))
    turns = [_pair_row(*pair, count) for pair, count in zip(pairs, different, strict=True)]
    notes = list(_notes(a, b, sides, pairs, names))
    tables = frame("comparison", rows), frame("comparison_turns", turns)
    both = compare_stages(dict(zip(_told_apart(names), (a, b), strict=True)), prices=prices)
    return Comparison(*tables, both, names, notes)


def _told_apart(names: tuple[str, str]) -> tuple[str, str]:
    return names if names[0] != names[1] else (f"{names[0]} (a)", f"{names[1]} (b)")


# --- one recording --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _TurnFigures:
    turn: int
    words: list[str]
    text: str
    speech_ms: float
    had_calls: bool
    values: dict[str, float]


def _figures(rec: Recorded, prices: PriceTable | None) -> list[_TurnFigures]:
    counts = rec.usage.astype(dict.fromkeys(_USAGE, float))  # NaN where not counted
    usage = counts.groupby("turn")[list(_USAGE)].sum(min_count=1)
    usd = rec.cost(prices).by_turn.set_index("turn").responses_usd
    found = []
    for row in records(rec.turns):
        number = row["turn"]
        values = _times(row)
        values["unheard_ms"] = float(row["unheard_ms"])
        values["interrupted"] = float(row["interrupted"])
        for name in _USAGE:
            values[name] = float(usage[name].get(number, math.nan))
        values["responses_usd"] = float(usd.get(number, math.nan))
        text = row["user_text"]
        speech_ms = float(row["offset_ms"]) - float(row["onset_ms"])
        found.append(
            _TurnFigures(number, _word_list(text), text, speech_ms, bool(row["calls"]), values)
        )
    return found


def _times(row: Mapping[Any, Any]) -> dict[str, float]:
    """Returns the times of a turn, each under the name that it has in ``rec.metrics()``."""
    found = dict.fromkeys(_TIMES, math.nan)
    if row["source"] == "typed":
        return found
    if row["calls"]:
        return found | {_WITH_CALLS: float(row["latency_ms"])}
    return found | {name: float(row[name]) for name in _WITHOUT_CALLS}


def _word_list(text: str) -> list[str]:
    kept = "".join(one if one.isalnum() or one in "'’" else " " for one in text.casefold())
    return kept.split()


# --- pairs ----------------------------------------------------------------------------------------


def _paired(
    left: Sequence[_TurnFigures], right: Sequence[_TurnFigures]
) -> list[tuple[_TurnFigures, _TurnFigures]]:
    """Returns as many turns as can be paired in order, and of those ways the most alike."""
    if len(left) == len(right) and all(map(_alike, left, right)):
        return list(zip(left, right, strict=True))
    alike = [[_alike(one, other) for other in right] for one in left]
    best = [[0.0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            skipped = max(best[i + 1][j], best[i][j + 1])
            taken = best[i + 1][j + 1] + 1 + alike[i][j]
            best[i][j] = max(skipped, taken) if alike[i][j] else skipped
    pairs, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            pairs.append((left[i], right[j]))
            i, j = i + 1, j + 1
    return pairs


def _alike(left: _TurnFigures, right: _TurnFigures) -> float:
    """Returns how much the user seems to say the same, by the words or else by how long it took; or
    0."""
    if left.words and right.words:
        agreeing = SequenceMatcher(None, left.words, right.words, autojunk=False).ratio()
        return agreeing if agreeing >= SAME_WORDS else 0.0
    shorter, longer = sorted((left.speech_ms, right.speech_ms))
    if not math.isnan(shorter + longer) and longer > 0:
        return shorter / longer if shorter >= SAME_DURATION * longer else 0.0
    return SAME_WORDS


def _differences(left: _TurnFigures, right: _TurnFigures) -> float:
    """Counts words to replace, insert or delete to come from one transcript to the other."""
    if not left.words and not right.words:
        return math.nan
    steps = SequenceMatcher(None, left.words, right.words, autojunk=False).get_opcodes()
    return float(sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in steps if tag != "equal"))


def _pair_row(left: _TurnFigures, right: _TurnFigures, different: float) -> dict[str, object]:
    row: dict[str, object] = {"text_differences": different}
    for side, turn in (("a", left), ("b", right)):
        row |= {f"turn_{side}": turn.turn, f"user_text_{side}": turn.text}
        row |= {f"{metric}_{side}": turn.values[metric] for metric in COMPARED}
    return row


# --- figures --------------------------------------------------------------------------------------


def _values(pairs: Pairs) -> Floats:
    """Returns (pairs, metrics, 2), NaN in both where a metric is not known of both."""
    found = np.array(
        [[[side.values[metric] for side in pair] for metric in COMPARED] for pair in pairs], float
    ).reshape(-1, len(COMPARED), 2)
    found[np.isnan(found).any(axis=2)] = math.nan
    whole = ~np.isnan(found[:, 0, 0])
    if whole.any():  # the parts are those of latencies, as in the metrics
        found[~whole, 1 : len(_WITHOUT_CALLS)] = math.nan
    return found


def _rows(values: Floats, names: tuple[str, str], seed: int) -> list[dict[str, object]]:
    differences = values[:, :, 1] - values[:, :, 0]
    tested = differences.copy()
    for metric in _GOES_ON:
        column = COMPARED.index(metric)
        tested[:, column] = added_up(differences[:, column])
    told = tell_apart(tested, seed)
    return [
        _metric_row(metric, values[:, column], told[column], names)
        for column, metric in enumerate(COMPARED)
    ]


def _metric_row(
    metric: str, values: Floats, told: Told, names: tuple[str, str]
) -> dict[str, object]:
    known = values[~np.isnan(values[:, 0])]
    if not len(known):
        return {"metric": metric, "n": 0, "verdict": "not known"}
    a, b = (np.median if metric in _TIMES else np.mean)(known, axis=0)
    if told.differs:
        verdict = f"{names[1]} {'higher' if told.low > 0 else 'lower'}"
    else:
        verdict = "too few pairs to tell" if math.isnan(told.low) else "no difference shown"
    return {
        "metric": metric,
        "n": len(known),
        "average": "median" if metric in _TIMES else "mean",
        "a": float(a),
        "b": float(b),
        "delta": float((known[:, 1] - known[:, 0]).mean()),
        "low": told.low,
        "high": told.high,
        "verdict": verdict,
    }


def _text_row(different: Sequence[float]) -> dict[str, object]:
    known = [count for count in different if count == count]
    row: dict[str, object] = {"metric": "user_text_differences", "n": len(known), "verdict": ""}
    if known:
        row["delta"] = sum(known) / len(known)
    return row


def _notes(
    a: Recorded,
    b: Recorded,
    sides: Sequence[Sequence[_TurnFigures]],
    pairs: Sequence[tuple[_TurnFigures, _TurnFigures]],
    names: tuple[str, str],
) -> Iterator[str]:
    counts, paired = [len(side) for side in sides], len(pairs)
    if counts == [paired, paired]:
        yield f"all {paired} turns are paired."
    else:
        yield (
            f"{paired} turns are paired, of {counts[0]} in {names[0]} and {counts[1]} in "
            f"{names[1]}; in the others the user says something else, or a turn was split."
        )
    if 0 < paired < FEWEST_PAIRS:
        yield f"fewer than {FEWEST_PAIRS} pairs can't tell a difference from chance."
    calling = sum(left.had_calls or right.had_calls for left, right in pairs)
    if calling:
        yield (
            f"{calling} of the pairs have function calls: their latency includes running them and "
            f"is no part of latency_ms, but, where both have calls, {_WITH_CALLS}."
        )
    for name, rec in zip(names, (a, b), strict=True):
        if pace_note(rec.header):
            yield f"{name} ran at {rec.header['speed']:g} x: its latencies are not compared."
    local = [name for name, rec in zip(names, (a, b), strict=True) if rec.simulated]
    if local:
        yield f"the latencies of {' and '.join(local)} are those of the local server."


def _digits(value: float) -> str:
    if value != value:
        return ""
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"
