"""Sessions that ran at another pace than life's: what of them is no measure of time.

``pace=4`` makes the local server's clock, and with it the microphone, the speaker and all windows
of silence, run four times as fast. Engines and functions take what they take: on that clock, four
times as much. Where speech begins and ends is as true as ever; how long somebody thought is not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from realtime_nb.analysis.table_cells import or_nan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ENGINE_METRICS", "at_pace", "pace_note", "row_at_pace"]

ENGINE_METRICS = (
    *("latency_ms", "latency_undisturbed_ms", "latency_interrupted_ms"),
    *("latency_first_turn_ms", "latency_with_calls_ms"),
    *("commit_wait_ms", "model_first_audio_ms", "playout_ms"),
    *("first_audio_ms", "update_to_first_audio_ms"),
    *("session_created_ms", "session_updated_ms", "answer_ms", "transcript_ms"),
    *("tool_decide_ms", "tool_queue_ms", "tool_run_ms", "tool_send_ms", "tool_others_ms"),
    "tool_resume_ms",
    "silent_tool_gap_ms",
)
"""The metrics that are measured while something is computed."""

_ENGINE_COLUMNS = (
    *("latency_ms", "commit_wait_ms", "model_first_audio_ms", "playout_ms"),
    *("transcript_ms", "answer_ms"),
    *("decide_ms", "queue_ms", "run_ms", "send_ms", "others_ms", "resume_ms"),
)
_NOTES = {
    **{"latency_note": "latency_ms", "queue_note": "queue_ms", "run_note": "run_ms"},
    "resume_note": "resume_ms",
}


def pace_note(header: Mapping[str, Any]) -> str | None:
    """Returns why a session's times are no measure, by its header; None where they are one."""
    speed = header.get("speed", 1)
    if not isinstance(speed, int | float) or speed == 1:
        return None
    return f"the session ran at {speed:g} times the speed of life, and its engines did not"


def at_pace(table: pd.DataFrame, header: Mapping[str, Any]) -> pd.DataFrame:
    """Returns a table of turns or calls without the durations that are no measure."""
    note = pace_note(header)
    if note is None:
        return table
    for notes, column in _NOTES.items():
        if notes in table:
            table.loc[table[column].notna(), notes] = note
    known = [column for column in _ENGINE_COLUMNS if column in table]
    table[known] = math.nan
    return table


def row_at_pace(row: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row of such a table likewise."""
    note = pace_note(header)
    if note is None:
        return dict(row)
    notes = {
        name: note for name, column in _NOTES.items() if not math.isnan(or_nan(row.get(column)))
    }
    return {**row, **notes, **{name: math.nan for name in _ENGINE_COLUMNS if name in row}}
