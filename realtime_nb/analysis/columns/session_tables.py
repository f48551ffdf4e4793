"""Columns of the table of sessions that are kept going at once."""

from __future__ import annotations

from realtime_nb.analysis.columns.column import Column, Table
from realtime_nb.analysis.columns.shared import COUNTED, WIRE

__all__ = ["SESSIONS"]

_MANAGER = "the manager"
_CLOCK = "the manager's clock"
_OPENING = "it is still being opened, or could not be"

SESSIONS = Table(
    "sessions",
    "One row per session of an `rt.SessionManager`, `manager.table()`: those that are open, in the "
    "order in which they were created, and before them the last 100 that ended.",
    (
        Column("session", "text", "Its name.", "whoever created it, or the manager"),
        Column(
            *("state", "text"),
            "`opening`, `open`, `reconnecting`, `closing` or `closed`.",
            "the manager, and the session",
        ),
        Column(
            *("because", "text", "Why it was closed, or ended by itself.", _MANAGER),
            missing="it goes on",
        ),
        Column("endpoint", "text", "The URL of its server.", "the session", missing=_OPENING),
        Column("created", "text", "When it was created, in UTC, by ISO 8601.", _MANAGER),
        Column("age_s", "number", "How long ago that was; of one that ended, until then.", _CLOCK),
        Column(
            *("idle_s", "number"),
            "How long nothing has happened: no speech in the user's audio, no event, no function. "
            "Silence that is sent is nothing, nor is what the server says of itself to silence.",
            _CLOCK,
        ),
        Column(
            *("last_activity", "text"),
            "What happened last: the type of an event, `speech`, `playback`, `tool` or `created`.",
            "the events, the speaker and the functions",
        ),
        *(
            Column(name, "count", meaning, COUNTED, missing=_OPENING, said_unit="count")
            for name, meaning in (
                ("user_messages", "Spoken and typed messages of the user."),
                ("responses", "Responses that were begun."),
                ("function_calls", "Function calls."),
                ("running_calls", "Functions that run now."),
                ("errors", "Errors that the server told, without lost races."),
                ("reconnects", "How often the server began a session anew."),
            )
        ),
        Column(
            *("audio_sent_ms", "number", "The user's audio that was sent.", WIRE),
            missing=_OPENING,
        ),
        Column(
            *("recording", "text", "The folder of its recording.", "the session"),
            missing="nothing is recorded",
        ),
    ),
)
