"""When nobody is audible, and when both are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from realtime_nb.analysis.voices import TimeSpan

__all__ = ["LONG_SILENCE_S", "long_silences", "longest_gap", "merged"]

LONG_SILENCE_S = 2.0
"""A longer gap is what users call dead air."""


def merged(*lanes: Iterable[TimeSpan]) -> list[TimeSpan]:
    """Returns where at least one of several lists has a span, in order, none touching the next."""
    found: list[TimeSpan] = []
    for start, end in sorted(span for lane in lanes for span in lane):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def long_silences(audible: Sequence[TimeSpan], end_s: float) -> list[TimeSpan]:
    """Returns gaps of more than two seconds after the first span, up to the end of the session.

    Args:
        audible: where anybody is, as :func:`merged` gives it.
        end_s: where the session ends.
    """
    if not audible:
        return []
    starts = [*(start for start, _ in audible[1:]), end_s]
    gaps = ((end, start) for (_, end), start in zip(audible, starts, strict=True))
    return [(end, start) for end, start in gaps if start - end > LONG_SILENCE_S]


def longest_gap(audible: Sequence[TimeSpan], start_s: float, end_s: float) -> TimeSpan:
    """Returns the longest stretch between two moments in which nobody is audible; an empty one
    where somebody always is."""
    longest, quiet_since = (start_s, start_s), start_s
    for begin, end in [*audible, (end_s, end_s)]:
        if end < start_s:
            continue
        quiet_until = min(begin, end_s)
        if quiet_until - quiet_since > longest[1] - longest[0]:
            longest = (quiet_since, quiet_until)
        quiet_since = max(quiet_since, end)
    return longest
