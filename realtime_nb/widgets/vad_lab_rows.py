"""What a lab's page draws and lists, as plain JSON: rows of turns, probabilities, scores."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.columns.lab_tables import LAB_SCORES
from realtime_nb.analysis.vad_lab.lab import CANDIDATE, TurnLab
from realtime_nb.analysis.vad_lab.scores import LabScore
from realtime_nb.analysis.vad_lab.track import Frames
from realtime_nb.protocol.turn_detection import SERVER_VAD
from realtime_nb.protocol.turns import FRAME_MS
from realtime_nb.protocol.words import counted

__all__ = [
    "COLUMNS",
    "Pauses",
    "Turns",
    "changed_turns",
    "has_server",
    "judged_pauses",
    "known_columns",
    "lab_rows",
    "probability_bytes",
    "row_turns",
    "settings_words",
]

Turns = list[tuple[int, int | None, int | None, int]]
"""Beginning, onset, offset and end of each, in whole ms of the input; None where nothing tells."""

_MEANING = {column.name: column.meaning for column in LAB_SCORES.columns}
Pauses = list[tuple[int, float, bool]]
"""Where a pause counts, in whole ms of the input, how likely the turn is over by a turn model, and
whether it ends there."""

COLUMNS = tuple(
    (label, name, _MEANING[name])
    for label, name in (
        ("turns", "turns"),
        ("split", "split_turns"),
        ("false", "false_starts"),
        ("missed", "missed_turns"),
        ("wait ms", "wait_p50_ms"),
        ("precision", "precision"),
        ("recall", "recall"),
    )
)
"""Of the scoreboard: name, the score's attribute, what it means."""

_GHOST = "ghost "


def lab_rows(lab: TurnLab, scores: Sequence[LabScore]) -> list[dict[str, Any]]:
    """Returns the rows of turns, from the top: the server, its emulator, the truth, the ghosts.

    Args:
        lab: The lab.
        scores: What :meth:`TurnLab.scores` gave last.
    """
    by_name = {score.name: score for score in scores}
    rows = []
    if has_server(lab):
        in_force = settings_words(lab.detection)
        rows.append(_row("server", "server", "server", in_force, by_name.get("live")))
        rows.append(_row("live", "emulator", "live", "", None))
    rows.append(_row("truth", "labels" if lab.labels else "voice", "truth", "", None))
    for name, ghost in lab.ghosts.items():
        kind = "yours" if name == CANDIDATE else "ghost"
        words = settings_words(ghost.detection)
        rows.append(_row(f"{_GHOST}{name}", name, kind, words, by_name.get(name)))
    return rows


def settings_words(detection: Mapping[str, Any] | None) -> str:
    """Returns settings of turn detection so short that they fit below a name."""
    if detection is None:
        return "push-to-talk"
    if detection.get("type", "server_vad") != "server_vad":
        return f"semantic, {detection.get('eagerness', 'auto')}"
    threshold, silence_ms, padding_ms = (
        detection.get(name, SERVER_VAD[name].usual)
        for name in ("threshold", "silence_duration_ms", "prefix_padding_ms")
    )
    return f"{threshold:.2f} · {silence_ms} ms · pad {padding_ms}"


def known_columns(scores: Sequence[LabScore]) -> list[tuple[str, str, str]]:
    """Returns the columns in which there is a figure."""
    return [
        column
        for column in COLUMNS
        if any(not math.isnan(float(getattr(score, column[1]))) for score in scores)
    ]


def row_turns(lab: TurnLab, row_id: str, since_ms: float = 0.0) -> Turns:
    """Returns the turns of a row that end after a position."""
    if row_id == "server":
        return [
            _turn(
                one.start_ms,
                one.onset_ms,
                one.offset_ms,
                lab.now_ms if one.end_ms is None else one.end_ms,
            )
            for one in lab.server_spans(since_ms)
        ]
    if row_id == "truth":
        return _truth(lab, since_ms)
    name = row_id.removeprefix(_GHOST)
    spans = lab.live_spans(since_ms) if row_id == "live" else lab.ghost_spans(name, since_ms)
    return [_turn(one.start_ms, one.onset_ms, one.offset_ms, one.end_ms) for one in spans]


def judged_pauses(lab: TurnLab) -> Pauses:
    """Returns what a turn model said at pauses, where it is asked: ``semantic_vad`` is in force, or
    a ghost's. Those of which it said nothing are left out."""
    if not lab.is_judged:
        return []
    return [
        (round(one.at_ms), round(one.probability, 2), one.complete)
        for one in lab.completions()
        if not math.isnan(one.probability)
    ]


def changed_turns(told: Turns, fresh: Turns, since_ms: float) -> tuple[int, Turns] | None:
    """Returns from which turn on a page has to be told others, and those; None for nothing.

    Args:
        told: What the page knows.
        fresh: The turns that end after ``since_ms`` now; those before it have not changed.
        since_ms: A position.
    """
    kept = bisect_right(told, since_ms, key=itemgetter(3))
    fresh = [turn for turn in fresh if turn[3] > since_ms]
    old = told[kept:]
    if old == fresh:
        return None
    same = next(
        (n for n, (one, other) in enumerate(zip(old, fresh, strict=False)) if one != other),
        min(len(old), len(fresh)),
    )
    return kept + same, fresh[same:]


def probability_bytes(frames: Frames, expected: int | None) -> tuple[int, bytes]:
    """Returns the probabilities as bytes, one for each 32 ms of the input, and where they begin.

    A detector that begins anew begins its frames elsewhere: what lies between is silence, and what
    lies on a frame that is there already is left out.

    Args:
        frames: What is new.
        expected: The number of the frame that a page waits for; None: it has none.
    """
    places: npt.NDArray[np.int64] = np.floor(frames.start_ms / FRAME_MS + 1e-6).astype(np.int64)
    values = np.rint(np.clip(frames.probabilities, 0, 1) * 255).astype(np.uint8)
    if not len(places):
        return expected or 0, b""
    first = int(places[0]) if expected is None else expected
    filled = np.zeros(max(0, int(places.max()) + 1 - first), np.uint8)
    fits = places >= first
    filled[places[fits] - first] = values[fits]
    return first, filled.tobytes()


def has_server(lab: TurnLab) -> bool:
    """Tells whether a server listened, as none does to bare audio."""
    return bool(lab.detection is not None or lab.settings.marks or lab.server_spans())


def _row(row_id: str, name: str, kind: str, words: str, score: LabScore | None) -> dict[str, Any]:
    shown = {"id": row_id, "name": name, "kind": kind, "words": words}
    if score is None:
        return {**shown, "grey": False, "judged": "", "cells": {}, "notes": {}}
    notes = {label: score.reasons.get(name, "") for label, name, _ in COLUMNS}
    cells = {label: _cell(name, float(getattr(score, name))) for label, name, _ in COLUMNS}
    judged = _judged_words(score)
    return {**shown, "grey": score.grey, "judged": judged, "cells": cells, "notes": notes}


def _judged_words(score: LabScore) -> str:
    """Returns of how many turns is known whether they are right, where that isn't all of them."""
    if math.isnan(score.judged_turns) or score.judged_turns == score.turns:
        return ""
    return f"judged: {score.judged_turns:.0f} of {counted(int(score.turns), 'turn')}"


def _cell(name: str, value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.0%}" if name in ("precision", "recall") else f"{value:,.0f}"


def _truth(lab: TurnLab, since_ms: float) -> Turns:
    if not lab.labels:
        return [_turn(start, start, end, end) for start, end in lab.voiced_ms(since_ms)]
    known = [(start_ms, min(end_ms, lab.now_ms)) for start_ms, end_ms in lab.true_spans()]
    return [_turn(start, start, end, end) for start, end in known if end > since_ms]


def _turn(
    start_ms: float, onset_ms: float | None, offset_ms: float | None, end_ms: float
) -> tuple[int, int | None, int | None, int]:
    known = None if onset_ms is None or offset_ms is None else (round(onset_ms), round(offset_ms))
    return (round(start_ms), *(known or (None, None)), round(end_ms))
