"""Which of the events of a log are of which session."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from realtime_nb.archive.log_lines import LogEntry
from realtime_nb.archive.log_order import ids_in

__all__ = ["Sessions", "sessions_in"]

_OPENING = {
    *("response.created", "response.output_item.added", "conversation.item.added"),
    *("conversation.item.created", "input_audio_buffer.speech_started"),
    "input_audio_buffer.committed",
}


class Sessions(NamedTuple):
    """The sessions of a log, in the order in which they began.

    Attributes:
        parts: the entries of each.
        apart: whether events of several stand between each other, so that the log as a whole is of
            none.
        mixed: why they can't be told apart; None where they can.
    """

    parts: Sequence[Sequence[LogEntry]]
    apart: bool = False
    mixed: str | None = None


def sessions_in(entries: Sequence[LogEntry]) -> Sessions:
    """Tells the sessions of a log apart.

    By what the log says beside each event; else each ``session.created`` begins one. Where events
    of one go on after another has begun, only what the log says beside them can tell.
    """
    by_name = _by_name(entries)
    if by_name is not None:
        return by_name
    begins = [index for index, entry in enumerate(entries) if entry.name == "session.created"]
    edges = [0, *begins[1:], len(entries)]
    parts = [entries[start:end] for start, end in pairwise(edges)]
    return Sessions(parts, mixed=_why_mixed(parts))


def _by_name(entries: Sequence[LogEntry]) -> Sessions | None:
    """Returns the sessions where the log names that of each event; None where it does not."""
    parts: dict[str, list[LogEntry]] = {}
    changes = 0
    before = None
    for entry in entries:
        if entry.session is None:
            return None
        parts.setdefault(entry.session, []).append(entry)
        changes += before not in (None, entry.session)
        before = entry.session
    began = [part for part in parts.values() if any(e.name == "session.created" for e in part)]
    if len(parts) < 2 or len(began) < len(parts):
        return None
    if any(sum(entry.name == "session.created" for entry in part) > 1 for part in began):
        return None
    return Sessions(began, apart=changes >= len(parts))


def _why_mixed(parts: Sequence[Sequence[LogEntry]]) -> str | None:
    """Returns what shows that a part holds events of another session; None where nothing does."""
    former: set[str] = set()
    for part in parts:
        opened: set[str] = set()
        conversations: set[str] = set()
        sessions: set[str] = set()
        for entry in part:
            if entry.direction == "sent":
                continue
            ids = set(ids_in(entry))
            if entry.name in _OPENING:
                opened |= ids
            strange = sorted((ids & former) - opened)
            if strange:
                return f"{strange[0]} goes on after another session has begun"
            opened |= ids
            conversations |= _told(entry, "response", "conversation_id")
            sessions |= _told(entry, "session", "id")
        if len(conversations) > 1:
            return "responses of two conversations stand between each other"
        if len(sessions) > 1:
            return "two sessions are configured in turn"
        former |= opened
    return None


def _told(entry: LogEntry, holder: str, key: str) -> set[str]:
    held = entry.event.get(holder)
    value = held.get(key) if isinstance(held, dict) else None
    return {value} if isinstance(value, str) else set()
