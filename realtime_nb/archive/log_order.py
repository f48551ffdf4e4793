"""In which order the events of a log happened, and which of its times can be believed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from realtime_nb.archive.log_lines import LogEntry
from realtime_nb.archive.log_times import over_midnight

__all__ = ["Believed", "Order", "believable", "ids_in", "in_order"]

_JITTER_S = 0.05
"""Lines of several writers may be this much out of order."""

_STARTED, _STOPPED, _COMMITTED = (
    f"input_audio_buffer.{step}" for step in ("speech_started", "speech_stopped", "committed")
)
_CREATED, _DONE = "response.created", "response.done"
_MUST_FOLLOW = {
    _STARTED: {_STOPPED, _COMMITTED},
    _STOPPED: {_COMMITTED},
    _CREATED: {_DONE, "response.*"},
}
"""By the name of an event: others of the same id that can't have come before it."""


class Order(NamedTuple):
    """Entries as they happened, and what there is to say of that.

    ``contradicted``: ids whose events can't have come in this order.
    """

    entries: Sequence[LogEntry]
    note: str | None = None
    contradicted: frozenset[str] = frozenset()


def in_order(entries: Sequence[LogEntry]) -> Order:
    """Puts the entries in the order in which they happened, as far as the log tells it.

    It does by their numbers; else that of the file is it, unless it contradicts what can only come
    after something else, and turning it round, or the times, do not.
    """
    numbers = [entry.seq for entry in entries]
    if None not in numbers and len(set(numbers)) == len(numbers):
        return Order(sorted(entries, key=lambda entry: entry.seq or 0))
    against = _contradicted(entries)
    times = [entry.time_s for entry in entries if entry.time_s is not None]
    if all(entry.axis == "day" for entry in entries):
        times = over_midnight(times)
    falls = len(times) > 1 and times[0] > times[-1] and times == sorted(times, reverse=True)
    turned = entries[::-1]
    if (falls or against) and not _contradicted(turned) and len(entries) > 1:
        return Order(turned, "The log's newest event comes first; it is read from its end.")
    if (against or not _begins(entries)) and len(times) == len(entries):
        for base in (entries, turned):
            by_time = sorted(base, key=lambda entry: entry.time_s or 0.0)
            if not _contradicted(by_time) and (against or _begins(by_time)):
                note = "The log's events do not stand in order; they are taken by their times."
                return Order(by_time, note)
    if not against:
        return Order(entries)
    some = ", ".join(sorted(against)[:5]) + (" and more" if len(against) > 5 else "")
    return Order(
        entries,
        f"The log's events do not stand in the order in which they can have happened ({some}): "
        "what is measured of these is not known.",
        frozenset(against),
    )


def _begins(entries: Sequence[LogEntry]) -> bool:
    """Tells whether the log's sessions stand behind their ``session.created``, if it has any."""
    names = [entry.name for entry in entries if entry.direction == "received"]
    return "session.created" not in names or names[0] == "session.created"


def ids_in(entry: LogEntry) -> Iterator[str]:
    """Yields the ids of the response and of the item that an event is about."""
    event = entry.event
    for name, held in (("response_id", "response"), ("item_id", "item")):
        inner = event.get(held)
        for found in (event.get(name), inner.get("id") if isinstance(inner, dict) else None):
            if isinstance(found, str):
                yield found


def _contradicted(entries: Sequence[LogEntry]) -> set[str]:
    """Returns the ids of which something stands before what it must have followed.

    An id that begins again after it had begun is given to something else.
    """
    seen: dict[str, set[str]] = {}
    found: set[str] = set()
    for entry in entries:
        name = entry.name
        if not name.startswith(("response.", "input_audio_buffer.")) or entry.direction == "sent":
            continue
        about = next(ids_in(entry), None)
        if about is None:
            continue
        before = seen.setdefault(about, set())
        if name in before and name in (_STARTED, _CREATED):
            before.clear()
        if before & _MUST_FOLLOW.get(name, set()):
            found.add(about)
        if _DONE in before and _CREATED not in before:
            found.add(about)
        before.add(name)
        if name.startswith("response.") and name not in (_CREATED, _DONE):
            before.add("response.*")
    return found


# --- times ----------------------------------------------------------------------------------------


class Believed(NamedTuple):
    """Times of events, without those that contradict their order.

    Attributes:
        times_s: NaN where they are not believed.
        set_back: at which events a clock was set back, and by how much.
        stretches: of other events that are in contradiction; each the indices of some of which
            nothing tells the order.
    """

    times_s: Sequence[float]
    set_back: Sequence[tuple[int, float]]
    stretches: Sequence[Sequence[int]]


def believable(times_s: Sequence[float], slack_s: float = 0.0) -> Believed:
    """Returns the times without those that contradict the order of the events.

    Events between which times run back, all of them, have times of which nothing tells the right
    ones. Where a clock was set back, and both what comes before and what comes after is in order,
    nothing later has a time on the axis of what came before.

    Args:
        times_s: in the order of the events; NaN where unknown.
        slack_s: times of a recorder's threads may run back by so much; they are no contradiction.
    """
    kept = list(times_s)
    known = [index for index, t_s in enumerate(times_s) if not math.isnan(t_s)]
    values = [times_s[index] for index in known]
    latest = list(accumulate(values, max))
    soonest = list(accumulate(reversed(values), min))[::-1]
    stretches: list[list[int]] = []
    begin = 0
    for end in range(1, len(values) + 1):
        if end < len(values) and latest[end - 1] > soonest[end] + slack_s:
            continue
        stretch = values[begin:end]
        if len(stretch) > 1 and not _rises(stretch, slack_s):
            step = _set_back(stretch)
            if step is not None:
                first = begin + step
                for index in known[first:]:
                    kept[index] = math.nan
                by_s = stretch[step - 1] - stretch[step]
                return Believed(kept, [(known[first], by_s)], stretches)
            stretches.append(known[begin:end])
            for index in known[begin:end]:
                kept[index] = math.nan
        begin = end
    return Believed(kept, [], stretches)


def _rises(values: Sequence[float], slack_s: float) -> bool:
    latest = list(accumulate(values, max))
    return all(value >= before - slack_s for before, value in zip(latest, values, strict=True))


def _set_back(values: Sequence[float]) -> int | None:
    """Returns where a clock was set back, in a stretch that is in order before and after that."""
    falls = [n for n in range(1, len(values)) if values[n] < values[n - 1]]
    if len(falls) != 1 or values[falls[0] - 1] - values[falls[0]] <= _JITTER_S:
        return None
    return falls[0] if 2 < falls[0] < len(values) - 2 else None
