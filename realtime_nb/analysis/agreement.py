"""How far two detectors agree about the same audio: a server and an emulator of its settings.

Spans are ``(start_ms, end_ms)`` in ms of appended audio, as ``speech_started`` and
``speech_stopped`` say them. Those of the two sides that are of the same speech are paired, then
compared; what only one of them heard, or where one made two turns of it, is no agreement.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.records import Speech

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FEWEST_TO_CALIBRATE",
    "TOLERANCE_MS",
    "AgreedTurn",
    "Agreement",
    "Span",
    "agreement",
    "reported_spans",
]

Span = tuple[float, float]
"""Start and end in ms of appended audio; the end is NaN while it is open, or not known."""

TOLERANCE_MS = 100.0
"""Starts and ends that are no further apart agree: three frames of 32 ms, and some rounding."""

FEWEST_TO_CALIBRATE = 3
"""With fewer pairs, nothing tells a shifted clock from a difference."""

_SHARED = 0.5
"""Spans are of the same speech where they share this part of the shorter one."""


@dataclass(frozen=True, slots=True)
class AgreedTurn:
    """One turn as both heard it, or as one of them did; NaN of the other.

    Attributes:
        turn: counted from 1, by time.
        heard_by: ``both``, ``server`` or ``emulator``.
        agrees: whether both heard it from and until the same moment, within the tolerance.
        server_start_ms, server_end_ms, emulator_start_ms, emulator_end_ms: as each tells.
        start_difference_ms, end_difference_ms: the server's less the emulator's.
    """

    turn: int
    heard_by: Literal["both", "server", "emulator"]
    agrees: bool
    server_start_ms: float
    server_end_ms: float
    emulator_start_ms: float
    emulator_end_ms: float

    @property
    def start_difference_ms(self) -> float:
        """The server's start less the emulator's."""
        return self.server_start_ms - self.emulator_start_ms

    @property
    def end_difference_ms(self) -> float:
        """The server's end less the emulator's."""
        return self.server_end_ms - self.emulator_end_ms


@dataclass(frozen=True)
class Agreement:
    """How far a server and an emulator agree.

    Attributes:
        turns: all of them, by time.
        offset_ms: by how much the server's clock is ahead: the median difference of the starts of
            spans that overlap; 0 where there are fewer than three. It stands in the differences of
            each turn, and is taken off before they are judged and summed up.
        tolerance_ms: how much a start or an end may differ.
    """

    turns: tuple[AgreedTurn, ...] = field(repr=False)
    offset_ms: float
    tolerance_ms: float

    @property
    def share(self) -> float:
        """Turns that agree, of all that either heard: 0 to 1; NaN where neither heard any."""
        if not self.turns:
            return math.nan
        return sum(turn.agrees for turn in self.turns) / len(self.turns)

    @property
    def percent(self) -> float:
        """The same in percent."""
        return 100 * self.share

    @property
    def matched(self) -> int:
        """Turns that both heard."""
        return sum(turn.heard_by == "both" for turn in self.turns)

    @property
    def only_server(self) -> int:
        """Turns that only the server heard."""
        return sum(turn.heard_by == "server" for turn in self.turns)

    @property
    def only_emulator(self) -> int:
        """Turns that only the emulator heard."""
        return sum(turn.heard_by == "emulator" for turn in self.turns)

    @property
    def start_p50_ms(self) -> float:
        """The median of how far starts are apart; NaN where no turn is paired."""
        return self._apart(50, "start")

    @property
    def start_p95_ms(self) -> float:
        """The 95th percentile of the same."""
        return self._apart(95, "start")

    @property
    def end_p50_ms(self) -> float:
        """The median of how far ends are apart; NaN where no paired turn has both."""
        return self._apart(50, "end")

    @property
    def end_p95_ms(self) -> float:
        """The 95th percentile of the same."""
        return self._apart(95, "end")

    @property
    def spread_ms(self) -> float:
        """The median of how far starts and ends are apart; NaN where no turn is paired."""
        return self._apart(50, "start", "end")

    def _apart(self, percentile: float, *edges: str) -> float:
        values = [getattr(turn, f"{edge}_difference_ms") for turn in self.turns for edge in edges]
        known = [abs(value - self.offset_ms) for value in values if not math.isnan(value)]
        return float(np.percentile(known, percentile)) if known else math.nan

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per turn."""
        return frame("agreement", [_row(turn) for turn in self.turns])

    def __str__(self) -> str:
        if not self.turns:
            return "Neither the server nor the emulator heard speech: nothing can be compared."
        agreeing = sum(turn.agrees for turn in self.turns)
        parts = [f"{self.percent:.0f} % agreement: {agreeing} of {len(self.turns)} turns"]
        parts += [
            f"{edge}s differ by {p50:.0f} ms (p50), {p95:.0f} ms (p95)"
            for edge, p50, p95 in (
                ("start", self.start_p50_ms, self.start_p95_ms),
                ("end", self.end_p50_ms, self.end_p95_ms),
            )
            if not math.isnan(p50)
        ]
        if self.offset_ms:
            parts.append(f"beside an offset of {self.offset_ms:.0f} ms")
        alone = (("server", self.only_server), ("emulator", self.only_emulator))
        parts += [f"{count} heard by the {side} only" for side, count in alone if count]
        return "; ".join(parts) + "."

    def __repr__(self) -> str:
        return f"{self}\n{_shown(self.table).to_string(index=False)}" if self.turns else str(self)

    def _repr_html_(self) -> str:
        table = _shown(self.table).to_html(index=False, border=0) if self.turns else ""
        return f"<p>{html.escape(str(self))}</p>{table}"


def agreement(
    server: Sequence[Span], emulator: Sequence[Span], *, tolerance_ms: float = TOLERANCE_MS
) -> Agreement:
    """Returns how far a server's spans and those of an emulator agree.

    Spans are paired one to one, in order, so that as much of them as possible is shared; they are
    of the same speech where they share half of the shorter one. A turn of which one side made two
    is a pair that does not agree, and one more that only that side has.

    Args:
        server: ``(start_ms, end_ms)`` of appended audio. An end that is NaN is not known yet: the
            turn is judged by its start.
        emulator: the same.
        tolerance_ms: how much a start or an end may differ.

    Raises:
        ConfigurationError: a span without a start, or that ends before it begins; a negative
            tolerance.
    """
    if not 0 <= tolerance_ms < math.inf:
        raise ConfigurationError(f"tolerance_ms is {tolerance_ms}; give milliseconds, 0 or more.")
    sides = [_checked(name, spans) for name, spans in (("server", server), ("emulator", emulator))]
    theirs, ours = sides
    pairs = _paired(theirs, ours, 0.0)
    offset_ms = _offset(theirs, ours, pairs)
    if offset_ms:
        # A clock may hide what belongs together; a guess at it must not part what does.
        pairs = max(_paired(theirs, ours, offset_ms), pairs, key=len)
    turns = [(theirs[i], ours[j]) for i, j in pairs]
    turns += _alone(theirs, {i for i, _ in pairs}, first=True)
    turns += _alone(ours, {j for _, j in pairs}, first=False)
    turns.sort(key=lambda both: next(edge for side in both for edge in side if edge == edge))
    judged = (
        _judged(number, *both, offset_ms, tolerance_ms) for number, both in enumerate(turns, 1)
    )
    return Agreement(tuple(judged), offset_ms, tolerance_ms)


def reported_spans(speech: Iterable[Speech], since_ms: float = 0.0) -> list[Span]:
    """Returns the turns that a server told of, those that begin at a position or after it. An end
    before its beginning tells nothing."""
    found = []
    for heard in speech:
        start_ms, end_ms = heard.audio_start_ms, heard.audio_end_ms
        if start_ms >= since_ms:
            known = end_ms is not None and end_ms >= start_ms
            found.append((start_ms, end_ms if known and end_ms is not None else math.nan))
    return found


_NOBODY: Span = (math.nan, math.nan)


def _checked(side: str, spans: Sequence[Span]) -> list[Span]:
    """Returns spans in order of time."""
    for start_ms, end_ms in spans:
        if not math.isfinite(start_ms) or end_ms < start_ms:
            raise ConfigurationError(
                f"A span of the {side} is ({start_ms}, {end_ms}); give a start in ms and an end "
                "that is no earlier, or NaN where it is not known."
            )
    return sorted((float(start_ms), float(end_ms)) for start_ms, end_ms in spans)


def _alone(spans: list[Span], paired: set[int], *, first: bool) -> Iterator[tuple[Span, Span]]:
    for index, span in enumerate(spans):
        if index not in paired:
            yield (span, _NOBODY) if first else (_NOBODY, span)


def _offset(server: list[Span], emulator: list[Span], pairs: list[tuple[int, int]]) -> float:
    """Returns how far the server's clock is ahead. Starts tell it alone: where a turn ends differs
    with the silence that each waits for."""
    if len(pairs) < FEWEST_TO_CALIBRATE:
        return 0.0
    return float(np.median([server[i][0] - emulator[j][0] for i, j in pairs]))


def _paired(server: list[Span], emulator: list[Span], offset_ms: float) -> list[tuple[int, int]]:
    """Returns the pairs (numbers in each list) that share most, in order, each span once."""
    theirs = [(start_ms - offset_ms, end_ms - offset_ms) for start_ms, end_ms in server]
    candidates = list(_of_same_speech(_closed(theirs, emulator), _closed(emulator, theirs)))
    # Candidates are in order, so those that may come before one are the first so many.
    best = [0.0]
    before: list[int] = []
    for k, (i, j, shared_ms) in enumerate(candidates):
        earlier = k
        while earlier and (candidates[earlier - 1][0] == i or candidates[earlier - 1][1] == j):
            earlier -= 1
        before.append(earlier)
        best.append(max(best[k], best[earlier] + shared_ms))
    pairs: list[tuple[int, int]] = []
    k = len(candidates)
    while k:
        if best[k] == best[k - 1]:
            k -= 1
        else:
            pairs.append(candidates[k - 1][:2])
            k = before[k - 1]
    return pairs[::-1]


def _closed(spans: list[Span], others: list[Span]) -> list[Span]:
    """Returns spans of which those that are open go on until everything is over, and none reaches
    into the next: padding does, in what some servers tell."""
    edges = [edge for span in (*spans, *others) for edge in span if edge == edge]
    over_ms = max(edges, default=0.0) + 1
    ends = [over_ms if math.isnan(end_ms) else end_ms for _, end_ms in spans]
    nexts = [start_ms for start_ms, _ in spans[1:]] + [over_ms]
    return [
        (span[0], max(span[0], min(end_ms, next_ms)))
        for span, end_ms, next_ms in zip(spans, ends, nexts, strict=False)
    ]


def _of_same_speech(server: list[Span], emulator: list[Span]) -> Iterator[tuple[int, int, float]]:
    """Yields in order what may be paired, with what is shared."""
    i = j = 0
    while i < len(server) and j < len(emulator):
        (start_ms, end_ms), (other_start_ms, other_end_ms) = server[i], emulator[j]
        shared_ms = min(end_ms, other_end_ms) - max(start_ms, other_start_ms)
        shorter_ms = min(end_ms - start_ms, other_end_ms - other_start_ms)
        if shared_ms > 0 and shared_ms >= _SHARED * shorter_ms:
            yield i, j, shared_ms
        if end_ms <= other_end_ms:
            i += 1
        else:
            j += 1


def _judged(
    number: int, server: Span, emulator: Span, offset_ms: float, tolerance_ms: float
) -> AgreedTurn:
    both = server[0] == server[0] and emulator[0] == emulator[0]
    apart = [abs(a - b - offset_ms) for a, b in zip(server, emulator, strict=True)]
    agrees = both and all(ms <= tolerance_ms for ms in apart if ms == ms)
    heard_by: Literal["both", "server", "emulator"] = (
        "both" if both else "server" if server[0] == server[0] else "emulator"
    )
    return AgreedTurn(number, heard_by, agrees, *server, *emulator)


def _row(turn: AgreedTurn) -> dict[str, object]:
    differences = {
        "start_difference_ms": turn.start_difference_ms,
        "end_difference_ms": turn.end_difference_ms,
    }
    return {**asdict(turn), **differences}


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the table as it is read: whole milliseconds, nothing where there is nothing."""
    shown = table.copy()
    for name in shown.columns:
        if name.endswith("_ms"):
            shown[name] = ["" if ms != ms else f"{ms:.0f}" for ms in shown[name]]
    return shown
