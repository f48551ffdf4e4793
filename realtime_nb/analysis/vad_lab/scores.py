"""The scoreboard: what a setting did well and badly, against what was really said."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from statistics import fmean, median
from typing import Literal

import pandas as pd

from realtime_nb.analysis.voices import TimeSpan

__all__ = ["Score", "ScoredTurn", "score", "scores_frame"]

_BY_LABELS = ("split_turns", "false_starts", "missed_speech", "precision", "recall")
_NO_LABELS = "nobody has said yet where turns really are: label one"
_NO_TURNS = "there is no turn yet"
_NO_ENDS = "no turn has ended after a voice yet"


@dataclass(frozen=True, slots=True)
class ScoredTurn:
    """A turn to be judged.

    Attributes:
        onset_ms, offset_ms: the speech in it, as detected.
        stop_ms: where in the audio it was known to be over; NaN while it goes on, or where no
            silence ended it.
    """

    onset_ms: float
    offset_ms: float
    stop_ms: float


@dataclass(frozen=True, slots=True)
class Score:
    """How a setting did; NaN where that can't be known, with the reason.

    Attributes:
        name: ``live``: the server's own turns; else that of a ghost.
        settings: as code.
        turns: how many it makes.
        split_turns: true turns whose end was decided before they were over.
        false_starts: turns that are of no true turn.
        missed_speech: true turns that no turn is of.
        wait_mean_ms, wait_p50_ms: from the end of the voice until the turn was known to be over, in
            audio time: no network is in it.
        precision: share of its turns that are a true turn, whole and one to one.
        recall: share of the true turns that are.
        truth: what told where the voice ends: ``label``, or ``detector``.
        reasons: why a number is NaN, by its name.
        grey: not to be trusted: emulator and server disagree.
    """

    name: str
    settings: str
    turns: float
    split_turns: float
    false_starts: float
    missed_speech: float
    wait_mean_ms: float
    wait_p50_ms: float
    precision: float
    recall: float
    truth: Literal["label", "detector"]
    reasons: dict[str, str] = field(default_factory=dict)
    grey: bool = False


def score(
    name: str,
    settings: str,
    turns: Sequence[ScoredTurn],
    voiced_ms: Sequence[TimeSpan],
    true_ms: Sequence[TimeSpan] | None = None,
    grey: bool = False,
) -> Score:
    """Judges turns.

    Args:
        name, settings, grey: of the setting.
        turns: what it makes of the audio, in order.
        voiced_ms: where the reference detector hears a voice.
        true_ms: where the user really spoke, turn by turn; None where nobody said.
    """
    reasons: dict[str, str] = {}
    waits_ms = _waits(turns, voiced_ms, true_ms)
    if not waits_ms:
        why = _NO_ENDS if turns else _NO_TURNS
        reasons |= dict.fromkeys(("wait_mean_ms", "wait_p50_ms"), why)
    if true_ms is None:
        counts = (math.nan, math.nan, math.nan)
        precision = recall = math.nan
        reasons |= dict.fromkeys(_BY_LABELS, _NO_LABELS)
    else:
        counts = _counts(turns, true_ms)
        whole = _whole(turns, true_ms)
        precision = whole / len(turns) if turns else math.nan
        recall = whole / len(true_ms) if true_ms else math.nan
        if not turns:
            reasons["precision"] = _NO_TURNS
        if not true_ms:
            reasons["recall"] = "by the labels nobody has spoken yet"
    return Score(
        name,
        settings,
        float(len(turns)),
        *counts,
        fmean(waits_ms) if waits_ms else math.nan,
        median(waits_ms) if waits_ms else math.nan,
        precision,
        recall,
        "detector" if true_ms is None else "label",
        reasons,
        grey,
    )


def scores_frame(scores: Sequence[Score]) -> pd.DataFrame:
    """Returns scores as a table, a row each; the reasons in ``attrs``, by name and column."""
    names = [one.name for one in fields(Score) if one.name != "reasons"]
    table = pd.DataFrame(
        {name: [getattr(score, name) for score in scores] for name in names}, columns=names
    )
    table.attrs["reasons"] = {score.name: score.reasons for score in scores if score.reasons}
    return table


def _counts(turns: Sequence[ScoredTurn], true_ms: Sequence[TimeSpan]) -> tuple[float, float, float]:
    """Returns how many true turns are split, turns of none, and true turns missed."""
    split = sum(any(t.stop_ms < span[1] for t in _overlapping(turns, span)) for span in true_ms)
    false = sum(not _within(true_ms, turn) for turn in turns)
    missed = sum(not _overlapping(turns, span) for span in true_ms)
    return float(split), float(false), float(missed)


def _whole(turns: Sequence[ScoredTurn], true_ms: Sequence[TimeSpan]) -> int:
    """Counts the turns that are one true turn each, and all of it."""
    whole = 0
    for span in true_ms:
        found = _overlapping(turns, span)
        alone = len(found) == 1 and len(_within(true_ms, found[0])) == 1
        whole += alone and not found[0].stop_ms < span[1]
    return whole


def _waits(
    turns: Sequence[ScoredTurn], voiced_ms: Sequence[TimeSpan], true_ms: Sequence[TimeSpan] | None
) -> list[float]:
    """Returns how long after its last voice each turn was known to be over.

    Where labels tell, only what ended no turn too soon has waited.
    """
    waits_ms = []
    for turn in turns:
        if math.isnan(turn.stop_ms):
            continue
        if true_ms is not None and any(turn.stop_ms < span[1] for span in _within(true_ms, turn)):
            continue
        index = bisect_left(voiced_ms, turn.stop_ms, key=lambda span: span[0]) - 1
        if index >= 0 and turn.onset_ms < voiced_ms[index][1] <= turn.stop_ms:
            waits_ms.append(turn.stop_ms - voiced_ms[index][1])
    return waits_ms


def _overlapping(turns: Sequence[ScoredTurn], span: TimeSpan) -> Sequence[ScoredTurn]:
    """Returns the turns whose speech has something in common with a span."""
    first = bisect_right(turns, span[0], key=_end)
    last = bisect_left(turns, span[1], key=lambda turn: turn.onset_ms)
    return turns[first:last]


def _within(spans: Sequence[TimeSpan], turn: ScoredTurn) -> Sequence[TimeSpan]:
    """Returns the spans that have something in common with the speech of a turn."""
    first = bisect_right(spans, turn.onset_ms, key=lambda span: span[1])
    last = bisect_left(spans, _end(turn), key=lambda span: span[0])
    return spans[first:last]


def _end(turn: ScoredTurn) -> float:
    return max(turn.offset_ms, turn.onset_ms + 1)
