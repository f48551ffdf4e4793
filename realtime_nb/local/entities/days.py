"""Days of the calendar, as people say them."""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Callable

from realtime_nb.local.entities.found import Found, overlaps, pattern
from realtime_nb.local.entities.numbers import CARDINAL, ONES, ORDINAL, words_value
from realtime_nb.local.spoken import MONTHS, SHORT_MONTHS, TENS, WEEKDAYS, any_of

__all__ = ["find_dates"]

_DAY = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?(?![\d:/])|{ORDINAL}|{CARDINAL})"
_NTH = rf"(?:\d{{1,2}}(?:st|nd|rd|th)|{ORDINAL})"
_WEEKDAY = f"(?:{any_of(WEEKDAYS)})"
_MONTH = rf"(?:(?:{any_of(MONTHS)})\b|(?:{any_of(SHORT_MONTHS)})\b\.?)"
_YEAR = rf"(?:(?:19|20)\d\d|twenty[\s-]+(?:(?:{any_of(TENS)})(?:[\s-]+(?:{ONES}))?))"
_COUNT = rf"(?:\d+|an?|{CARDINAL})"
_UNIT = "(?P<unit>day|week|fortnight|month)s?"
_LED = rf"(?:\b{_WEEKDAY},?\s+)?(?:\bthe\s+)?"

_DayRule = tuple[re.Pattern[str], Callable[[re.Match[str], datetime.date], datetime.date | None]]


def find_dates(text: str, today: datetime.date) -> list[Found[datetime.date]]:
    """Returns the days that are named in a text (the package's words tell how)."""
    found: list[Found[datetime.date]] = []
    for rule, day_of in _DAY_RULES:
        for match in rule.finditer(text):
            if overlaps(match.span(), [other.span for other in found]):
                continue
            try:
                day = day_of(match, today)
            except (ValueError, OverflowError):
                continue
            if day:
                found.append(Found(day, *match.span()))
    return sorted(found, key=lambda each: each.start)


def _iso(match: re.Match[str], today: datetime.date) -> datetime.date:
    return datetime.date(int(match[1]), int(match[2]), int(match[3]))


def _month_and_day(match: re.Match[str], today: datetime.date) -> datetime.date | None:
    month = [name[:3] for name in MONTHS].index(match["month"][:3].capitalize()) + 1
    day = match["day"] or match.groupdict()["nth"]
    return _calendar_day(month, words_value(day), match["year"], today)


def _dotted(match: re.Match[str], today: datetime.date) -> datetime.date:
    return datetime.date(int(match[3]), int(match[2]), int(match[1]))


def _slashed(match: re.Match[str], today: datetime.date) -> datetime.date | None:
    # Month first, unless only the other order makes a date.
    first, second = int(match[1]), int(match[2])
    month, day = (second, first) if first > 12 else (first, second)
    return _calendar_day(month, day, match[3], today)


def _calendar_day(
    month: int, day: int, year: str | None, today: datetime.date
) -> datetime.date | None:
    if year:
        return datetime.date(_year_value(year), month, day)
    for candidate in range(today.year, today.year + 9):  # a leap day may be eight years away
        try:
            found = datetime.date(candidate, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    return None


def _year_value(year: str) -> int:
    if year[0].isdigit():
        return int(year) if len(year) == 4 else 2000 + int(year)
    return 2000 + words_value(re.split(r"[\s-]+", year, maxsplit=1)[1])


def _day_of_month(match: re.Match[str], today: datetime.date) -> datetime.date | None:
    wanted = words_value(match["day"])
    days = (today + datetime.timedelta(days=ahead) for ahead in range(62))
    return next((day for day in days if day.day == wanted), None)


def _coming(weekday: str, today: datetime.date, least: int = 1) -> datetime.date:
    number = WEEKDAYS.index(weekday.capitalize())
    return today + datetime.timedelta(days=(number - today.weekday() - least) % 7 + least)


def _weekday(match: re.Match[str], today: datetime.date) -> datetime.date:
    this = (match["which"] or "").lower() == "this"
    after_next = 7 if match["after"] else 0
    day = _coming(match["weekday"], today, least=0 if this else 1)
    return day + datetime.timedelta(days=after_next)


def _next_week(match: re.Match[str], today: datetime.date) -> datetime.date:
    sunday = today + datetime.timedelta(days=6 - today.weekday())
    return _coming(match["weekday"] or match["before"], sunday)


def _distance(match: re.Match[str], today: datetime.date) -> datetime.date:
    start = (match.groupdict().get("start") or "today").lower()
    if start == "tomorrow":
        today += datetime.timedelta(days=1)
    elif start not in ("now", "today"):
        today = _coming(start, today)
    count, unit = words_value(match["count"]), match["unit"].lower()
    if unit == "month":
        return _months_later(today, count)
    return today + datetime.timedelta(days=count * {"week": 7, "fortnight": 14}.get(unit, 1))


def _months_later(day: datetime.date, count: int) -> datetime.date:
    """Returns the same day of a later month, or that month's last one."""
    years, month = divmod(day.month - 1 + count, 12)
    year = day.year + years
    if year > datetime.MAXYEAR:
        raise OverflowError(f"{count} months lie beyond all calendars")
    last = calendar.monthrange(year, month + 1)[1]
    return datetime.date(year, month + 1, min(day.day, last))


_NEAR_DAYS = {"yesterday": -1, "tomorrow": 1, "day after tomorrow": 2}


def _near(match: re.Match[str], today: datetime.date) -> datetime.date:
    words = " ".join(match["word"].lower().replace("-", "").split())
    return today + datetime.timedelta(days=_NEAR_DAYS.get(words, 0))


# The first rule that matches a stretch of text has it: the more exact ones come first.
_DAY_RULES: tuple[_DayRule, ...] = (
    (pattern(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b"), _iso),
    (pattern(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b"), _dotted),
    (pattern(r"\b(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d\d))?\b"), _slashed),
    (
        pattern(
            rf"""{_LED}\b(?:(?P<day>{_DAY})\s+(?:day\s+)?of|(?P<nth>{_NTH}))\s+(?P<month>{_MONTH})
            (?:,?\s+(?P<year>{_YEAR})\b)?"""
        ),
        _month_and_day,
    ),
    (
        pattern(
            rf"""{_LED}\b(?P<month>{_MONTH})\s+(?:the\s+)?(?P<day>{_DAY})\b
            (?:,?\s+(?P<year>{_YEAR})\b)?"""
        ),
        _month_and_day,
    ),
    (
        pattern(
            rf"""{_LED}\b(?P<day>{_DAY})\s+(?P<month>{_MONTH})
            (?:,?\s+(?P<year>{_YEAR})\b)?"""
        ),
        _month_and_day,
    ),
    (
        pattern(
            rf"""\b(?P<count>{_COUNT})\s+{_UNIT}\s+(?:from|after)\s+
            (?P<start>now|today|tomorrow|{_WEEKDAY})\b"""
        ),
        _distance,
    ),
    (pattern(rf"\bin\s+(?P<count>{_COUNT})\s+{_UNIT}\b"), _distance),
    (
        pattern(
            rf"""\b(?:next\s+week,?\s+(?:(?:on|maybe|perhaps|say)\s+)*(?P<weekday>{_WEEKDAY})
            |(?P<before>{_WEEKDAY}),?\s+(?:of\s+)?next\s+week)\b"""
        ),
        _next_week,
    ),
    (
        pattern(rf"\b{_WEEKDAY},?\s+(?:the\s+)?(?P<day>{_NTH})\b"),
        _day_of_month,
    ),
    (pattern(r"\b(?:the\s+)?(?P<day>\d\d?(?:st|nd|rd|th))\b(?!\s+floor|\s+time)"), _day_of_month),
    (
        pattern(
            rf"""\b(?:on|for|by|until|from|about)\s+the\s+
            (?P<day>{ORDINAL}|(?:twenty|thirty)[\s-](?:{ONES}))\b
            (?!\s+(?:floor|time|one|half|part|people))"""
        ),
        _day_of_month,
    ),
    (
        pattern(
            rf"\b(?:(?P<which>this|next|the)\s+)?(?P<weekday>{_WEEKDAY})s?\b(?P<after>\s+after\s+next)?"
        ),
        _weekday,
    ),
    (
        pattern(
            r"""\b(?P<word>day\s+after\s+to-?morrow|to-?morrow|yesterday|to-?day|to-?night
            |this\s+(?:morning|afternoon|evening))\b"""
        ),
        _near,
    ),
)
