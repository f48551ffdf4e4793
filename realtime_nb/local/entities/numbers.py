"""Numbers in figures and words, and yes or no."""

from __future__ import annotations

import re
from collections.abc import Sequence

from realtime_nb.local.entities.found import Found, TextSpan, overlaps, pattern
from realtime_nb.local.spoken import ORDINALS, SMALL_NUMBERS, TENS, any_of

__all__ = ["CARDINAL", "ONES", "ORDINAL", "find_numbers", "find_yes_no", "words_value"]

ONES = any_of(SMALL_NUMBERS[1:10])
CARDINAL = rf"(?:(?:{any_of(TENS)})(?:[\s-]+(?:{ONES}))?|{any_of(SMALL_NUMBERS)})"
ORDINAL = (
    rf"(?:(?:{any_of(TENS)})[\s-]+(?:{any_of(ORDINALS[:9])})"
    rf"|twentieth|thirtieth|{any_of(ORDINALS)})"
)
_HUNDREDS = rf"(?:(?:a|{CARDINAL})\s+hundred(?:\s+(?:and\s+)?{CARDINAL})?|{CARDINAL})"
_THOUSANDS = rf"(?:(?:a|{_HUNDREDS})\s+thousand(?:,?\s+(?:and\s+)?{_HUNDREDS})?|{_HUNDREDS})"
_WORD_VALUES = (
    {word: value for value, word in enumerate(SMALL_NUMBERS)}
    | {word: 20 + 10 * index for index, word in enumerate(TENS)}
    | {word: value for value, word in enumerate(ORDINALS, 1)}
    | {"twentieth": 20, "thirtieth": 30, "a": 1, "an": 1, "oh": 0}
)
_SPOKEN_NUMBER = pattern(
    rf"""\b(?P<sign>minus\s+|negative\s+|(?<![\w-])-)?
    (?:(?P<digits>\d+(?:,\d{{3}})*(?:\.\d+)?)(?![\w])
      |(?P<words>{_THOUSANDS})\b(?P<point>\s+point(?:\s+(?:oh|{any_of(SMALL_NUMBERS[:10])}))+\b)?)"""
)
_NOT_COUNTED = re.compile(r"\b(?:this|that|the|which|another|any|no|each|every)\s+$", re.I)


def words_value(text: str) -> int:
    """Returns the value of a number below a million in words or figures, ordinal or not."""
    if text[0].isdigit():
        return int(re.match(r"\d+", text)[0])  # type: ignore[index]
    total = group = 0
    for word in re.findall(r"[a-z]+", text.lower()):
        if word == "hundred":
            group *= 100
        elif word == "thousand":
            total, group = group * 1000, 0
        else:
            group += _WORD_VALUES.get(word, 0)
    return total + group


def find_numbers(text: str, ignore: Sequence[TextSpan] = ()) -> list[Found[float]]:
    """Returns numbers in figures or words below a million; whole ones as ``int``.

    Args:
        text: What was said.
        ignore: Places to leave out, such as those of dates and times.
    """
    found: list[Found[float]] = []
    for match in _SPOKEN_NUMBER.finditer(text):
        words = match["words"]
        pronoun = words and words.lower() == "one" and _NOT_COUNTED.search(text[: match.start()])
        if pronoun or overlaps(match.span(), ignore):
            continue
        found.append(Found(_number_value(match), *match.span()))
    return found


def _number_value(match: re.Match[str]) -> float:
    sign = -1 if match["sign"] else 1
    if match["digits"]:
        figures = match["digits"].replace(",", "")
        return sign * (float(figures) if "." in figures else int(figures))
    value: float = words_value(match["words"])
    if match["point"]:
        digits = [_WORD_VALUES[word] for word in match["point"].lower().split()[1:]]
        value = float(f"{value}.{''.join(map(str, digits))}")
    return sign * value


def find_yes_no(text: str) -> bool | None:
    """Tells whether somebody agreed or declined; None if neither."""
    words = text.lower().replace("’", "'")
    if re.search(r"\b(?:no|nope|nah|don't|do not|not|never)\b", words):
        return False
    if re.search(r"\b(?:yes|yeah|yep|yup|sure|please|okay|ok|of course|right|correct)\b", words):
        return True
    return None
