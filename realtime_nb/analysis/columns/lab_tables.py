"""The scoreboard of a VAD lab."""

from __future__ import annotations

from typing import Literal

from realtime_nb.analysis.columns.column import Column, Table
from realtime_nb.analysis.columns.sweep_tables import FALSE_STARTS, MISSED_TURNS, SPLIT_TURNS

__all__ = ["LAB_SCORES"]

_HERE = "the server, or the state machine of the local server"
_LABELS = "the labels, and the same"
_UNLABELLED = "there are no labels (see attrs['reasons'])"
_NO_WAIT = "no wait is known (see attrs['reasons'])"


def _labelled(name: str, kind: Literal["count", "number"], meaning: str, unit: str) -> Column:
    return Column(name, kind, meaning, _LABELS, _UNLABELLED, said_unit=unit)


LAB_SCORES = Table(
    "lab_scores",
    "One row for the server's own turns and one for each ghost, `rt.VADLab(…).scores()`. Turns, "
    'faults and waits are those of `sweep`; `attrs["reasons"]` tells by row and column why a '
    "figure is missing.",
    (
        Column("name", "text", "`live`: the server's own turns; else the ghost.", "this package"),
        Column("settings", "text", "As code.", "what was asked for"),
        Column(
            *("turns", "count", "Turns that were taken.", _HERE),
            missing="the settings can't be run here",
            said_unit="count",
        ),
        _labelled(
            *("judged_turns", "count"),
            "Those of them that the labels are about: labels by keys are about what the server "
            "took for turns, those by hand about the audio from the first to the last of them. "
            "The others are neither right nor wrong, and are in no figure but `turns`.",
            "count",
        ),
        _labelled("split_turns", "count", SPLIT_TURNS, "count"),
        _labelled("false_starts", "count", FALSE_STARTS, "count"),
        _labelled("missed_turns", "count", MISSED_TURNS, "count"),
        Column(
            *("wait_mean_ms", "number", "Mean of what `wait_p50_ms` is the median of.", "truth"),
            missing=_NO_WAIT,
        ),
        Column(
            *("wait_p50_ms", "number"),
            "The `endpoint_wait_p50_ms` of `sweep`, of the user's turns as labels or, without any, "
            "the reference detector tell them.",
            "truth",
            _NO_WAIT,
        ),
        _labelled(
            *("precision", "number"),
            "The part of the judged turns that are a labelled turn, whole and one to one.",
            "share",
        ),
        _labelled(
            *("recall", "number"),
            "The part of the labelled turns of which one turn was taken, whole and one to one.",
            "share",
        ),
        Column(
            *("truth", "text", "What tells where turns end: `label` or `detector`."),
            "this package",
        ),
        Column(
            *("grey", "flag", "Whether it is not to be trusted: emulator and server disagree."),
            "this package",
        ),
    ),
)
