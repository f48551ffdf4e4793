"""Columns of the table of lost connections."""

from __future__ import annotations

from realtime_nb.analysis.columns.column import Column, Table
from realtime_nb.analysis.columns.shared import COUNTED, DERIVED, DEVICE, SESSION, moment

__all__ = ["RECONNECTIONS"]

_REPORTS = "the session's reports of its connection"
_GONE = "the connection was never regained"
_UNTOLD = "the connection was never regained, or lost again before all was told"

RECONNECTIONS = Table(
    "reconnections",
    "One row per loss of the connection, `rec.reconnections`, in order of time. A connection that "
    "was replaced before its server ended it has one, too.",
    (
        Column("gap", "count", "Which loss, counted from 1.", COUNTED, said_unit="number"),
        Column(
            *("outcome", "text"),
            "`reconnected`; `replaced`, on purpose and between turns; `given up`; `not regained`: "
            "the session ended while it tried to come back.",
            DERIVED,
        ),
        moment("lost_s", "When it was lost.", SESSION, ""),
        moment("resumed_s", "When a server heard the user again.", SESSION, _GONE),
        moment("reconnected_s", "When all was restored that can be.", SESSION, _UNTOLD),
        Column(
            *("gap_s", "number", "How long no server heard the user."),
            SESSION,
            missing=_GONE,
            notes=("note",),
        ),
        Column(
            *("audio_lost_ms", "number"),
            "How much of the user's audio no server ever had, silence included. It is in "
            "`input.wav`.",
            _REPORTS,
        ),
        Column(
            *("speech_lost_ms", "number", "How much of that is speech."),
            "the offline detector",
            missing="there is no input audio",
            notes=("note",),
        ),
        Column("lost_from_ms", "number", "Where in the input it begins.", _REPORTS),
        Column("user_cut_off", "flag", "Whether the user was speaking.", DERIVED),
        Column("cut_response_ids", "list", "The answers that were cut off.", DERIVED),
        Column(
            *("cut_heard_ms", "number", "How much of their audio was heard.", DEVICE),
            missing="no answer was cut off, or playback was not reported",
        ),
        Column(
            *("items_restored", "count", "Items that the new session was told, and confirmed."),
            COUNTED,
            missing=_UNTOLD,
            said_unit="count",
            notes=("note",),
        ),
        Column(
            *("items_not_restored", "count", "Items from before that it does not know."),
            COUNTED,
            missing=_UNTOLD,
            said_unit="count",
            notes=("note",),
        ),
        Column("not_restored", "object", "Why not, and how many each.", DERIVED),
        Column("attempts", "count", "How often it was tried.", _REPORTS, said_unit="count"),
        Column(
            *("close_code", "count", "With which code it ended."),
            _REPORTS,
            missing="nothing told",
            said_unit="number",
        ),
        Column(
            *("reason", "text", "Why it was given up, or else why it was lost."),
            _REPORTS,
            missing="nothing told",
        ),
        Column("note", "text", "What is missing, and why.", DERIVED, missing="nothing is"),
    ),
)
