"""Rules about the connection: when it was lost, and what that cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from realtime_nb.analysis.columns.frames import table_rows
from realtime_nb.analysis.findings.evidence import Evidence, Finding, Rule, Severity, seconds
from realtime_nb.protocol.words import counted, shortened

__all__ = ["CONNECTION_RULES"]

_SUGGESTIONS = {
    "given up": "check the network and the server; rt.Reconnect(budget_s=…) tries for longer",
    "not regained": "close sessions when they are back, or give them longer",
    "reconnected": "check the network and the server; rt.Reconnect(spoken=…) tells the user that "
    "what they said was lost",
}


def lost_connections(evidence: Evidence) -> Iterator[Finding]:
    """Yields losses of the connection; not those that were planned and cost nothing."""
    for row in table_rows(evidence.rec.reconnections):
        cost = list(_cost(evidence, row))
        if row.outcome == "replaced" and not cost:
            continue
        verb = "replaced" if row.outcome == "replaced" else "lost"
        facts = [*_gap(row), *cost]
        known_end = row.resumed_s == row.resumed_s
        yield evidence.finding(
            "connection-lost",
            _severity(row, cost),
            (row.lost_s, row.resumed_s if known_end else evidence.rec.duration_s),
            f"connection {verb} at {row.lost_s:.1f} s: {', '.join(facts)}",
            of=row.cut_response_ids,
            suggestion=_SUGGESTIONS.get(row.outcome, ""),
            gap=row.gap,
            outcome=row.outcome,
            gap_s=row.gap_s,
            audio_lost_ms=row.audio_lost_ms,
            speech_lost_ms=row.speech_lost_ms,
            response_ids=row.cut_response_ids,
            close_code=row.close_code,
            reason=row.reason,
        )


def _severity(row: Any, cost: list[str]) -> Severity:
    if row.outcome == "given up":
        return "error"
    return "warning" if cost or row.outcome == "not regained" else "note"


def _gap(row: Any) -> Iterator[str]:
    if row.outcome == "given up":
        tries = f" after {counted(row.attempts, 'attempt')}" if row.attempts else ""
        yield f"given up{tries}: {(row.reason or 'no reason given').rstrip('.')}"
    elif row.outcome == "not regained":
        yield "the session ended before it was regained"
    else:
        yield f"{seconds(row.gap_s * 1000)} gap"


def _cost(evidence: Evidence, row: Any) -> Iterator[str]:
    """Yields what was lost with it."""
    if row.user_cut_off:
        yield "the user was cut off"
    if row.speech_lost_ms >= 1:
        yield f"{row.speech_lost_ms:,.0f} ms of speech no server heard"
    elif row.speech_lost_ms != row.speech_lost_ms and row.audio_lost_ms >= 1:
        yield f"{row.audio_lost_ms:,.0f} ms of the user's audio no server heard"
    if row.cut_response_ids:
        yield f"{_answers(evidence, row)} cut off{_heard(row.cut_heard_ms)}"
    if row.items_not_restored:
        missing = counted(row.items_not_restored, "item")
        yield f"{missing} of the conversation could not be restored"


def _answers(evidence: Evidence, row: Any) -> str:
    if len(row.cut_response_ids) > 1:
        return f"{len(row.cut_response_ids)} answers were"
    conversation = evidence.conversation
    ids = conversation.responses[row.cut_response_ids[0]].item_ids
    items = [conversation.items.get(one) or conversation.deleted.get(one) for one in ids]
    text = " ".join(item.text for item in items if item is not None and item.text)
    return f"the answer {shortened(text, 60)!r} was" if text else "an answer was"


def _heard(ms: float) -> str:
    if ms != ms:
        return "; how much of it was heard is unknown"
    return f" after {seconds(ms)} heard" if ms else " before any of it was heard"


CONNECTION_RULES: tuple[Rule, ...] = (lost_connections,)
