"""A change of settings and its evidence, in one sentence."""

from __future__ import annotations

import math

from realtime_nb.analysis.vad_lab.scores import LabScore
from realtime_nb.protocol.words import counted

__all__ = ["change_sentence"]

_BY_LABELS = (
    ("split_turns", "split turns"),
    ("false_starts", "false starts"),
    ("missed_turns", "missed"),
)


def change_sentence(change: str, heard_ms: float, before: LabScore, after: LabScore) -> str:
    """Returns what a change did to the audio that was heard, by what both settings make of it.

    Args:
        change: in short.
        heard_ms: how much audio that is.
        before, after: how both did on all of it.
    """
    if math.isnan(before.turns + after.turns):
        return f"{change}: what it does can't be run here, as no silence alone ends its turns."
    if not before.turns and not after.turns:
        return (
            f"{change}: nothing was said in the {_seconds(heard_ms)} heard so far to judge it by."
        )
    parts = [f"{counted(int(before.turns), 'turn')} → {after.turns:.0f}"]
    if not math.isnan(before.wait_p50_ms + after.wait_p50_ms):
        parts.append(f"wait {before.wait_p50_ms:.0f} → {after.wait_p50_ms:.0f} ms (median)")
    judged = [
        f"{words} {getattr(before, name):.0f} → {getattr(after, name):.0f}"
        for name, words in _BY_LABELS
        if not math.isnan(getattr(before, name) + getattr(after, name))
    ]
    by_labels = f"; by your labels, {', '.join(judged)}" if judged else "; label turns to judge it"
    return f"{change}: on the {_seconds(heard_ms)} heard so far, {', '.join(parts)}{by_labels}."


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f} s"
