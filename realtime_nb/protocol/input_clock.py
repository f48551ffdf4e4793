"""When the audio at a position of the input-sample clock was captured, and when it was sent."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

__all__ = ["InputClock"]

_BURST_S = 0.25
_PACE = 1.1
_PAUSE_S = 0.25
_DEVICE_SLACK_S = 0.1
"""By so much a device may be wrong about when it captured a chunk."""
_SAME_S = 0.001
"""A device that captured audio later than this after it was sent has a clock that is wrong."""


@dataclass(slots=True)
class _Stretch:
    """Audio in a row.

    Attributes:
        begin_s: when it begins.
        start_ms, end_ms: from where to where it goes.
        latest_s: when the last of it counts as captured.
    """

    begin_s: float
    start_ms: float
    end_ms: float
    latest_s: float

    @property
    def end_s(self) -> float:
        """When it ends."""
        return self.begin_s + (self.end_ms - self.start_ms) / 1000

    def move_back(self, by_s: float, earliest_s: float) -> float:
        """Moves it to an earlier time, not before ``earliest_s``; returns by how much."""
        moved_s = min(by_s, max(0.0, self.begin_s - earliest_s))
        self.begin_s -= moved_s
        return moved_s


@dataclass(slots=True, repr=False)
class InputClock:
    """When the audio at a position of the input-sample clock was captured, and when it was sent.

    It is built from the ``input_audio_buffer.append`` events: each gives one point, the time at
    which it was sent and all audio sent up to and with it. Where a device told when it took the
    last sample of a chunk, that is the third of the point; where none did, the last sample of a
    chunk counts as captured when the chunk was sent, so that what the way from the device to the
    socket took is not seen. What was captured before the session began has times below 0. Of audio
    between two points whose appends were lost nothing is known.
    """

    times_s: list[float] = field(default_factory=list)
    totals_ms: list[float] = field(default_factory=list)
    captured_s: list[float] = field(default_factory=list)
    _starts_ms: list[float] = field(default_factory=list)
    _by_device: list[bool] = field(default_factory=list)
    _stretches: list[_Stretch] = field(default_factory=list)

    def __repr__(self) -> str:
        total_ms = self.totals_ms[-1] if self.totals_ms else 0.0
        return f"<InputClock: {len(self.totals_ms)} appends, {total_ms:.0f} ms>"

    def add(
        self,
        t_s: float,
        total_ms: float,
        captured_s: float | None = None,
        start_ms: float | None = None,
    ) -> None:
        """Takes one append, sent at ``t_s``, that brought the audio to ``total_ms``.

        Its last sample was captured at ``captured_s``: not after it was sent, whatever a device's
        clock says. Neither time lies before that of the append before it. Its first sample is at
        ``start_ms``: where the append before it ended, unless others are missing in between.
        """
        before_ms = 0.0
        if self.times_s:
            t_s, before_ms = max(t_s, self.times_s[-1]), self.totals_ms[-1]
        moment_s = t_s if captured_s is None else min(captured_s, t_s)
        if self.captured_s:
            moment_s = max(moment_s, self.captured_s[-1])
        self._starts_ms.append(before_ms if start_ms is None else max(start_ms, before_ms))
        self._by_device.append(captured_s is not None and captured_s <= t_s + _SAME_S)
        self._lay(moment_s, self._starts_ms[-1], max(total_ms, before_ms), self._by_device[-1])
        self.times_s.append(t_s)
        self.captured_s.append(moment_s)
        # Last, because positions are looked up in it: a view that reads while the session's thread
        # writes finds whole points only.
        self.totals_ms.append(max(total_ms, before_ms))

    @property
    def latest(self) -> tuple[int, float, float]:
        """The number of the stretch that the last chunk belongs to, when that begins, and how long
        it is so far, in seconds."""
        last = self._stretches[-1]
        return len(self._stretches), last.begin_s, last.end_s - last.begin_s

    @property
    def begins_s(self) -> float:
        """When the first sample was captured, if a device took it before the session began; else
        0."""
        if not self.totals_ms or not self._by_device[0]:
            return 0.0
        return min(0.0, self.captured_s[0] - (self.totals_ms[0] - self._starts_ms[0]) / 1000)

    def wall(self, ms: float) -> float:
        """Returns when the sample at ``ms`` was captured, in seconds; NaN if it never was sent.

        Samples of a chunk are from as much earlier than its last as they lie before it, though
        never from before the chunk that came before.
        """
        index = self._chunk(ms)
        if index is None:
            return math.nan
        return self._within(index, ms)

    def onset(self, ms: float) -> float:
        """Returns when what begins at ``ms`` was captured, in seconds; NaN if it never was sent.

        It differs from :meth:`wall` where the microphone paused: there the end of one stretch and
        the beginning of the next share a position, and lie far apart.
        """
        index = bisect_right(self.totals_ms, ms)
        if not ms >= 0 or index == len(self.totals_ms) or ms < self._starts_ms[index]:
            return math.nan
        return self._within(index, ms)

    def sent(self, ms: float) -> float:
        """Returns when the chunk that holds the sample at ``ms`` was sent; NaN if it never was."""
        index = self._chunk(ms)
        return math.nan if index is None else self.times_s[index]

    def sent_after(self, captured_s: float) -> float:
        """Returns when what was captured at that moment was sent; NaN if it never was."""
        index = bisect_left(self.captured_s, captured_s)
        if math.isnan(captured_s) or index == len(self.captured_s):
            return math.nan
        return self.times_s[index]

    def capture_source(self, ms: float) -> str | None:
        """Returns who says when the sample at ``ms`` was captured: its ``device``, or only its
        ``sending``.

        None where nobody does.
        """
        index = self._chunk(ms)
        return None if index is None else self._source(index)

    def capture_source_after(self, captured_s: float) -> str | None:
        """Returns the same of the chunk that :meth:`sent_after` tells of."""
        index = bisect_left(self.captured_s, captured_s)
        return None if index == len(self.captured_s) else self._source(index)

    def _source(self, index: int) -> str:
        return "device" if self._by_device[index] else "sending"

    def is_lost(self, ms: float) -> bool:
        """Tells whether audio was sent there in an append that is lost."""
        return self._chunk(ms) is None and 0 <= ms <= (self.totals_ms[-1] if self.totals_ms else 0)

    def _chunk(self, ms: float) -> int | None:
        """Returns the one that holds the sample that ends at ``ms``; None where that was never
        sent, or the append is lost."""
        index = bisect_left(self.totals_ms, ms)
        if not ms >= 0 or index == len(self.totals_ms):  # also NaN
            return None
        start_ms = self._starts_ms[index]
        return index if ms > start_ms or ms == start_ms == 0 else None

    def _within(self, index: int, ms: float) -> float:
        t_s = self.captured_s[index] - (self.totals_ms[index] - ms) / 1000
        return t_s if index == 0 else max(t_s, self.captured_s[index - 1])

    def real_time(self, start_ms: float, end_ms: float) -> bool:
        """Tells whether that stretch came in about as fast as it was spoken.

        Faster than 1.1 times real time, with 250 ms allowed for uneven delivery, is a file that was
        pushed in; nobody waited for an answer to it in the way that latency means. What was said
        before the session was open, and sent all at once when it was, has its device's times.
        """
        first = bisect_left(self.totals_ms, start_ms)
        last = bisect_left(self.totals_ms, end_ms)
        if last >= len(self.totals_ms):
            return False
        start_ms = max(start_ms, self._starts_ms[first])  # the appends before it may be lost
        took_s = self.captured_s[last] - self.captured_s[first]
        return (end_ms - start_ms) / 1000 <= took_s * _PACE + _BURST_S

    def stretches(self) -> list[tuple[float, float, float]]:
        """Returns (t_s, start_ms, end_ms) of each stretch that came in without a pause, and of
        which no append is lost.

        A stretch lies where its device says that it was captured; where that is not where the
        audio before it would put it, another one begins, be it earlier. Without a device's word
        audio counts as captured when it was sent, in a row what was sent all at once; when what
        follows at the pace of life shows that to be late, it moves back as far as there is room
        after what was before it, or after the beginning of the session.
        """
        return [(one.begin_s, one.start_ms, one.end_ms) for one in self._stretches]

    def _lay(self, t_s: float, from_ms: float, total_ms: float, by_device: bool) -> None:
        """Puts a chunk, captured until ``t_s``, behind what came before it, or apart from it."""
        length_s = (total_ms - from_ms) / 1000
        last = self._stretches[-1] if self._stretches else None
        if last is None or last.end_ms != from_ms:
            joins = False
        elif by_device:
            joins = abs(last.end_s - (t_s - length_s)) <= _DEVICE_SLACK_S
        else:
            early_s = last.end_s - (t_s - length_s)
            if t_s - last.latest_s >= length_s / 2 and early_s > _PAUSE_S:
                before_s = self._stretches[-2].end_s if self._stretches[1:] else 0.0
                early_s -= last.move_back(early_s, before_s)
                joins = early_s <= _PAUSE_S
            else:
                joins = early_s > -_PAUSE_S
        if last is None or not joins:
            last = _Stretch(t_s - length_s, from_ms, from_ms, t_s)
            self._stretches.append(last)
        last.end_ms, last.latest_s = total_ms, t_s
