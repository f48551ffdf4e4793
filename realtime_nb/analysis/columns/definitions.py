"""Every column of every table: what it is, whose word, and when it is missing.

Positions in ms are on the input-sample clock, where the user's audio counts from 0; moments in
seconds count from the beginning of the session. What is not known is missing, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from realtime_nb.analysis.columns.agreement_tables import AGREEMENT
from realtime_nb.analysis.columns.column import Table
from realtime_nb.analysis.columns.connection_tables import RECONNECTIONS
from realtime_nb.analysis.columns.event_tables import CALLS, EVENTS, INTERRUPTIONS, LABELS, USAGE
from realtime_nb.analysis.columns.figure_tables import (
    COMPARED_TURNS,
    COMPARISON,
    COST_TURNS,
    COST_VARIANTS,
    COSTS,
    FINDINGS,
    METRICS,
)
from realtime_nb.analysis.columns.lab_tables import LAB_SCORES
from realtime_nb.analysis.columns.session_tables import SESSIONS
from realtime_nb.analysis.columns.stage_tables import STAGE_COMPARISON, STAGES, WORD_ERRORS
from realtime_nb.analysis.columns.sweep_tables import SWEEP
from realtime_nb.analysis.columns.turn_tables import LATENCIES, SPEECH_TABLE, TURNS

__all__ = ["TABLES"]

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        *(EVENTS, TURNS, CALLS, SPEECH_TABLE, USAGE, LATENCIES, STAGES, RECONNECTIONS),
        *(LABELS, INTERRUPTIONS),
        *(METRICS, FINDINGS, COMPARISON, COMPARED_TURNS, COSTS, COST_TURNS, COST_VARIANTS),
        STAGE_COMPARISON,
        WORD_ERRORS,
        SESSIONS,
        AGREEMENT,
        SWEEP,
        LAB_SCORES,
    )
}
"""All tables by name."""
