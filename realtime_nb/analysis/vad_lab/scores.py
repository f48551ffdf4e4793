"""The scoreboard: what a setting did well and badly, against what was really said.

What a split turn is, a false start, a missed turn and a wait is told in
:mod:`realtime_nb.analysis.what_if.outcomes`, as it is of a sweep.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.analysis.what_if.outcomes import Bounds, Outcomes, judge, waits_after_voice
from realtime_nb.analysis.what_if.taken_turns import Taken
from realtime_nb.analysis.what_if.true_turns import TrueTurn

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LabScore", "ScoredTurn", "score", "scores_frame"]

_BY_LABELS = ("judged_turns", "split_turns", "false_starts", "missed_turns", "precision", "recall")
_NO_LABELS = "nobody has said yet where turns really are: label one"
_NO_TURNS = "there is no turn yet"
_NO_ENDS = "no turn has ended after a voice yet"
_NONE_JUDGED = "the labels are about other audio than that of its turns"


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
        judged_turns: of how many of them the labels tell whether they are right.
        split_turns, false_starts, missed_turns: as of a sweep.
        wait_mean_ms, wait_p50_ms: its endpoint wait, in audio time: no network is in it.
        precision: share of its judged turns that are a true turn, whole and one to one.
        recall: share of the true turns that are.
        truth: what told where the voice ends: ``label``, or ``detector``.
        reasons: why a number is NaN, by its name.
        grey: not to be trusted: emulator and server disagree.
    """

    name: str
    settings: str
    turns: float
    judged_turns: float
    split_turns: float
    false_starts: float
    missed_turns: float
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
    *,
    judged_ms: Sequence[TimeSpan] = ((-math.inf, math.inf),),
) -> LabScore:
    """Judges turns.

    Args:
        name, settings, grey: of the setting.
        turns: what it makes of the audio, in order.
        voiced_ms: where the reference detector hears a voice.
        true_ms: where the user really spoke, turn by turn; None where nobody said.
        judged_ms: where that is known; a turn elsewhere is neither right nor wrong.
    """
    reasons: dict[str, str] = {}
    all_turns = len(turns)
    if true_ms is not None:
        turns = [one for one in turns if _is_judged(one, judged_ms)]
    over_ms = _over_ms(turns, true_ms or ())
    taken = _taken(turns, over_ms)
    if true_ms is None:
        waits_ms = waits_after_voice(taken, np.array([end_ms for _, end_ms in voiced_ms]))
        counts = dict.fromkeys(_BY_LABELS, math.nan)
        reasons |= dict.fromkeys(_BY_LABELS, _NO_LABELS)
    else:
        truth = [TrueTurn(start_ms, min(end_ms, over_ms)) for start_ms, end_ms in true_ms]
        outcomes = judge(taken, Bounds.of(truth))
        waits_ms = outcomes.wait_ms
        counts = _counts(outcomes)
        if not turns:
            reasons["precision"] = _NONE_JUDGED if all_turns else _NO_TURNS
        if not true_ms:
            reasons["recall"] = "by the labels nobody has spoken yet"
    known_ms = waits_ms[~np.isnan(waits_ms)]
    if not len(known_ms):
        unjudged = _NONE_JUDGED if all_turns else _NO_TURNS
        why = _NO_ENDS if turns else unjudged
        reasons |= dict.fromkeys(("wait_mean_ms", "wait_p50_ms"), why)
    return LabScore(
        name,
        settings,
        float(all_turns),
        **counts,
        wait_mean_ms=float(np.mean(known_ms)) if len(known_ms) else math.nan,
        wait_p50_ms=float(np.median(known_ms)) if len(known_ms) else math.nan,
        truth="detector" if true_ms is None else "label",
        reasons=reasons,
        grey=grey,
    )


def scores_frame(scores: Sequence[LabScore]) -> pd.DataFrame:
    """Returns scores as a table, a row each; the reasons in ``attrs``, by name and column."""
    rows = [asdict(score) for score in scores]
    reasons = {row["name"]: row.pop("reasons") for row in rows}
    table = frame("lab_scores", rows)
    table.attrs["reasons"] = {name: why for name, why in reasons.items() if why}
    return table


def _is_judged(turn: ScoredTurn, judged_ms: Sequence[TimeSpan]) -> bool:
    return any(
        turn.onset_ms < end_ms and start_ms < turn.offset_ms for start_ms, end_ms in judged_ms
    )


def _over_ms(turns: Sequence[ScoredTurn], true_ms: Sequence[TimeSpan]) -> float:
    """Returns a position after whatever has one: there ends who was "not finished"."""
    edges = [edge for one in turns for edge in (one.onset_ms, one.offset_ms, one.stop_ms)]
    edges += [edge for span in true_ms for edge in span]
    return max((edge for edge in edges if math.isfinite(edge)), default=0.0) + 2


def _taken(turns: Sequence[ScoredTurn], over_ms: float) -> Taken:
    """Returns turns as a sweep has them; of which no end was decided, those end after all."""
    rows = np.array([(one.onset_ms, one.offset_ms, one.stop_ms) for one in turns], np.float64)
    onset_ms, offset_ms, stop_ms = rows.reshape(-1, 3).T
    undecided = np.isnan(stop_ms)
    return Taken(
        start_ms=onset_ms,
        onset_ms=onset_ms,
        offset_ms=np.clip(offset_ms, onset_ms + 1, over_ms),
        end_ms=np.where(undecided, over_ms, stop_ms),
        cut=undecided,
    )


def _counts(outcomes: Outcomes) -> dict[str, float]:
    """Returns what is counted by labels."""
    turns, labelled = len(outcomes.false_start), len(outcomes.missed)
    shared = outcomes.merged.copy()
    shared[1:] |= outcomes.merged[:-1]
    whole = int(((outcomes.count == 1) & ~outcomes.split & ~shared).sum())
    return {
        "judged_turns": float(turns),
        "split_turns": float(outcomes.split.sum()),
        "false_starts": float(outcomes.false_start.sum()),
        "missed_turns": float(outcomes.missed.sum()),
        "precision": whole / turns if turns else math.nan,
        "recall": whole / labelled if labelled else math.nan,
    }
