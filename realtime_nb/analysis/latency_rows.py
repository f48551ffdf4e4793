"""The rows of the table of latencies, the same of a session that goes on and of its recording."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from realtime_nb.analysis.table_cells import between_ms, or_nan
from realtime_nb.analysis.turn_moments import (
    AUDIO_LOST,
    CONNECTION_LOST,
    LATENCY_PARTS,
    Moments,
)
from realtime_nb.analysis.user_turns import UserTurn

__all__ = ["latency_row", "part_reasons"]

_EDGES = ("speech_end_s", "sent_s", "stop_s", "response_s", "first_audio_s", "played_s")
"""The moments between which the parts lie."""
_OF_THE_ANSWER = (AUDIO_LOST, "no spoken answer", "playback was not reported", CONNECTION_LOST)
"""Notes that say nothing of where speech ended."""
_AWAITED = "it has not come yet"


def latency_row(turn: UserTurn, moments: Moments) -> dict[str, object]:
    """Returns a turn's row of :func:`realtime_nb.analysis.tables.latency`."""
    commit_s = turn.began_s
    ends_s = [or_nan(response.done_s) for response in turn.responses]
    done_s = math.nan if any(map(math.isnan, ends_s)) else max(ends_s, default=math.nan)
    return {
        "turn": turn.number,
        **moments.parts_ms(),
        "latency_note": moments.note,
        "speech_end_source": moments.speech_end_source,
        "capture_source": moments.capture_source,
        "stop_source": moments.stop_source,
        "played_source": _played_source(turn, moments),
        "parts_note": moments.parts_note,
        "speech_end_s": moments.speech_end_s,
        "sent_s": moments.sent_s,
        "stop_s": moments.stop_s,
        "commit_s": commit_s,
        "response_s": moments.response_s,
        "first_audio_s": moments.first_audio_s,
        "played_s": moments.played_s,
        "transcript_ms": between_ms(commit_s, turn.item.transcript_s),
        "answer_ms": between_ms(moments.response_s, done_s),
        "had_calls": bool(turn.calls),
        "interrupted": turn.interrupted,
    }


def _played_source(turn: UserTurn, moments: Moments) -> str | None:
    if math.isnan(moments.played_s):
        return None
    by_server = any(item.played_by == "server" for item in turn.items)
    return "output_audio_buffer" if by_server else "playback"


def part_reasons(row: Mapping[str, Any], *, awaited: bool = False) -> dict[str, str]:
    """Returns what there is to say of single parts of a row: why one is unknown, by its name.

    Args:
        row: of the table; what is missing in it is None or NaN.
        awaited: whether the answer may still come.
    """
    said = dict(
        note.split(": ", 1) for note in (row["parts_note"] or "").split("; ") if ": " in note
    )
    for part, edges in zip(LATENCY_PARTS, pairwise(_EDGES), strict=True):
        if not _missing(row[part]) or part in said:
            continue
        lost = next((edge for edge in edges if _missing(row[edge])), None)
        said[part] = _why(lost, row, awaited) if lost else row["latency_note"] or "unknown"
    return said


def _why(edge: str, row: Mapping[str, Any], awaited: bool) -> str:
    """Returns why a moment is unknown."""
    note = row["latency_note"]
    if note and all(_missing(row[one]) for one in _EDGES[2:]) and not awaited:
        return str(note)
    if edge in ("speech_end_s", "sent_s"):
        if note and note not in _OF_THE_ANSWER:
            return str(note)
        return "when it was sent is unknown"
    if edge == "stop_s":
        return "typed" if note == "typed" else "no end of speech was reported"
    if awaited:
        return _AWAITED
    if edge == "response_s":
        return "there was no response"
    if note in _OF_THE_ANSWER:
        return str(note)
    return _OF_THE_ANSWER[1] if _missing(row["first_audio_s"]) else _OF_THE_ANSWER[2]


def _missing(value: float | None) -> bool:
    return math.isnan(or_nan(value))
