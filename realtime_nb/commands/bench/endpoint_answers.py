"""What the turn model says at pauses inside sentences, and at the ends of sentences.

That is the reason of what ``bench endpoint`` finds: a limit can part pauses from ends only as far
as the answers do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from realtime_nb.commands.bench.endpoint_speech import InnerPause, Sentence
from realtime_nb.protocol.semantic_turns import TurnDecision
from realtime_nb.protocol.turn_detection import EAGERNESS

__all__ = ["Answers", "answers_of", "print_answers"]

_LIMITS = tuple(sorted({0.2, 0.9} | {one.complete_at for one in EAGERNESS.values()}))
_PLACES = {
    "end": "at the end of a sentence",
    "mark": "at a pause where the transcript has a mark",
    "inside": "at a pause where it has none",
    "unknown": "at a pause whose place is not known",
}


@dataclass(frozen=True, slots=True)
class Answers:
    """The model's answers by where they were given.

    Attributes:
        counts: how many, by place.
        complete: the share from each limit on, by place: those of eagerness, one below, one above.
        parted: the probability that an end gets a higher answer than a pause: 1 where a limit
            could part them all, 0.5 where the answers tell nothing; NaN without both.
    """

    counts: dict[str, int]
    complete: dict[str, list[float]]
    parted: float


def answers_of(heard: Iterable[tuple[Sentence, Sequence[TurnDecision]]]) -> Answers:
    """Returns what the model answered; the pause in which it was asked tells where."""
    by_place: dict[str, list[float]] = {place: [] for place in _PLACES}
    for sentence, decisions in heard:
        for decision in decisions:
            by_place[_place(sentence, decision)].append(decision.probability)
    counts = {place: len(answers) for place, answers in by_place.items()}
    complete = {
        place: [_share(answers, limit) for limit in _LIMITS] for place, answers in by_place.items()
    }
    ends = by_place.pop("end")
    pauses = [answer for answers in by_place.values() for answer in answers]
    return Answers(counts, complete, _parted(ends, pauses))


def _place(sentence: Sentence, decision: TurnDecision) -> str:
    if decision.at_ms >= sentence.voice_end_ms:
        return "end"
    pauses = [one for one in sentence.pauses if one.start_ms < decision.at_ms]
    at_mark = _nearest(pauses, decision.at_ms)
    return "unknown" if at_mark is None else "mark" if at_mark else "inside"


def _nearest(pauses: Sequence[InnerPause], at_ms: float) -> bool | None:
    last = max(pauses, key=lambda one: one.start_ms, default=None)
    return last.at_mark if last is not None and at_ms < last.end_ms + 300 else None


def _share(answers: Sequence[float], limit: float) -> float:
    return float(np.mean([answer >= limit for answer in answers])) if answers else math.nan


def _parted(ends: Sequence[float], pauses: Sequence[float]) -> float:
    if not ends or not pauses:
        return math.nan
    end, pause = np.array(ends)[:, None], np.array(pauses)[None]
    return float(np.mean(end > pause) + np.mean(end == pause) / 2)


def print_answers(answers: Answers) -> None:
    """Prints them as a table."""
    if not sum(answers.counts.values()):
        return
    limits = "  ".join(f"from {limit:g}" for limit in _LIMITS)
    print(f"{'the turn model says “complete”':<46} asked  {limits}")
    for place, title in _PLACES.items():
        if answers.counts[place]:
            shares = "".join(f"{100 * share:7.0f} % " for share in answers.complete[place])
            print(f"{title:<46} {answers.counts[place]:5} {shares}")
    if not math.isnan(answers.parted):
        print(f"an end gets a higher answer than a pause in {100 * answers.parted:.0f} % of pairs")
