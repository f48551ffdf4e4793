"""How long words are when they are spoken, by what is written.

The measure is the letter of an English word, some 60 ms of a voice. What is spoken much longer than
it is written has a length of its own: numbers, signs, abbreviations, the characters of scripts that
write syllables. What nobody speaks, such as an emoji, takes no time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

__all__ = [
    "Stop",
    "Word",
    "graphemes",
    "pause_lengths",
    "spoken_lengths",
    "spoken_letters",
    "words_of",
]


class Stop(IntEnum):
    """What follows a word."""

    NONE = 0
    CLAUSE = 1
    SENTENCE = 2


@dataclass(frozen=True, slots=True)
class Word:
    """The smallest stretch of a text that is heard or not: a word, or one character of a script
    that is written without spaces.

    Attributes:
        start, end: in the text; white space is outside.
        letters: how long it is when it is spoken.
        stop: the pause that its punctuation asks for.
    """

    start: int
    end: int
    letters: float
    stop: Stop = Stop.NONE


_ZERO_WIDTH_JOINER = "\u200d"
_THAI_AND_LAO_AM = "\u0e33\u0eb3"  # letters by category, but part of the one before
_JAMO = range(0x1100, 0x1200)
_VOWELS_AND_FINALS = range(0x1160, 0x1200)
_FLAGS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)

_UNSPACED = (
    (range(0x0E01, 0x0F00), 1.6),  # Thai, Lao: vowels count on their own
    (range(0x1000, 0x10A0), 1.8),  # Burmese
    (range(0x1780, 0x1800), 1.8),  # Khmer
    (range(0x3041, 0x3100), 2.4),  # kana: a mora
    (range(0x31F0, 0x3200), 2.4),
    (range(0xFF66, 0xFF9E), 2.4),
    (range(0x3400, 0xA000), 4.0),  # Han
    (range(0xF900, 0xFB00), 4.0),
    (range(0x20000, 0x32000), 4.0),
)
_SYLLABLES = range(0xAC00, 0xD7A4)  # Hangul, written with spaces
_SYLLABLE_LETTERS = 3.2

_SENTENCE_ENDS = ".!?…。！？｡।۔؟"
_CLAUSE_ENDS = ",;:—–、，；：､،؛"
_CLOSERS = "\"'”’»)]}*_`」』）"
_ABBREVIATIONS = {
    **{"mr": 6, "mrs": 6, "ms": 3, "dr": 6, "prof": 9, "st": 5, "vs": 6, "etc": 10, "no": 6},
    **{"e.g": 10, "i.e": 6, "approx": 13, "dept": 10, "mt": 5, "jr": 6, "sr": 6},
    **{"jan": 7, "feb": 8, "aug": 6, "sept": 9, "oct": 7, "nov": 8, "dec": 8},
    **{"mon": 6, "tue": 7, "wed": 8, "thu": 8, "fri": 6, "sat": 8, "sun": 6},
    **{"km": 10, "kg": 9, "cm": 11, "mm": 11, "min": 7, "hrs": 5, "sec": 7, "ft": 4, "lb": 6},
}
_TITLES = frozenset(("mr", "mrs", "ms", "dr", "prof", "st", "mt", "e.g", "i.e", "vs", "no"))
_SIGNS = {
    **dict.fromkeys("$€£¥₹%", 7.0),
    **{"&": 3.0, "@": 2.0, "+": 4.0, "=": 6.0, "#": 6.0, "°": 7.0, "/": 2.0},
}
_DIGITS = (0.0, 3.8, 7.5, 17.0, 19.0)
"""Of a run of so many: four, forty-two, three hundred and six, a year or thousands."""
_MORE_DIGITS = 6.5
_THOUSAND = 8.0
_POINT = 5.0
_SPELLED = 3.4
"""Letters that the name of a letter is as long as."""

_LENGTHENED = 2.0
"""By so many letters a word is longer before a stop,"""
_PAUSES = {Stop.NONE: 0.0, Stop.CLAUSE: 2.5, Stop.SENTENCE: 5.0}
"""and so long is the pause."""

_PARTS = re.compile(r"\d+|[^\W\d_]+|.", re.DOTALL)
_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ISO_DAY_LETTERS = 36.0
_CLOCK = re.compile(r"\d{1,2}:\d\d")


def graphemes(text: str) -> Iterator[str]:
    """Yields what a reader takes for one character each: marks and joined emoji stay together."""
    start = 0
    for i in range(1, len(text)):
        if not _belongs(text, start, i):
            yield text[start:i]
            start = i
    if text:
        yield text[start:]


def _belongs(text: str, start: int, i: int) -> bool:
    """Tells whether the character at ``i`` goes on with what began at ``start``."""
    before, here = text[i - 1], text[i]
    if here.isascii() and before.isascii():
        return before == "\r" and here == "\n"
    code = ord(here)
    if (
        unicodedata.category(here) in ("Mn", "Me", "Mc")
        or here in _THAI_AND_LAO_AM
        or _ZERO_WIDTH_JOINER in (here, before)
        or code in _SKIN_TONES
        or code in _TAGS
    ):
        return True
    if code in _FLAGS:
        return ord(before) in _FLAGS and (i - start) % 2 == 1
    return code in _VOWELS_AND_FINALS and (ord(before) in _JAMO or ord(before) in _SYLLABLES)


def words_of(text: str) -> list[Word]:
    """Returns the words of a text in order."""
    found: list[Word] = []
    start = end = 0  # of the word that is being read
    for cluster in graphemes(text):
        if cluster.isspace() or (_stands_alone(cluster) and start < end):
            _close(found, text, start, end)
            start = end
        end += len(cluster)
        if cluster.isspace():
            start = end
            continue
        before = end - len(cluster)
        # Punctuation and closing marks stay with the character before them.
        if start < before and _stands_alone(text[start]) and cluster[0].isalnum():
            _close(found, text, start, before)
            start = before
    _close(found, text, start, end)
    return found


def _close(found: list[Word], text: str, start: int, end: int) -> None:
    if start < end:
        word = text[start:end]
        found.append(Word(start, end, spoken_letters(word), _stop_after(word)))


def _stands_alone(cluster: str) -> bool:
    """Tells whether a character is of a script that is written without spaces."""
    return _letters_unspaced(cluster) > 0


def _letters_unspaced(cluster: str) -> float:
    code = ord(cluster[0])
    if code < 0x0E01:
        return 0.0
    return next((letters for codes, letters in _UNSPACED if code in codes), 0.0)


def _stop_after(word: str) -> Stop:
    core = word.rstrip(_CLOSERS)
    if not core:
        return Stop.NONE
    if core[-1] in _SENTENCE_ENDS:
        bare = core[:-1].lstrip("\"'“‘«([{*_`")
        known = bare.lower() in _TITLES or (len(bare) == 1 and bare.isupper() and bare != "I")
        return Stop.NONE if core[-1] == "." and known else Stop.SENTENCE
    return Stop.CLAUSE if core[-1] in _CLAUSE_ENDS else Stop.NONE


def spoken_lengths(words: Sequence[Word]) -> list[float]:
    """Returns how long each word is in its text, in letters."""
    return [word.letters + (_LENGTHENED if word.stop and word.letters else 0.0) for word in words]


def pause_lengths(words: Sequence[Word]) -> list[float]:
    """Returns how long the pause behind each word is, in letters, where nobody can tell."""
    pauses = [_PAUSES[word.stop] if word.letters else 0.0 for word in words]
    return [*pauses[:-1], 0.0] if pauses else []


def spoken_letters(word: str) -> float:
    """Returns how long a word is when it is spoken, in letters of an English word."""
    bare = word.strip(".,;:!?\"'()[]{}").lower()
    if bare in _ABBREVIATIONS and (word.rstrip(",;:").endswith(".") or bare in ("km", "kg", "cm")):
        return float(_ABBREVIATIONS[bare])
    if _ISO_DAY.search(word):
        return _ISO_DAY_LETTERS + spoken_letters(_ISO_DAY.sub("", word, count=1))
    total = 0.0
    parts = _PARTS.findall(word)
    for i, part in enumerate(parts):
        after = parts[i + 1] if i + 1 < len(parts) else ""
        if part.isdigit() or part.isdecimal():
            total += _digits(part, parts, i)
        elif part[0].isalpha():
            total += _letters(part)
        elif part in _SIGNS:
            total += _SIGNS[part]
        elif part == "." and i and after and (parts[i - 1] + after).isalnum():
            total += _POINT if after.isdigit() else 3.0
    return total


def _digits(part: str, parts: list[str], i: int) -> float:
    """Returns the length of a run of digits; behind a decimal point, and where there are many,
    each is spoken on its own."""
    if i >= 2 and parts[i - 1] == "." and parts[i - 2].isdigit():
        return _DIGITS[1] * len(part)
    if i >= 2 and parts[i - 1] == "," and len(part) == 3 and parts[i - 2].isdigit():
        return _THOUSAND + (_DIGITS[3] if part.strip("0") else 0.0)
    if len(part) < len(_DIGITS):
        return _DIGITS[len(part)]
    return _MORE_DIGITS * len(part)


def _letters(part: str) -> float:
    """Returns the length of a run of letters; a short one of capitals is spelled."""
    if part.isascii():
        if part.isupper() and (1 < len(part) <= 5):
            return _SPELLED * len(part)
        return float(len(part))
    total = 0.0
    for character in part:
        unspaced = _letters_unspaced(character)
        if unspaced:
            total += unspaced
        elif ord(character) in _SYLLABLES:
            total += _SYLLABLE_LETTERS
        else:
            total += 1.0
    return total
