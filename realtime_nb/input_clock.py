"""When the audio at a position of the input-sample clock was sent."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field

__all__ = ["InputClock"]

_BURST_S = 0.25
_PACE = 1.1


@dataclass(slots=True)
class InputClock:
    """When the audio at a position of the input-sample clock was sent.

    It is built from the ``input_audio_buffer.append`` events: each gives one point, the time at
    which it was sent and all audio sent up to and with it.
    """

    times_s: list[float] = field(default_factory=list)
    totals_ms: list[float] = field(default_factory=list)

    def add(self, t_s: float, total_ms: float) -> None:
        """Take one append, sent at ``t_s``, that brought the audio to ``total_ms``."""
        self.times_s.append(t_s)
        self.totals_ms.append(total_ms)

    def wall(self, ms: float) -> float:
        """Return when the sample at ``ms`` was there to be sent, in seconds; NaN if it never was.

        The last sample of a chunk is from the moment at which the chunk was sent, those before it
        from as much earlier, though never from before the chunk that came before.
        """
        index = bisect_left(self.totals_ms, ms)
        if not ms >= 0 or index == len(self.totals_ms):  # also NaN
            return math.nan
        t_s = self.times_s[index] - (self.totals_ms[index] - ms) / 1000
        return t_s if index == 0 else max(t_s, self.times_s[index - 1])

    def real_time(self, start_ms: float, end_ms: float) -> bool:
        """Whether that stretch was sent about as fast as it was spoken.

        Faster than 1.1 times real time, with 250 ms allowed for uneven delivery, is a file that was
        pushed in; nobody waited for an answer to it in the way that latency means.
        """
        first = bisect_left(self.totals_ms, start_ms)
        last = bisect_left(self.totals_ms, end_ms)
        if last >= len(self.totals_ms):
            return False
        took_s = self.times_s[last] - self.times_s[first]
        return (end_ms - start_ms) / 1000 <= took_s * _PACE + _BURST_S

    def stretches(self, pause_s: float = 0.25) -> list[tuple[float, float, float]]:
        """Return (t_s, start_ms, end_ms) of each stretch that was sent without a longer pause."""
        found: list[tuple[float, float, float]] = []
        end_s = previous_ms = 0.0
        for t_s, total_ms in zip(self.times_s, self.totals_ms, strict=True):
            length_s = (total_ms - previous_ms) / 1000
            if found and t_s - length_s - end_s < pause_s:
                begin_s, start_ms, _ = found[-1]
                found[-1] = (begin_s, start_ms, total_ms)
                end_s += length_s
            else:
                found.append((t_s - length_s, previous_ms, total_ms))
                end_s = t_s
            previous_ms = total_ms
        return found
