"""The scoreboard: what a setting did well and badly, against what was really said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from realtime_nb.analysis.voices import TimeSpan

__all__ = ["LabScore", "ScoredTurn", "score", "scores_frame"]

Numbers = npt.NDArray[np.float64]

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
class LabScore:
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
) -> LabScore:
    """Judges turns.

    Args:
        name, settings, grey: of the setting.
        turns: what it makes of the audio, in order.
        voiced_ms: where the reference detector hears a voice.
        true_ms: where the user really spoke, turn by turn; None where nobody said.
    """
    reasons: dict[str, str] = {}
    found = _Turns.of(turns)
    truth = None if true_ms is None else _Truth(found, _bounds(true_ms))
    waits_ms = _waits(found, _bounds(voiced_ms), truth)
    if not len(waits_ms):
        why = _NO_ENDS if turns else _NO_TURNS
        reasons |= dict.fromkeys(("wait_mean_ms", "wait_p50_ms"), why)
    counts = (math.nan, math.nan, math.nan)
    precision = recall = math.nan
    if truth is None or true_ms is None:
        reasons |= dict.fromkeys(_BY_LABELS, _NO_LABELS)
    else:
        counts = float(truth.split.sum()), float((truth.of == 0).sum()), float(truth.missed.sum())
        precision = truth.whole / len(turns) if turns else math.nan
        recall = truth.whole / len(true_ms) if true_ms else math.nan
        if not turns:
            reasons["precision"] = _NO_TURNS
        if not true_ms:
            reasons["recall"] = "by the labels nobody has spoken yet"
    return LabScore(
        name,
        settings,
        float(len(turns)),
        *counts,
        float(np.mean(waits_ms)) if len(waits_ms) else math.nan,
        float(np.median(waits_ms)) if len(waits_ms) else math.nan,
        precision,
        recall,
        "detector" if truth is None else "label",
        reasons,
        grey,
    )


def scores_frame(scores: Sequence[LabScore]) -> pd.DataFrame:
    """Returns scores as a table, a row each; the reasons in ``attrs``, by name and column."""
    names = [one.name for one in fields(LabScore) if one.name != "reasons"]
    table = pd.DataFrame(
        {name: [getattr(score, name) for score in scores] for name in names}, columns=names
    )
    table.attrs["reasons"] = {score.name: score.reasons for score in scores if score.reasons}
    return table


@dataclass(frozen=True, slots=True)
class _Turns:
    """Turns in arrays, in order."""

    onset_ms: Numbers
    end_ms: Numbers
    stop_ms: Numbers

    @classmethod
    def of(cls, turns: Sequence[ScoredTurn]) -> _Turns:
        rows = np.array(
            [(one.onset_ms, one.offset_ms, one.stop_ms) for one in turns], np.float64
        ).reshape(-1, 3)
        onset_ms, offset_ms, stop_ms = rows.T
        return cls(onset_ms, np.maximum(offset_ms, onset_ms + 1), stop_ms)


class _Truth:
    """What turns are to true ones.

    A turn is of a true one where its speech has something in common with it.

    Attributes:
        missed, split: of each true turn: whether no turn is of it; whether one ended in it.
        of: of how many true ones each turn is.
        too_soon: of each turn, whether it was ended before a true one was over.
        whole: how many turns are one true turn each, and all of it.
    """

    def __init__(self, turns: _Turns, true_ms: Numbers) -> None:
        starts_ms, ends_ms = true_ms.T
        first = np.searchsorted(turns.end_ms, starts_ms, "right")
        count = np.searchsorted(turns.onset_ms, ends_ms, "left") - first
        self.missed = count <= 0
        last_of = np.searchsorted(starts_ms, turns.end_ms, "left")
        self.of = np.maximum(last_of - np.searchsorted(ends_ms, turns.onset_ms, "right"), 0)
        padded_ms = np.append(ends_ms, math.nan)  # its last place stands for none
        self.too_soon = (self.of > 0) & (turns.stop_ms < padded_ms[last_of - 1])
        begin = np.where(self.missed, len(turns.stop_ms), first)
        self.split = np.append(turns.stop_ms, math.nan)[begin] < ends_ms
        alone = (count == 1) & (np.append(self.of, 0)[begin] == 1) & ~self.split
        self.whole = int(alone.sum())


def _bounds(spans: Sequence[TimeSpan]) -> Numbers:
    return np.array(spans, np.float64).reshape(-1, 2)


def _waits(turns: _Turns, voiced_ms: Numbers, truth: _Truth | None) -> Numbers:
    """Returns how long after its last voice each turn was known to be over.

    Where labels tell, only what ended no turn too soon has waited.
    """
    if not len(voiced_ms):
        return np.zeros(0)
    starts_ms, ends_ms = voiced_ms.T
    index = np.searchsorted(starts_ms, turns.stop_ms, "left") - 1
    voice_ms = ends_ms[np.maximum(index, 0)]
    known = (index >= 0) & (turns.onset_ms < voice_ms) & (voice_ms <= turns.stop_ms)
    if truth is not None:
        known &= ~truth.too_soon
    waits_ms: Numbers = (turns.stop_ms - voice_ms)[known]
    return waits_ms
