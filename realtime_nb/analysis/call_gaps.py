"""The silences that a user sits through while functions run: each once, whatever ran meanwhile."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realtime_nb.analysis.columns.frames import table_rows
from realtime_nb.analysis.metrics import figures
from realtime_nb.analysis.silences import longest_gap, merged

if TYPE_CHECKING:
    from realtime_nb.analysis.recorded import Recorded

__all__ = ["CallGap", "find_call_gaps", "why_no_gaps"]


@dataclass(frozen=True, slots=True)
class CallGap:
    """What one or several function calls kept the user waiting for.

    Attributes:
        calls: Rows of ``rec.calls`` that one answer followed, or that waited in the same silence.
        silent_from_s, silent_to_s: The longest stretch in which nobody was audible, between the
            whole arguments of the first and the first audio after the last output (that output,
            where no answer followed).
        answered: Whether an answer followed.
    """

    calls: tuple[Any, ...]
    silent_from_s: float
    silent_to_s: float
    answered: bool

    @property
    def silent_s(self) -> float:
        """How long nobody was audible."""
        return self.silent_to_s - self.silent_from_s

    @property
    def slowest(self) -> Any:
        """The call that ran longest; of those of which that is unknown, the last."""
        return max(self.calls, key=lambda call: (_or(call.run_ms, -1.0), call.output_s))


def find_call_gaps(rec: Recorded) -> list[CallGap]:
    """Returns what the calls of a recording kept its user waiting for, in order of time.

    Calls that ran at the same time, or one after the other before the agent spoke, share it. Where
    :func:`why_no_gaps` has a reason, nothing is known of them.
    """
    together: dict[Hashable, list[Any]] = {}
    calls = rec.calls
    for call in table_rows(calls[calls.done_s.notna() & calls.output_s.notna()]):
        resumed_s = _resumed_s(call)
        unanswered = (call.turn, call.response_id)
        key = unanswered if math.isnan(resumed_s) else round(resumed_s, 6)
        together.setdefault(key, []).append(call)
    audible = merged(rec.voices.user, rec.voices.agent)
    gaps = [_gap(calls, audible) for calls in together.values()]
    gaps.sort(key=lambda gap: gap.silent_from_s)
    found: list[CallGap] = []
    for gap in gaps:
        if found and gap.silent_from_s < found[-1].silent_to_s and gap.silent_s > 0:
            gap = _joined(found.pop(), gap)
        found.append(gap)
    return found


def why_no_gaps(rec: Recorded) -> str | None:
    """Returns why it is not known when nobody was audible; None where it is."""
    if not len(rec.sound("output")) and not rec.voices.agent:
        return figures.NO_OUTPUT
    return figures.gap(rec, "output.wav", "input.wav", "times")


def _resumed_s(call: Any) -> float:
    """Returns when the first audio came after a call and those that were answered with it."""
    return float(call.output_s + (call.others_ms + call.resume_ms) / 1000)


def _gap(calls: Sequence[Any], audible: list[tuple[float, float]]) -> CallGap:
    resumed_s = _resumed_s(calls[0])
    until_s = _or(resumed_s, max(call.output_s for call in calls))
    span = longest_gap(audible, min(call.done_s for call in calls), until_s)
    return CallGap(tuple(calls), *span, answered=not math.isnan(resumed_s))


def _joined(first: CallGap, second: CallGap) -> CallGap:
    return CallGap(
        first.calls + second.calls,
        first.silent_from_s,
        max(first.silent_to_s, second.silent_to_s),
        first.answered or second.answered,
    )


def _or(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else float(value)
