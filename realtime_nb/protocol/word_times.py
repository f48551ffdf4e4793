"""Where the words of a spoken message lie in its audio.

What is known for certain are a few points: the first word begins with the voice, the last one of a
whole message ends with it, and a server that sends sentence by sentence says by the order of its
deltas where each begins. In between, pauses tell where sentences and clauses end; the words between
two such points share the time in which the voice is heard by how long they are when they are
spoken. Behind the last point they go on at the pace of the voice.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import add
from typing import Literal

from realtime_nb.protocol.pause_matching import PauseMatch, Stretch, match_pauses
from realtime_nb.protocol.pauses import Pause, VoicedTime, pauses_of
from realtime_nb.protocol.spoken_length import Stop, Word, pause_lengths, spoken_lengths

__all__ = [
    "DEFAULT_PACE",
    "Burst",
    "HeardSource",
    "Pace",
    "Voiced",
    "WordTimes",
    "place_words",
    "voiced_of",
]

HeardSource = Literal["whole", "interleaved", "pauses", "length", "pace", "default pace"]
"""How it is known which words were heard: nothing was cut; by the order of text and audio; by the
pauses around them; by the length of the whole audio; by the pace of this session's voice; by that
of voices in general."""

_LATE_TEXT_MS = 400.0
"""Text that comes behind more audio than this tells what was said, not what will be."""
_NEAR_MS = 80.0
_SAME_PACE = 0.5
"""How far, as a logarithm, the pace up to a point may lie from the expected one."""
_PACES = (0.75, 0.87, 1.0, 1.15, 1.33)
_SETTLED_LETTERS = 60.0
_SLACK_KNOWN, _SLACK = 0.06, 0.18
"""How far, as a logarithm, a voice's pace lies from the one expected, known or not."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Text deltas without audio between them.

    Attributes:
        word: the first word that begins in it.
        at_ms: the audio that had come before it.
    """

    word: int
    at_ms: float


@dataclass(frozen=True, slots=True)
class Voiced:
    """So much text, in letters, was spoken in so many ms."""

    letters: float = 0.0
    ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a voice speaks.

    Attributes:
        ms_per_letter: of a letter of an English word, pauses left out.
        letters: how much speech of this voice says so, 0 for voices in general.
    """

    ms_per_letter: float
    letters: float = 0.0

    @property
    def known(self) -> bool:
        """Whether this voice was heard for some seconds."""
        return self.letters >= _SETTLED_LETTERS

    def with_more(self, voiced: Voiced) -> Pace:
        """Returns the pace by this and other speech; voices in general count for a few words."""
        weight = max(self.letters, _GENERAL_LETTERS)
        letters = weight + voiced.letters
        return Pace(
            (self.ms_per_letter * weight + voiced.ms) / letters, self.letters + voiced.letters
        )


_GENERAL_LETTERS = 25.0
DEFAULT_PACE = Pace(57.0)
"""Of voices in general: some 190 words a minute without the pauses, 160 with them."""


@dataclass(frozen=True, slots=True)
class WordTimes:
    """The words of a text with their places in the audio.

    Attributes:
        starts_ms, ends_ms, sources: of each word.
        fixed: how much of the text lies between points that are known.
    """

    text: str
    words: Sequence[Word]
    starts_ms: Sequence[float]
    ends_ms: Sequence[float]
    sources: Sequence[HeardSource]
    fixed: Voiced

    def text_until(self, ms: float) -> str:
        """Returns the words whose end was heard."""
        count = self._count(ms)
        if count == len(self.words):
            return self.text.strip()
        return self.text[: self.words[count - 1].end].lstrip() if count else ""

    def source(self, ms: float) -> HeardSource:
        """Returns how it is known which words those are."""
        count = self._count(ms)
        return self.sources[min(count, len(self.sources) - 1)] if self.sources else "whole"

    def words_until(self, ms: float) -> float:
        """Returns how many words were heard, that in the middle by its share."""
        if not self.words:
            return 0.0
        shares = (
            min(1.0, max(0.0, (ms - start) / (end - start))) if end > start else float(end <= ms)
            for start, end in zip(self.starts_ms, self.ends_ms, strict=True)
        )
        return sum(shares) * len(self.text.split()) / len(self.words)

    def _count(self, ms: float) -> int:
        count = bisect_right(self.ends_ms, ms + 1e-6)
        return count if any(word.letters for word in self.words[:count]) else 0


@dataclass(frozen=True, slots=True)
class _Point:
    """Where ``word`` words have been spoken, and what tells it."""

    word: int
    at_ms: float
    source: HeardSource


class _Layout:
    """A text's length and an audio's pauses, before they are brought together.

    Attributes:
        letters: up to each word, with the pauses that are taken for granted where none are known;
            ``pauses`` has those behind each word.
    """

    def __init__(self, words: Sequence[Word], peaks: Sequence[int]) -> None:
        self.words = words
        self.time = VoicedTime(pauses_of(peaks))
        self.pauses = [0.0] * len(words) if self.time.pauses else pause_lengths(words)
        lengths = map(add, spoken_lengths(words), self.pauses)
        self.letters = [0.0, *accumulate(lengths)]

    def between(self, first: _Point, last: _Point) -> Voiced:
        return Voiced(
            self.letters[last.word] - self.letters[first.word],
            self.time.voiced(last.at_ms) - self.time.voiced(first.at_ms),
        )

    def match(self, first: _Point, last: _Point, pace: float, *, whole: bool) -> PauseMatch:
        """Matches the stops and pauses between two points."""
        inside = self.between(first, last)
        letters, ms = self.letters[first.word], self.time.voiced(first.at_ms)
        stops = [(self.letters[i] - letters, stop) for i, stop in self._stops(first, last)]
        pauses = [(self.time.voiced(p.start_ms) - ms, p) for p in self._pauses(first, last)]
        return match_pauses(Stretch(stops, pauses, inside.letters, inside.ms, pace, whole))

    def points(self, first: _Point, last: _Point, match: PauseMatch) -> list[_Point]:
        stops, pauses = self._stops(first, last), self._pauses(first, last)
        return [_Point(stops[i][0], pauses[j].start_ms, "pauses") for i, j in match.pairs]

    def _stops(self, first: _Point, last: _Point) -> list[tuple[int, Stop]]:
        return [
            (i, stop) for i in range(first.word + 1, last.word) if (stop := self.words[i - 1].stop)
        ]

    def _pauses(self, first: _Point, last: _Point) -> list[Pause]:
        return [
            pause
            for pause in self.time.pauses
            if pause.start_ms > first.at_ms and pause.end_ms <= last.at_ms
        ]


def place_words(
    text: str,
    words: Sequence[Word],
    bursts: Sequence[Burst],
    peaks: Sequence[int],
    audio_ms: float,
    pace: Pace,
    *,
    whole: bool,
) -> WordTimes:
    """Finds the places of all words.

    Args:
        text, words: what is said, as far as it has come.
        bursts: how it came, in order.
        peaks: of the audio, see :class:`~realtime_nb.protocol.pauses.Levels`.
        audio_ms: how much has come; 0 where that is not known.
        pace: of the voice, as far as it is known.
        whole: whether the text ends with the audio; else it may go on behind it.
    """
    layout = _Layout(words, peaks)
    points = [_Point(0, 0.0, "pace"), *_interleaved(layout, bursts, pace.ms_per_letter)]
    if whole and words:
        points = [point for point in points if point.word < len(words)]
        points.append(_Point(len(words), audio_ms, "length"))
    chain = points[:1]
    for first, last in pairwise(points):
        inside = layout.between(first, last)
        if inside.letters > 0 and inside.ms > 0:
            match = layout.match(first, last, inside.ms / inside.letters, whole=True)
            chain += layout.points(first, last, match)
        chain.append(last)
    own = pace.with_more(layout.between(points[0], points[-1]))
    rest_pace = own.ms_per_letter
    if points[-1].word < len(words):
        rest, rest_pace = _open_end(layout, points[-1], audio_ms, own)
        chain += rest
    placed = [*_between_points(layout, chain)]
    placed += _behind(layout, chain[-1], rest_pace, bursts, pace)
    starts, ends, sources = ([one[i] for one in placed] for i in range(3))
    fixed = layout.between(chain[0], chain[-1])
    return WordTimes(text, words, starts, ends, sources, fixed)  # type: ignore[arg-type]


def voiced_of(words: Sequence[Word], peaks: Sequence[int], audio_ms: float) -> Voiced:
    """Returns how much text a whole message has, and how long its voice is heard."""
    layout = _Layout(words, peaks)
    return Voiced(layout.letters[-1], layout.time.voiced(audio_ms))


def _interleaved(layout: _Layout, bursts: Sequence[Burst], pace: float) -> Iterator[_Point]:
    """Yields the points at which a sentence's text came right before, or behind, its audio.

    That is so with a server that sends whole sentences, where the pace up to there is one of a
    voice and the voice pauses there. With one that sends text ahead word by word it is not.
    """
    words = layout.words
    starts = [burst.word for burst in bursts]
    late = bool(bursts) and bursts[0].at_ms > _LATE_TEXT_MS
    if not all(words[start - 1].stop for start in starts if 0 < start <= len(words)):
        return
    first = _Point(0, 0.0, "interleaved")
    for burst, next_start in zip(bursts, [*starts, len(words)][1:], strict=False):
        point = _Point(next_start if late else burst.word, burst.at_ms, "interleaved")
        inside = layout.between(first, point)
        if inside.letters <= 0 or inside.ms <= 0:
            continue
        even = abs(math.log(inside.ms / (inside.letters * pace))) <= _SAME_PACE
        if even and _is_at_pause(layout.time.pauses, point.at_ms):
            yield point
            first = point


def _is_at_pause(pauses: Sequence[Pause], ms: float) -> bool:
    """Tells whether a voice pauses there, as far as it does at all."""
    return not pauses or any(
        pause.start_ms - _NEAR_MS <= ms <= pause.end_ms + _NEAR_MS for pause in pauses
    )


def _open_end(
    layout: _Layout, first: _Point, audio_ms: float, pace: Pace
) -> tuple[list[_Point], float]:
    """Returns the points behind the last certain one, and the pace from there on."""
    last = _Point(len(layout.words), max(audio_ms, first.at_ms), "pace")
    slack = _SLACK_KNOWN if pace.known else _SLACK
    tried = []
    for factor in _PACES:
        match = layout.match(first, last, pace.ms_per_letter * factor, whole=False)
        cost = match.cost + (math.log(factor) / slack) ** 2 / 2
        tried.append((cost, factor, match))
    _, factor, match = min(tried, key=lambda one: one[0])
    points = layout.points(first, last, match)
    likely = Pace(pace.ms_per_letter * factor, _SETTLED_LETTERS)
    if points:
        likely = likely.with_more(layout.between(first, points[-1]))
    return points, likely.ms_per_letter


_PlacedWord = tuple[float, float, HeardSource]


def _between_points(layout: _Layout, chain: Sequence[_Point]) -> Iterator[_PlacedWord]:
    """Yields start, end and source of the words up to the last point."""
    for first, last in pairwise(chain):
        inside = layout.between(first, last)
        pace = inside.ms / inside.letters if inside.letters else 0.0
        before_ms = layout.time.voiced(first.at_ms) - layout.letters[first.word] * pace
        for i in range(first.word, last.word):
            end = layout.letters[i + 1] - layout.pauses[i]
            yield (
                layout.time.start(before_ms + layout.letters[i] * pace),
                layout.time.end(before_ms + end * pace),
                last.source,
            )


def _behind(
    layout: _Layout, last: _Point, pace: float, bursts: Sequence[Burst], known: Pace
) -> Iterator[_PlacedWord]:
    """Yields those of the words behind it; none begins before the audio behind which it came."""
    source: HeardSource = "pace" if known.known or last.word else "default pace"
    ahead = bool(bursts) and bursts[0].at_ms <= _LATE_TEXT_MS
    came_ms = {burst.word: burst.at_ms for burst in bursts} if ahead else {}
    voiced_ms = layout.time.voiced(last.at_ms)
    for i in range(last.word, len(layout.words)):
        voiced_ms = max(voiced_ms, layout.time.voiced(came_ms.get(i, 0.0)))
        start_ms = layout.time.start(voiced_ms)
        voiced_ms += (layout.letters[i + 1] - layout.letters[i]) * pace
        yield start_ms, layout.time.end(voiced_ms - layout.pauses[i] * pace), source
