"""The words of numbers, days and months, and figures as words, before a voice reads them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence

__all__ = [
    "MONTHS",
    "ORDINALS",
    "SHORT_MONTHS",
    "SHORT_WEEKDAYS",
    "SMALL_NUMBERS",
    "TENS",
    "WEEKDAYS",
    "any_of",
    "clock_words",
    "day_words",
    "listed",
    "number_words",
    "ordinal_words",
    "speakable",
    "split_words",
]


def split_words(text: str) -> list[str]:
    """Returns the words of a text."""
    return text.split()


SMALL_NUMBERS = split_words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
"""Words of 0 to 19."""
TENS = split_words("twenty thirty forty fifty sixty seventy eighty ninety")
"""Words of 20, 30 … 90."""
ORDINALS = split_words(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
)
"""Words of 1st to 19th."""
WEEKDAYS = split_words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
SHORT_WEEKDAYS = split_words("Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun")
MONTHS = split_words(
    "January February March April May June July August September October November December"
)
SHORT_MONTHS = split_words("Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec")


def any_of(words: Iterable[str]) -> str:
    """Returns a regular expression for any of the words, longer ones first."""
    return "|".join(sorted(words, key=len, reverse=True))


def listed(parts: Sequence[str], last: str) -> str:
    """Returns several as they are said: "one, two and three"; ``last`` is "and" or "or"."""
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


_LARGEST = 999_999
_ISO_DAY = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)(?:T(?=\d\d:)|\b)")
_CLOCK = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d(?:\.\d+)?)?\b")
_MONTH_DAY = re.compile(rf"\b({any_of(MONTHS)}) (\d\d?)\b(?![:.]\d)")
_NUMBER = re.compile(r"(?<![\w.,-])(-?)(\d{1,6}|\d{1,3},\d{3})(\.\d{1,4})?(?!-?\w|[.,]\d)")


def number_words(number: int) -> str:
    """Returns a whole number below a million as words: 124 → "one hundred twenty-four"."""
    if number < 0:
        return f"minus {number_words(-number)}"
    if number > _LARGEST:
        return str(number)
    if number < 20:
        return SMALL_NUMBERS[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens - 2] + (f"-{SMALL_NUMBERS[ones]}" if ones else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    head, rest = divmod(number, size)
    return f"{number_words(head)} {name}" + (f" {number_words(rest)}" if rest else "")


def ordinal_words(number: int) -> str:
    """Returns the day of a month as words: 24 → "twenty-fourth"."""
    if number < 20:
        return ORDINALS[number - 1]
    tens, ones = divmod(number, 10)
    return f"{TENS[tens - 2]}-{ORDINALS[ones - 1]}" if ones else f"{TENS[tens - 2][:-1]}ieth"


def clock_words(time: datetime.time) -> str:
    """Returns a time of day as words: 14:30 → "two thirty in the afternoon"."""
    if time.minute == 0 and time.hour in (0, 12):
        return "noon" if time.hour else "midnight"
    hour = SMALL_NUMBERS[(time.hour - 1) % 12 + 1]
    minute = f" {_minute_words(time.minute)}" if time.minute else ""
    part = "morning" if time.hour < 12 else "afternoon" if time.hour < 18 else "evening"
    return f"{hour}{minute} in the {part}"


def _minute_words(minute: int) -> str:
    return f"oh {SMALL_NUMBERS[minute]}" if minute < 10 else number_words(minute)


def day_words(day: datetime.date) -> str:
    """Returns a day as words, without the year: "Tuesday, November twenty-fourth"."""
    return f"{WEEKDAYS[day.weekday()]}, {MONTHS[day.month - 1]} {ordinal_words(day.day)}"


def speakable(text: str) -> str:
    """Returns a text with its dates, times of day and numbers in words."""
    text = _ISO_DAY.sub(_iso_day, text)
    text = _CLOCK.sub(lambda m: clock_words(datetime.time(int(m[1]), int(m[2]))), text)
    text = _MONTH_DAY.sub(_month_day, text)
    return _NUMBER.sub(_number, text)


def _iso_day(match: re.Match[str]) -> str:
    try:
        day = datetime.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return match[0]
    return day_words(day) + (" at " if match[0].endswith("T") else "")


def _month_day(match: re.Match[str]) -> str:
    day = int(match[2])
    return f"{match[1]} {ordinal_words(day)}" if 1 <= day <= 31 else match[0]


def _number(match: re.Match[str]) -> str:
    words = number_words(int(match[2].replace(",", "")))
    if match[3]:
        words += " point " + " ".join(SMALL_NUMBERS[int(digit)] for digit in match[3][1:])
    return f"minus {words}" if match[1] else words
