"""What many definitions have in common: whose word it is, and columns of several tables."""

from __future__ import annotations

from realtime_nb.analysis.columns.column import Column

__all__ = [
    "AUDIO",
    "CLIENT",
    "COUNTED",
    "DERIVED",
    "DEVICE",
    "INTERRUPTED",
    "ITS_TURN",
    "PRICES",
    "RECEIPT",
    "RECORDING",
    "SERVER",
    "SESSION",
    "SPEECH",
    "TURN",
    "WIRE",
    "moment",
]

WIRE = "the events, as recorded"
SERVER = "the server"
DEVICE = "the playing device's reports"
COUNTED = "counted from the events"
RECEIPT = "the session's clock, at the receipt of the server's event"
SESSION = "the session's clock"
SPEECH = "the server, or the offline detector where it can't tell"
CLIENT = "the client, where the function ran"
AUDIO = "the recorded audio"
DERIVED = "this package, from the events"
PRICES = "the server's counts and the table of prices"

RECORDING = Column("recording", "text", "Which recording the row is of.", "its folder's name")
"""The first column of tables of many recordings."""

TURN = Column("turn", "count", "The user's turn, counted from 1.", COUNTED, said_unit="number")
ITS_TURN = Column(
    *("turn", "count", "The user's turn that it belongs to.", COUNTED),
    missing="it belongs to none, as before the user first speaks",
    said_unit="number",
)
INTERRUPTED = Column(
    *("interrupted", "flag", "Whether the answer was cut short by the user or the program."),
    "the server's truncation and cancellation, and the device's reports",
)


def moment(name: str, meaning: str, source: str, missing: str) -> Column:
    """Returns the definition of a moment."""
    return Column(name, "number", meaning, source, missing)
