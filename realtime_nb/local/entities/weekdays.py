"""Weekdays as values: how an argument that wants one writes it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Sequence

from realtime_nb.local.spoken import SHORT_WEEKDAYS, WEEKDAYS, any_of

__all__ = ["wants_weekday", "weekday_value"]

_EXAMPLE = re.compile(rf"\b(?:{any_of([*WEEKDAYS, *SHORT_WEEKDAYS])})\b", re.I)
_SAID = re.compile(r"\bday of (?:the )?week\b|\bweekday\b", re.I)
_CALENDAR = re.compile(r"YYYY|\d{4}-\d\d|ISO 8601", re.I)


def wants_weekday(words: Collection[str], choices: Sequence[object], hint: str) -> bool:
    """Tells whether an argument is a day of the week, not a day of the calendar.

    Args:
        words: The words of its name, in small letters.
        choices: The allowed values, if there is a list of them.
        hint: Its description and examples.
    """
    if choices:
        return len(choices) > 1 and all(map(_names_weekday, choices))
    if "weekday" in words or {"day", "week"} <= set(words):
        return True
    if _CALENDAR.search(hint):
        return False
    return "day" in words and bool(_SAID.search(hint) or _EXAMPLE.search(hint))


def weekday_value(day: datetime.date, choices: Sequence[object], hint: str) -> str | None:
    """Returns the weekday in the form of the allowed values or of the example, else like "Monday".

    None if the values that are allowed don't have it.
    """
    weekday = WEEKDAYS[day.weekday()]
    if choices:
        fitting = (str(each) for each in choices if weekday.lower().startswith(str(each).lower()))
        return next(fitting, None)
    example = _EXAMPLE.search(hint)
    if example is None:
        return weekday
    if len(example[0]) < len("Friday"):
        weekday = weekday[:3]
    if example[0].islower():
        return weekday.lower()
    return weekday.upper() if example[0].isupper() else weekday


def _names_weekday(value: object) -> bool:
    text = str(value).lower()
    return len(text) > 1 and any(weekday.lower().startswith(text) for weekday in WEEKDAYS)
