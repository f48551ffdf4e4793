"""The table of a session's lost connections: how long each was gone, and what that cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.connection_gaps import audio_lost_ms, heard_ms
from realtime_nb.analysis.table_cells import or_nan
from realtime_nb.analysis.voices import Voices, common_spans, spans_length
from realtime_nb.protocol.connections import Reconnection
from realtime_nb.protocol.conversation import Conversation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["reconnections"]

Outcome = Literal["reconnected", "replaced", "given up", "not regained"]


def reconnections(conversation: Conversation, voices: Voices | None = None) -> pd.DataFrame:
    """Returns one row per loss of the connection, in order of time.

    A connection that was replaced on purpose, before its server ended it, has a row, too.

    Args:
        conversation: the session.
        voices: what the offline detector hears, if there is input audio.
    """
    gaps = enumerate(conversation.reconnections, start=1)
    return frame("reconnections", [_row(conversation, *gap, voices) for gap in gaps])


def _row(
    conversation: Conversation, number: int, gap: Reconnection, voices: Voices | None
) -> dict[str, object]:
    lost_ms = audio_lost_ms(conversation, gap)
    speech_ms = math.nan
    if voices is not None or not lost_ms:
        lost = [(gap.lost_from_ms, gap.lost_from_ms + lost_ms)]
        speech_ms = spans_length(common_spans(voices.user_ms, lost)) if voices else 0.0
    told = gap.reconnected_s is not None
    return {
        "gap": number,
        "outcome": _outcome(gap),
        "lost_s": gap.lost_s,
        "resumed_s": or_nan(gap.resumed_s),
        "reconnected_s": or_nan(gap.reconnected_s),
        "gap_s": or_nan(gap.gap_s),
        "audio_lost_ms": lost_ms,
        "speech_lost_ms": speech_ms,
        "lost_from_ms": gap.lost_from_ms,
        "user_cut_off": gap.user_cut_off,
        "cut_response_ids": gap.cut_response_ids,
        "cut_heard_ms": heard_ms(conversation, gap) if gap.cut_response_ids else math.nan,
        "items_restored": len(gap.restored) if told else None,
        "items_not_restored": len(gap.not_restored) if told else None,
        "not_restored": dict(gap.reasons),
        "attempts": gap.attempts,
        "close_code": gap.code,
        "reason": gap.gave_up or gap.reason or None,
        "note": _note(gap, voices is None and lost_ms > 0),
    }


def _outcome(gap: Reconnection) -> Outcome:
    if gap.gave_up is not None:
        return "given up"
    if gap.resumed_s is None:
        return "not regained"
    return "replaced" if gap.planned else "reconnected"


def _note(gap: Reconnection, unheard: bool) -> str | None:
    notes = []
    if gap.gave_up is not None:
        notes.append("the connection was never regained: it was given up")
    elif gap.resumed_s is None:
        notes.append("the connection was never regained: the session ended before")
    elif gap.reconnected_s is None:
        notes.append("the session ended, or the connection was lost again, while it was restored")
    if unheard:
        notes.append("speech_lost_ms: there is no input audio")
    return "; ".join(notes) or None
