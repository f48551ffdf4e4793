"""What settings did to each turn that was labelled: the definitions that the table of a sweep
counts and the sentences of `explain` speak of.

A turn that detection took is *of* a labelled turn where its speech overlaps it. Detection decides
that a turn is over at ``audio_end_ms``, when its silence has been heard out.

=============  =====================================================================================
missed         no turn that was taken is of it
split          its end was decided before it was over: an answer would have cut the user off
merged         the turn that it ends in goes on with the next labelled turn: it got no answer
false start    a turn that was taken, and is of no labelled turn
endpoint wait  from the labelled end to the decision of the last turn taken of it; not known where
               it was missed, merged, not taken up again after it was split, or the audio ends first
missed speech  what of a labelled turn lies before the audio of the first turn that is of it, or
               after that of the last; of a missed turn, all
onset error    where the first turn of it heard speech begin, less where it is labelled to begin
end error      where the last turn of it heard speech end, less where it is labelled to end
=============  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.what_if.taken_turns import Flags, Numbers, Taken
from realtime_nb.analysis.what_if.true_turns import TrueTurn

__all__ = ["Bounds", "Outcomes", "judge", "waits_after_voice"]

Counts = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Labelled turns as arrays, in order; an onset that nobody told is NaN in ``told_ms``."""

    start_ms: Numbers
    end_ms: Numbers
    told_ms: Numbers

    @classmethod
    def of(cls, turns: Sequence[TrueTurn]) -> Bounds:
        """Returns labelled turns as arrays."""
        start = np.array([turn.start_ms for turn in turns], np.float64)
        end = np.array([turn.end_ms for turn in turns], np.float64)
        told = np.array([turn.onset_told for turn in turns], np.bool_)
        return cls(start, end, np.where(told, start, np.nan))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the labelled turns, a place in each array for every one; see the head of this
    module.

    Attributes:
        first, count: the turns taken that are of it: the number of the first, and how many.
        false_start: of each turn taken, whether it is one.
    """

    first: Counts
    count: Counts
    missed: Flags
    split: Flags
    merged: Flags
    wait_ms: Numbers
    missed_speech_ms: Numbers
    onset_error_ms: Numbers
    end_error_ms: Numbers
    false_start: Flags


def judge(taken: Taken, truth: Bounds) -> Outcomes:
    """Returns what became of labelled turns under the settings that took these turns."""
    first = np.searchsorted(taken.offset_ms, truth.start_ms, "right")
    after = np.searchsorted(taken.onset_ms, truth.end_ms, "left")
    count = np.maximum(after - first, 0)
    missed = count == 0
    if not len(taken):
        unknown = np.full(len(first), np.nan)
        none = np.zeros(len(first), np.bool_)
        lengths = truth.end_ms - truth.start_ms
        return Outcomes(
            *(first, count, missed, none, none, unknown, lengths, unknown, unknown),
            np.zeros(0, np.bool_),
        )
    begin, last = np.minimum(first, len(taken) - 1), np.maximum(after - 1, 0)
    split = ~missed & (taken.end_ms[begin] < truth.end_ms)
    merged = np.zeros(len(first), np.bool_)
    merged[:-1] = ~missed[:-1] & ~missed[1:] & (last[:-1] == first[1:])
    wait = taken.end_ms[last] - truth.end_ms
    known = ~(missed | merged | taken.cut[last]) & (wait >= 0)
    head = np.clip(taken.start_ms[begin] - truth.start_ms, 0, None)
    tail = np.clip(truth.end_ms - taken.end_ms[last], 0, None)
    return Outcomes(
        first=first,
        count=count,
        missed=missed,
        split=split,
        merged=merged,
        wait_ms=np.where(known, wait, np.nan),
        missed_speech_ms=np.where(missed, truth.end_ms - truth.start_ms, head + tail),
        onset_error_ms=np.where(missed, np.nan, taken.onset_ms[begin] - truth.told_ms),
        end_error_ms=np.where(missed | merged, np.nan, taken.offset_ms[last] - truth.end_ms),
        false_start=_of_none(taken, truth),
    )


def _of_none(taken: Taken, truth: Bounds) -> Flags:
    """Tells of each turn taken whether it is of no labelled one."""
    next_turn = np.searchsorted(truth.end_ms, taken.onset_ms, "right")
    starts = np.append(truth.start_ms, np.inf)
    flags: Flags = starts[next_turn] >= taken.offset_ms
    return flags


def waits_after_voice(taken: Taken, voice_ends_ms: Numbers) -> Numbers:
    """Returns how long each turn waited after the last voice in it ended; NaN where none did, or
    the audio ended first.

    Args:
        taken: the turns.
        voice_ends_ms: where the offline detector hears voices end, in order.
    """
    if not len(voice_ends_ms):
        return np.full(len(taken), np.nan)
    index = np.searchsorted(voice_ends_ms, taken.end_ms, "right") - 1
    ends = voice_ends_ms[np.maximum(index, 0)]
    known = (index >= 0) & (ends > taken.onset_ms) & ~taken.cut
    return np.where(known, taken.end_ms - ends, np.nan)
