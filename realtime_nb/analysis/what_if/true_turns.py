"""Where turns really were: what a person says of a recording, in whatever form it is given.

A label is one turn, with the pauses in it. Positions are those of the user's audio, from 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.turn_moments import SPEECH_END_LABEL
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.input_clock import InputClock

__all__ = ["SPEECH_START_LABEL", "TrueTurn", "checked_turns", "given_turns", "marked_turns"]

SPEECH_START_LABEL = "speech start"
"""A mark of this text says where a turn of the user began; ``speech end``, where it ended."""

_SLACK_MS = 50.0
"""Labels are drawn by hand and rounded: so much past the end of the audio is its end."""
_NAMES = (("start_s", "end_s", 1000.0), ("start_ms", "end_ms", 1.0), ("start", "end", 1000.0))
_FORMS = (
    "give pairs of seconds, as [(0.5, 2.1), …], or rows with start_s and end_s, or start_ms and "
    "end_ms"
)


@dataclass(frozen=True, slots=True)
class TrueTurn:
    """One turn of the user, as somebody labelled it.

    Attributes:
        start_ms, end_ms: from its first sound to its last, pauses included.
        text: what was written on it.
        onset_told: whether somebody told where it begins; else the offline detector did.
    """

    start_ms: float
    end_ms: float
    text: str = ""
    onset_told: bool = True


class _Marked(Protocol):
    """What of a recording tells where its marks lie in its audio."""

    @property
    def labels(self) -> Any: ...

    @property
    def input_clock(self) -> InputClock: ...


def given_turns(given: Iterable[object]) -> list[TrueTurn]:
    """Returns the labels of a list, of the rows of a table, or of what JSON holds.

    Raises:
        ConfigurationError: One of them is none of the forms that labels have.
    """
    if hasattr(given, "columns"):
        given = records(given)  # type: ignore[arg-type]
    if isinstance(given, Mapping):
        given = given.get("segments", [given])
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ConfigurationError(f"labels are {given!r}; {_FORMS}.")
    return [_turn(number, one) for number, one in enumerate(given, start=1)]


def _turn(number: int, one: object) -> TrueTurn:
    if isinstance(one, TrueTurn):
        return one
    text, bounds = "", None
    if isinstance(one, Mapping):
        text = str(one.get("text") or one.get("label") or "")
        for first, last, scale in _NAMES:
            if first in one and last in one:
                bounds = (one[first], one[last], scale)
                break
    elif isinstance(one, Sequence | np.ndarray) and not isinstance(one, str) and len(one) in (2, 3):
        text, bounds = str(one[2]) if len(one) == 3 else "", (one[0], one[1], 1000.0)
    try:
        if bounds is None or any(isinstance(bound, bool | str) for bound in bounds[:2]):
            raise TypeError
        return TrueTurn(float(bounds[0]) * bounds[2], float(bounds[1]) * bounds[2], text)
    except (TypeError, ValueError):
        raise ConfigurationError(f"Label {number} is {one!r}; {_FORMS}.") from None


def checked_turns(turns: Iterable[TrueTurn], duration_ms: float, of: str) -> list[TrueTurn]:
    """Returns labels in order of time, if they can be the turns of this audio.

    Args:
        turns: the labels.
        duration_ms: of the audio.
        of: whose audio that is, for messages.

    Raises:
        ConfigurationError: One ends before it begins, lies outside the audio, or on another one.
    """
    found: list[TrueTurn] = []
    for turn in sorted(turns, key=lambda one: one.start_ms):
        where = f"The label from {_s(turn.start_ms)} to {_s(turn.end_ms)} s"
        if not math.isfinite(turn.start_ms) or not math.isfinite(turn.end_ms):
            raise ConfigurationError(f"{where} of {of} is no stretch of time; give finite numbers.")
        if turn.start_ms < 0:
            raise ConfigurationError(f"{where} begins before {of} does; its audio begins at 0.")
        if turn.end_ms <= turn.start_ms:
            raise ConfigurationError(
                f"{where} of {of} has no length; a label goes from the first sound of a turn to "
                "its last."
            )
        if turn.end_ms > duration_ms + _SLACK_MS:
            raise ConfigurationError(
                f"{where} runs past the end of {of}, which is at {_s(duration_ms)} s; are these "
                "the labels of another file, or milliseconds taken for seconds?"
            )
        if found and turn.start_ms < found[-1].end_ms:
            raise ConfigurationError(
                f"{where} of {of} overlaps the one before it, which goes from "
                f"{_s(found[-1].start_ms)} to {_s(found[-1].end_ms)} s; one user has one turn at "
                "a time: join the two, or move one."
            )
        found.append(replace(turn, end_ms=min(turn.end_ms, duration_ms)))
    return found


def marked_turns(rec: _Marked, voices_ms: Iterable[TimeSpan]) -> list[TrueTurn]:
    """Returns the turns that a recording's own marks tell: each ends at a mark ``speech end``.

    It begins at the mark ``speech start`` since the turn before; where there is none, at the first
    voice since then.

    Args:
        rec: The recording.
        voices_ms: Where the offline detector hears the user.
    """
    found: list[TrueTurn] = []
    started_ms: float | None = None
    voices = sorted(voices_ms)
    for mark in records(rec.labels):
        at_ms = _input_ms(rec.input_clock, mark["t_s"])
        if mark["text"] == SPEECH_START_LABEL:
            started_ms = at_ms
        elif mark["text"] == SPEECH_END_LABEL:
            before_ms = found[-1].end_ms if found else 0.0
            told = started_ms is not None
            since = (max(start, before_ms) for start, end in voices if end > before_ms)
            start_ms = started_ms if started_ms is not None else next(since, math.inf)
            if start_ms < at_ms:
                found.append(TrueTurn(start_ms, at_ms, onset_told=told))
            started_ms = None
    return found


def _input_ms(clock: InputClock, t_s: float) -> float:
    """Returns how much of the user's audio had been captured at a moment of the session."""
    if not clock.times_s:
        return t_s * 1000
    low_ms, high_ms = 0.0, clock.totals_ms[-1]
    while high_ms - low_ms > 0.5:
        middle_ms = (low_ms + high_ms) / 2
        low_ms, high_ms = (
            (middle_ms, high_ms) if clock.onset(middle_ms) <= t_s else (low_ms, middle_ms)
        )
    return high_ms


def _s(ms: float) -> str:
    return f"{ms / 1000:.3f}".rstrip("0").rstrip(".")
