"""Which pause of a voice stands at which stop of its text.

A voice pauses where a sentence ends, mostly where a clause does, and now and then elsewhere. Of all
ways to give pauses to stops, in order, the likeliest is taken: the pace between them is even, long
pauses and ends of sentences are not left over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from realtime_nb.protocol.pauses import Pause
from realtime_nb.protocol.spoken_length import Stop

__all__ = ["PauseMatch", "Stretch", "match_pauses"]

_LEFT_OVER = {Stop.CLAUSE: 0.6, Stop.SENTENCE: 3.0}
"""What it costs that the voice does not pause there."""
_PAUSE_MS = 90.0
"""What a pause costs that stands nowhere: one for each such length beyond the first 60 ms, three at
most."""
_AMISS_MS, _AMISS_SHARE = 1_500.0, 0.2
"""How far from where the pace puts it a stop is looked for."""
_STOPS_BACK, _KEPT = 5, 8
"""Of how many stops before it, and of how many ways to each, one is the stop before."""
_REACH_LETTERS = 6.0
"""A stop so close to the end of what was received may not have been reached."""
_NEVER = 99.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Text, and the audio in which it is spoken.

    Attributes:
        stops: (letters before it, what it is) of each stop inside.
        pauses: (what was spoken before it in ms, the pause) of each pause inside.
        letters: of the text.
        voiced_ms: of the audio.
        pace: ms for a letter.
        whole: whether the text ends with the audio; else there is, or may be, more of it.
    """

    stops: Sequence[tuple[float, Stop]]
    pauses: Sequence[tuple[float, Pause]]
    letters: float
    voiced_ms: float
    pace: float
    whole: bool


@dataclass(frozen=True, slots=True)
class PauseMatch:
    """What stands where: pairs of indices of stops and pauses, and how unlikely that is."""

    pairs: list[tuple[int, int]]
    cost: float


@dataclass(frozen=True, slots=True)
class _Step:
    cost: float
    stop: int = -1
    pause: int = -1
    letters: float = 0.0
    voiced_ms: float = 0.0
    before: _Step | None = None


def match_pauses(stretch: Stretch) -> PauseMatch:
    """Returns the likeliest match."""
    return _Matching(stretch).best()


class _Matching:
    def __init__(self, stretch: Stretch) -> None:
        self._of = stretch
        self._stops_cost = [0.0, *accumulate(_LEFT_OVER[stop] for _, stop in stretch.stops)]
        self._pauses_cost = [0.0, *accumulate(_cost_of(pause) for _, pause in stretch.pauses)]

    def best(self) -> PauseMatch:
        begin = _Step(0.0)
        last, cost = begin, self._ended(begin)
        ways: list[list[_Step]] = []
        for stop in range(len(self._of.stops)):
            before = [begin, *(step for steps in ways[-_STOPS_BACK:] for step in steps)]
            found = [
                step
                for pause in range(len(self._of.pauses))
                if self._is_near(stop, pause)
                for step in [self._step(stop, pause, before)]
                if step is not None
            ]
            ways.append(sorted(found, key=lambda step: step.cost)[:_KEPT])
            for step in ways[-1]:
                if (ended := self._ended(step)) < cost:
                    last, cost = step, ended
        pairs: list[tuple[int, int]] = []
        while last.before is not None:
            pairs.append((last.stop, last.pause))
            last = last.before
        return PauseMatch(pairs[::-1], cost)

    def _is_near(self, stop: int, pause: int) -> bool:
        expected_ms = self._of.stops[stop][0] * self._of.pace
        amiss_ms = abs(self._of.pauses[pause][0] - expected_ms)
        return amiss_ms <= _AMISS_MS + _AMISS_SHARE * expected_ms

    def _step(self, stop: int, pause: int, before: Sequence[_Step]) -> _Step | None:
        letters, voiced_ms = self._of.stops[stop][0], self._of.pauses[pause][0]
        costs = [
            (
                one.cost
                + self._uneven(letters - one.letters, voiced_ms - one.voiced_ms)
                + self._left_over(one, stop, pause),
                one,
            )
            for one in before
            if one.pause < pause
        ]
        if not costs:
            return None
        cost, one = min(costs, key=lambda found: found[0])
        return _Step(cost, stop, pause, letters, voiced_ms, one)

    def _left_over(self, step: _Step, stop: int, pause: int) -> float:
        """Returns what it costs that nothing matches between a step and these two."""
        stops, pauses = self._stops_cost, self._pauses_cost
        return stops[stop] - stops[step.stop + 1] + pauses[pause] - pauses[step.pause + 1]

    def _ended(self, step: _Step) -> float:
        """Returns the cost of a way whose last step this is."""
        of = self._of
        letters, voiced_ms = of.letters - step.letters, of.voiced_ms - step.voiced_ms
        reached = len(of.stops)
        if not of.whole:
            until = step.letters + voiced_ms / of.pace - _REACH_LETTERS
            reached = step.stop + 1
            while reached < len(of.stops) and of.stops[reached][0] < until:
                reached += 1
        cost = step.cost + self._left_over(step, reached, len(of.pauses))
        if of.whole or voiced_ms > letters * of.pace:
            cost += self._uneven(max(letters, 1.0), voiced_ms)
        return cost

    def _uneven(self, letters: float, voiced_ms: float) -> float:
        """Returns how unlikely it is that so much text takes so long; less text varies more."""
        if letters <= 0 or voiced_ms <= 0:
            return _NEVER
        ratio = math.log(voiced_ms / (letters * self._of.pace))
        return ratio * ratio / (2 * (0.01 + 1.0 / letters))


def _cost_of(pause: Pause) -> float:
    return min(3.0, max(0.0, (pause.length_ms - 60) / _PAUSE_MS))
