"""Times of day, as people say them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence

from realtime_nb.local.entities.found import Found, TextSpan, overlaps, pattern
from realtime_nb.local.entities.numbers import CARDINAL, ONES, words_value
from realtime_nb.local.spoken import ORDINALS, SMALL_NUMBERS, any_of

__all__ = ["find_times"]

_HOUR = (
    rf"(?:\d{{1,2}}(?![\d/]|\.\d)|(?:twenty[\s-]+(?:one|two|three)|twenty|{any_of(SMALL_NUMBERS)}))"
)
_MINUTE = rf"""(?:(?:oh|o|zero)[\s-]+(?:{ONES})|[0-5]\d\b
    |(?:twenty|thirty|forty|fifty)(?:[\s-]+(?:{ONES}))?|{any_of(SMALL_NUMBERS[10:])})"""
_TWELVE = f"(?:{any_of(SMALL_NUMBERS[1:13])})"
_NO_PRONOUN = "".join(  # "the first one" is no hour
    rf"(?<!\b{word}\s)"
    for word in ("the", "this", "that", "another", "any", "which", "last", "next", *ORDINALS[:5])
)
_OCLOCK = r"(?:\s*o\s?['’]?\s?clock)"
_PART = r"""(?:\s*(?P<part>a\.?\s?m\b\.?|p\.?\s?m\b\.?
    |(?:in\s+the\s+|this\s+)(?:early\s+|late\s+)?(?:morning|afternoon|evening)
    |at\s+night|tonight)(?!\w))"""
_AT = r"""\b(?:at|around|by|before|after|until|till|from|between|starting|for|to|and|or|the|take
    |make\s+it|make\s+that)\s+(?:about\s+|around\s+)?"""
_AT_BARE = r"""\b(?:at|around|by|before|after|until|till|make\s+it|make\s+that)\s+
    (?:about\s+|around\s+)?"""
_COUNTED = r"""(?!\s*(?:%|-|percent|(?:more\s+)?(?:minutes?|hours?|seconds?|days?|weeks?|months?
    |years?|people|persons?|guests?|dollars?|euros?|pounds?|miles?|meters?|metres?|degrees?|times|hundred
    |thousand|point|of)\b))"""
_TimeRule = tuple[re.Pattern[str], Callable[[re.Match[str]], tuple[int, int]]]


def find_times(
    text: str, ignore: Sequence[TextSpan] = (), asked: bool = False
) -> list[Found[datetime.time]]:
    """Returns the times of day that are named in a text.

    Args:
        text: What was said.
        ignore: Places where an hour can't be, such as those of dates.
        asked: The text answers "At what time?", so a bare number is an hour.
    """
    found: list[Found[datetime.time]] = []
    for rule, clock_of in (*_TIME_RULES, *(_ANSWER_RULES if asked else ())):
        for match in rule.finditer(text):
            taken = [*ignore, *(other.span for other in found)]
            if overlaps(match.span("clock"), taken):
                continue
            time = _time(*clock_of(match), match, text)
            if time:
                found.append(Found(time, *match.span("clock")))
    return sorted(found, key=lambda each: each.start)


def _time(hour: int, minute: int, match: re.Match[str], text: str) -> datetime.time | None:
    part = _day_part(match.groupdict().get("part") or "")
    said_in_24_hours = hour > 12 or match["clock"].startswith("0")
    if hour > 23 or minute > 59 or hour < 0:
        return None
    if "noon" in match["clock"].lower() or "midnight" in match["clock"].lower():
        return datetime.time(hour, minute)
    if not said_in_24_hours:
        hour = _in_24_hours(hour, part or _day_part_around(text))
    return datetime.time(hour, minute)


def _day_part(words: str) -> str:
    letters = re.sub(r"[\s.]", "", words.lower())
    for part in ("morning", "afternoon", "evening", "night"):
        if letters.endswith(part):
            return part
    return {"am": "morning", "pm": "afternoon"}.get(letters, "")


def _day_part_around(text: str) -> str:
    """Returns the part of the day that is named somewhere else: "tomorrow evening at eight"."""
    parts = re.findall(r"(?<!good )\b(morning|afternoon|evening|tonight)\b", text.lower())
    return _day_part(parts[-1]) if parts else "office"


def _in_24_hours(hour: int, part: str) -> int:
    if part == "morning":
        return hour % 12
    if part == "night":
        return hour % 12 if hour == 12 or hour < 5 else hour + 12
    if part in ("afternoon", "evening"):
        return hour % 12 + 12
    return hour + 12 if 1 <= hour <= 6 else hour


def _digital(match: re.Match[str]) -> tuple[int, int]:
    return int(match["hour"]), int(match["minute"])


def _worded(match: re.Match[str]) -> tuple[int, int]:
    minute = match.groupdict().get("minute")
    return words_value(match["hour"]), _minute_value(minute) if minute else 0


def _minute_value(minute: str) -> int:
    if minute[0].isdigit():
        return int(minute)
    return words_value(re.sub(r"^(?:oh|o|zero)[\s-]+", "", minute, flags=re.I))


def _relative(match: re.Match[str]) -> tuple[int, int]:
    hour_word = match["hour"].lower()
    hour = {"noon": 12, "midday": 12, "midnight": 0}.get(hour_word)
    hour = words_value(hour_word) if hour is None else hour
    step = {"half": 30, "quarter": 15}.get(match["step"].lower().split()[-1])
    minutes = words_value(match["step"]) if step is None else step
    if match["direction"].lower() in ("past", "after"):
        return hour, minutes
    return (hour - 1) % (24 if hour in (0, *range(13, 24)) else 12) or 12, 60 - minutes


def _named(match: re.Match[str]) -> tuple[int, int]:
    return (0 if "midnight" in match["clock"].lower() else 12), 0


_TIME_RULES: tuple[_TimeRule, ...] = (
    (
        pattern(
            rf"""\b(?P<clock>(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::[0-5]\d)?)
            (?:\b|(?=[ap]\.?m\b)){_PART}?"""
        ),
        _digital,
    ),
    (
        pattern(
            rf"""\b(?P<clock>(?P<hour>[01]?\d|2[0-3])[.\s]?(?P<minute>[0-5]\d))(?![\d.]){_PART}"""
        ),
        _digital,
    ),
    (
        pattern(
            rf"""{_AT_BARE}(?P<clock>(?P<hour>[01]?\d|2[0-3])[.\s]?(?P<minute>[0-5]\d))
            (?!\d|\.\d)\b{_COUNTED}"""
        ),
        _digital,
    ),
    (
        pattern(
            rf"""(?<!from\s)\b(?P<clock>(?:(?P<step>half|(?:a\s+)?quarter
            |five|ten|twenty|twenty[\s-]five|5|10|20|25|(?:{CARDINAL}|[0-5]?\d)(?=\s+minutes?\b))
            (?:\s+minutes?)?)[\s-]+(?P<direction>past|after|to|before|till)[\s-]+
            (?P<hour>noon|midday|midnight|{_HOUR}))\b{_OCLOCK}?{_PART}?"""
        ),
        _relative,
    ),
    (
        pattern(
            rf"(?:{_AT})(?P<clock>(?P<hour>{_HOUR})[\s-]+(?P<minute>{_MINUTE}))\b{_PART}?{_COUNTED}"
        ),
        _worded,
    ),
    (pattern(rf"\b(?P<clock>(?P<hour>{_HOUR})[\s-]+(?P<minute>{_MINUTE}))\b{_PART}"), _worded),
    (  # a hyphen says as much as "at": "nine-thirty, please"
        pattern(rf"\b(?P<clock>(?P<hour>{_TWELVE})-(?P<minute>{_MINUTE}))\b{_COUNTED}"),
        _worded,
    ),
    (
        pattern(r"\b(?P<clock>(?:(?:12|twelve)\s+(?:o'clock\s+)?)?(?:noon|midday|midnight))\b"),
        _named,
    ),
    (pattern(rf"\b(?P<clock>(?P<hour>{_HOUR}){_OCLOCK})\b{_PART}?"), _worded),
    (pattern(rf"\b(?P<clock>(?P<hour>{_HOUR})){_PART}"), _worded),
    (pattern(rf"{_AT_BARE}(?P<clock>(?P<hour>{_HOUR}))\b{_COUNTED}"), _worded),
)
_ANSWER_RULES: tuple[_TimeRule, ...] = (
    (pattern(rf"\b(?P<clock>(?P<hour>{_HOUR})[\s-]+(?P<minute>{_MINUTE}))\b{_COUNTED}"), _worded),
    (pattern(rf"{_NO_PRONOUN}\b(?P<clock>(?P<hour>{_HOUR}))\b{_COUNTED}"), _worded),
)
