"""How long each answer took, between the rows of a transcript."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from realtime_nb.analysis.transcript import TranscriptRow
from realtime_nb.analysis.turn_moments import Moments
from realtime_nb.analysis.user_turns import UserTurn

__all__ = ["with_latencies"]


def with_latencies(
    rows: Sequence[TranscriptRow], timed: Iterable[tuple[UserTurn, Moments]]
) -> list[TranscriptRow]:
    """Returns the rows of a transcript, and before each answer that was heard a row with its
    latency.

    Of an answer to spoken words it is there also where it is unknown, with the reason; to typed
    ones there is none.
    """
    before = dict(filter(None, map(_latency, timed)))
    found: list[TranscriptRow] = []
    for row in rows:
        if row.id in before:
            found.append(before[row.id])
        found.append(row)
    return found


def _latency(timed: tuple[UserTurn, Moments]) -> tuple[str, TranscriptRow] | None:
    """Returns a latency and the id of what it stands before."""
    turn, moments = timed
    heard = next((item for item in turn.items if item.played_s is not None), None)
    if heard is None or turn.source == "typed":
        return None
    known = not math.isnan(moments.latency_ms)
    return heard.id, TranscriptRow(
        f"latency {heard.id}",
        "latency",
        note=("with calls" if turn.calls else "") if known else moments.note or "unknown",
        duration_ms=moments.latency_ms if known else None,
    )
