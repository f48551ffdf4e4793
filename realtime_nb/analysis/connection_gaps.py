"""Where the connection of a session was lost, and what lies across such a gap."""

from __future__ import annotations

import math
from collections.abc import Sequence

from realtime_nb.analysis.table_cells import or_nan
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.protocol.connections import LOST_REASON, Reconnection
from realtime_nb.protocol.conversation import Conversation, Item, Response
from realtime_nb.protocol.records import known_moment

__all__ = [
    "across",
    "audio_lost_ms",
    "ended_s",
    "gap_spans",
    "gap_words",
    "heard_ms",
    "is_broken_off",
    "lost_at_s",
    "lost_spans_ms",
    "told_gaps",
    "was_lost",
]


def gap_spans(conversation: Conversation) -> list[TimeSpan]:
    """Returns when no server heard the user, in seconds; one that never ended has no end."""
    return [
        (gap.lost_s, math.inf if gap.resumed_s is None else gap.resumed_s)
        for gap in conversation.reconnections
    ]


def across(start_s: float, end_s: float, gaps: Sequence[TimeSpan]) -> bool:
    """Tells whether a stretch of time reaches into a gap; of an unknown one, False."""
    return any(start_s < until_s and from_s < end_s for from_s, until_s in gaps)


def audio_lost_ms(conversation: Conversation, gap: Reconnection) -> float:
    """Returns how much of the user's audio no server ever had, or has had so far."""
    if gap.resumed_s is not None:
        return gap.audio_lost_ms
    return max(0.0, conversation.input_ms - gap.lost_from_ms)


def lost_spans_ms(conversation: Conversation) -> list[TimeSpan]:
    """Returns the stretches of the input that no server ever had."""
    return [
        (gap.lost_from_ms, gap.lost_from_ms + audio_lost_ms(conversation, gap))
        for gap in conversation.reconnections
    ]


def was_lost(response: Response | None) -> bool:
    """Tells whether a lost connection cut a response off."""
    return response is not None and response.reason == LOST_REASON


def is_broken_off(conversation: Conversation, item: Item) -> bool:
    """Tells whether a lost connection cut off the response that a message belongs to."""
    return was_lost(conversation.responses.get(item.response_id or ""))


def lost_at_s(conversation: Conversation, response_id: str | None) -> float:
    """Returns when the connection was lost that cut a response off; NaN of any other."""
    gaps = conversation.reconnections
    return next((gap.lost_s for gap in gaps if response_id in gap.cut_response_ids), math.nan)


def ended_s(conversation: Conversation, response: Response) -> float | None:
    """Returns when a response was over: done, or cut off; None while it goes on."""
    if response.done_s is not None or not was_lost(response):
        return response.done_s
    return known_moment(lost_at_s(conversation, response.id))


def heard_ms(conversation: Conversation, gap: Reconnection) -> float:
    """Returns how much was heard of the answers that a gap cut off; NaN where nobody reported."""
    items = [
        conversation.items.get(item_id) or conversation.deleted.get(item_id)
        for response_id in gap.cut_response_ids
        for item_id in conversation.responses[response_id].item_ids
    ]
    spoken = [item for item in items if item is not None and item.audio_ms]
    if spoken and not conversation.playback_known:
        return math.nan
    return math.fsum(or_nan(item.played_ms) for item in spoken if item.played_ms is not None)


def told_gaps(conversation: Conversation) -> list[Reconnection]:
    """Returns the gaps that anybody could notice: not those of connections that were replaced
    between two turns, with nothing lost."""
    return [
        gap
        for gap in conversation.reconnections
        if not gap.planned or gap.resumed_s is None or audio_lost_ms(conversation, gap) >= 0.5
    ]


def gap_words(conversation: Conversation, gap: Reconnection) -> str:
    """Returns what became of a connection, in a few words, for lines and marks."""
    if gap.planned and gap.gap_s is not None:
        return f"connection replaced: {_seconds(gap.gap_s)} gap"
    facts = [] if gap.gap_s is None else [f"{_seconds(gap.gap_s)} gap"]
    lost_ms = audio_lost_ms(conversation, gap)
    if lost_ms >= 0.5:
        facts.append(f"{lost_ms:,.0f} ms of your audio unheard")
    if gap.gave_up is not None:
        facts.append(f"given up: {gap.gave_up.rstrip('.')}")
    elif gap.resumed_s is None:
        facts.append("not regained")
    return f"connection lost: {', '.join(facts)}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 or not seconds else f"{seconds * 1000:.0f} ms"
