"""Which words were said when."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

from realtime_nb.analysis.transcript import TranscriptRow, transcript_rows
from realtime_nb.protocol.conversation import Conversation, Item
from realtime_nb.protocol.input_clock import InputClock

__all__ = ["Said", "item_span", "said"]


class Said(NamedTuple):
    """Words, who said them, and from when to when, in seconds since the session began."""

    start_s: float
    end_s: float
    who: Literal["user", "agent"]
    text: str


def said(conversation: Conversation, clock: InputClock) -> Iterator[Said]:
    """Yields what was said aloud, each message in one piece, in the conversation's order.

    Of an answer that was cut, what was not heard is told as such, and its time is that of its whole
    audio. Messages of which nothing tells when they were heard are left out, and those of a long
    conversation's beginning.
    """
    for row in transcript_rows(conversation):
        item = conversation.items.get(row.id)
        if item is None or row.kind not in ("user", "agent") or not (row.text or row.unheard):
            continue
        who: Literal["user", "agent"] = "user" if row.kind == "user" else "agent"
        begin_s, end_s = item_span(conversation, clock, item)
        if who == "agent":
            begin_s, end_s = _whole_answer(item, begin_s)
        if end_s > begin_s:  # NaN is not
            yield Said(begin_s, end_s, who, _words(row))


def item_span(conversation: Conversation, clock: InputClock, item: Item) -> tuple[float, float]:
    """Returns when an item was heard, or came about; NaN where that is unknown."""
    call = conversation.calls.get(item.call_id or "")
    if call is not None:
        return _first(call.done_s, call.started_s), _first(call.output_s, call.done_s)
    heard = next((one for one in conversation.speech if one.item_id == item.id), None)
    if heard is not None:
        # What is reported holds the speech, whose own boundaries may be unknown.
        start_ms = heard.audio_start_ms if heard.onset_ms is None else heard.onset_ms
        end_ms = heard.audio_end_ms if heard.offset_ms is None else heard.offset_ms
        start_s, end_s = clock.wall(start_ms), math.nan if end_ms is None else clock.wall(end_ms)
        if not math.isnan(start_s):
            return start_s, _first(_known(end_s), item.committed_s)
    begin_s = _first(item.played_s, item.committed_s, item.added_s)
    if item.played_s is None:
        return begin_s, begin_s
    length_ms = item.audio_ms if item.played_ms is None else item.played_ms
    return begin_s, _first(item.stopped_s, begin_s + length_ms / 1000)


def _whole_answer(item: Item, begin_s: float) -> tuple[float, float]:
    """Returns from when to when all of an answer's audio is drawn."""
    if item.played_s is None and item.first_audio_s is not None:
        begin_s = item.first_audio_s
    return begin_s, begin_s + item.audio_ms / 1000


def _words(row: TranscriptRow) -> str:
    if not row.unheard:
        return row.text
    return f"{row.text} [not heard: {row.unheard}]".lstrip()


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _first(*moments: float | None) -> float:
    """Returns the first that is known; NaN if none is."""
    return next((moment for moment in moments if moment is not None), math.nan)
