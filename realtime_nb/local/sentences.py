"""Cuts text that arrives in pieces into sentences, so that speech can begin before it is whole.

::

    stream = SentenceStream()
    for delta in deltas:
        for sentence in stream.push(delta):
            ...  # complete: may be spoken
    rest = stream.close()

A sentence is certain only when the next one begins ("10:30 a.m." may go on with "on Tuesday"), so a
piece comes out when the first character behind its white space is known; a line break ends it at
once. The pieces keep their white space and joined together they are the text again. Each gap
between words is judged once, as soon as what the judgement needs has arrived and from nothing
else; therefore the pieces do not depend on how the text was cut on its way here.
"""

from __future__ import annotations

import re

from realtime_nb.local.spoken import MONTHS, SHORT_MONTHS, SHORT_WEEKDAYS, WEEKDAYS, any_of

__all__ = ["FIRST_CLAUSE_CHARS", "MAX_SENTENCE_CHARS", "SentenceStream"]

FIRST_CLAUSE_CHARS = 60
"""The first piece may end at a clause mark once it is this long: the first audio leaves earlier."""

MAX_SENTENCE_CHARS = 400
"""A sentence that grows longer than this is cut at its next white space."""

_ENDS = ".!?…"
_WIDE_ENDS = "。！？"  # written without white space behind them
_CLAUSE_MARKS = ",;:—–"
_OPENERS = "\"'“‘«([{*_`"
_CLOSERS = "\"'”’»)]}*_`」』"
_CARRIES_ON = ",;:)]}…-–—"

_GAP = re.compile(r"\s*?\n|[^\S\n]+(?=\S)|(?<=[。！？」』])(?=[^\s。！？」』])")
_WORD = re.compile(r"[A-Za-z]+")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
_LIST_MARK = re.compile(r"\s*(?:\d{1,3}|[A-Za-z])")

# Never the last word of a sentence: a name, an example or a date follows.
_NEVER_LAST = re.compile(
    r"mrs?|m[sx]|dr|prof|st|mt|ft|gen|sen|rep|rev|hon|capt|lt|col|sgt|gov|pres|messrs"
    r"|e\.g|i\.e|vs|cf|viz|approx|mon|tues|wed|thu|thurs?|fri"
)
# Abbreviations before a number, words of their own otherwise ("No. 5", but "No. That is wrong.").
_BEFORE_NUMBERS = re.compile(
    rf"nos?|vol|fig|pp?|ch|sec|art|ext|{any_of(SHORT_MONTHS)}|sat|sun", re.IGNORECASE
)
# After a.m. and p.m. a capital letter proves nothing ("10:30 a.m. Tuesday"): the word decides.
_HALF_DAY = re.compile(r"[ap]\.m")
_DAY = re.compile(
    any_of([*WEEKDAYS, *SHORT_WEEKDAYS, *MONTHS, *SHORT_MONTHS])
    + "|eastern|central|mountain|pacific",
    re.IGNORECASE,
)


class SentenceStream:
    """An incremental sentence splitter; ``"".join`` of all its pieces is the text it was given."""

    def __init__(self) -> None:
        self._open = ""
        self._judged = 0  # gaps of the open text before this position are inside the sentence
        self._is_first = True

    def push(self, delta: str) -> list[str]:
        """Takes more text; returns the pieces that it made certain, in order."""
        self._open += delta
        pieces: list[str] = []
        while end := self._next_end():
            pieces.append(self._open[:end])
            self._open, self._judged, self._is_first = self._open[end:], 0, False
        return pieces

    def close(self) -> list[str]:
        """Ends the text, returns what is left of it, one piece or none, and begins afresh."""
        rest = self._open
        self._open, self._judged, self._is_first = "", 0, True
        return [rest] if rest else []

    def _next_end(self) -> int:
        """Returns where the open text has its first certain end, 0 when there is none yet."""
        for gap in _GAP.finditer(self._open, self._judged):
            verdict = self._ends_at(gap)
            if verdict is None:
                return 0
            if verdict:
                return gap.end()
            self._judged = gap.end()
        return 0

    def _ends_at(self, gap: re.Match[str]) -> bool | None:
        """Judges one gap; ``None`` means that more text is needed."""
        before, after = self._open[: gap.start()], self._open[gap.end() :]
        if not before.strip():
            return False
        if gap.group().endswith("\n") or len(before) >= MAX_SENTENCE_CHARS:
            return True
        core = before.rstrip(_CLOSERS)
        if core and core[-1] in _WIDE_ENDS:
            return True
        if core and core[-1] in _ENDS:
            return _ends_sentence(core, after)
        long_enough = self._is_first and len(before.strip()) >= FIRST_CLAUSE_CHARS
        return long_enough and before[-1] in _CLAUSE_MARKS and bool(gap.group())


def _ends_sentence(core: str, after: str) -> bool | None:
    """Tells whether ``core``, which ends in a mark, is a sentence when ``after`` follows it."""
    if after[0].islower() or after[0] in _CARRIES_ON:
        return False
    if core[-1] != "." or core.endswith(".."):
        return True
    word = core[:-1].split()[-1].lstrip(_OPENERS) if core[:-1].strip() else ""
    lower = word.lower()
    if _NEVER_LAST.fullmatch(lower) or _LIST_MARK.fullmatch(core[:-1]):
        return False
    if after[0].isdigit() and _BEFORE_NUMBERS.fullmatch(lower):
        return False
    if _HALF_DAY.fullmatch(lower):
        return _begins_other_than_day(after)
    return word == "I" or not _INITIALS.fullmatch(word)


def _begins_other_than_day(after: str) -> bool | None:
    """Tells whether the first word is none of a date; ``None`` while the word may still grow."""
    word = _WORD.match(after)
    if word is None:
        return True
    if word.end() == len(after):
        return None
    return _DAY.fullmatch(word.group()) is None
