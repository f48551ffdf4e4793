"""The table of a server and an emulator of its turn detection."""

from __future__ import annotations

from realtime_nb.analysis.columns.column import Column, Table
from realtime_nb.analysis.columns.shared import COUNTED, DERIVED, SERVER

__all__ = ["AGREEMENT"]

_EMULATOR = "the emulator, from the same audio"
_NOT_BOTH = "only one of them heard it, or one does not tell"

AGREEMENT = Table(
    "agreement",
    "One row per turn that either heard, `(await rt.verify(rec)).table`.",
    (
        Column("turn", "count", "The turn, counted from 1 by time.", COUNTED, said_unit="number"),
        Column("heard_by", "text", "`both`, `server` or `emulator`.", DERIVED),
        Column(
            *("agrees", "flag"),
            "Whether both heard it from and until the same moment, within the tolerance, after the "
            "offset of their clocks is taken off.",
            DERIVED,
        ),
        Column(
            *("server_start_ms", "number", "Where it begins, padding included.", SERVER),
            missing="only the emulator heard it",
        ),
        Column(
            *("server_end_ms", "number", "Where it ends, closing silence included.", SERVER),
            missing="only the emulator heard it, or the server heard no end of it",
        ),
        Column(
            *("emulator_start_ms", "number", "Where it begins, padding included.", _EMULATOR),
            missing="only the server heard it",
        ),
        Column(
            *("emulator_end_ms", "number", "Where it ends, closing silence included.", _EMULATOR),
            missing="only the server heard it, the emulator heard no end of it, or the settings "
            "don't tell where turns end",
        ),
        Column(
            *("start_difference_ms", "number", "The server's start less the emulator's.", DERIVED),
            missing=_NOT_BOTH,
        ),
        Column(
            *("end_difference_ms", "number", "The server's end less the emulator's.", DERIVED),
            missing=_NOT_BOTH,
        ),
    ),
)
