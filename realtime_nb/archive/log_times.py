"""Reads the times that logs tell, in whatever way they tell them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

__all__ = ["Axis", "number_of", "over_midnight", "time_in_text", "time_of"]

Axis = Literal["session", "epoch", "day", "elapsed"]
"""What a time counts from: a recording's beginning, 1970, midnight, or some moment."""

_MOST_OF_A_DAY_S = 20 * 3_600

_MOMENT = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d+))?(?: ?(Z|[+-]\d\d:?\d\d))?"
)
_TIME_OF_DAY = re.compile(
    r"(?<![\d:])(\d{1,2}):(\d\d):(\d\d(?:[.,]\d+)?)(?![\d:])(?:\s?([AaPp])\.?[Mm]\b)?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMED_MOMENT = re.compile(
    rf"(\d{{1,2}})[/ -]({'|'.join(_MONTHS)})[a-z]*[/ -](\d{{4}})[: T]"
    r"(\d\d:\d\d:\d\d)(?:[.,](\d+))?(?: ?(Z|GMT|UTC|[+-]\d\d:?\d\d))?",
    re.IGNORECASE,
)
_UNITS_S = {"_ms": 1e-3, "_us": 1e-6, "_ns": 1e-9, "_s": 1.0}

_EPOCHS_S = (1e9, 4e9)
"""Moments that a log may be of; a number that is none, in no unit, counts from somewhere else."""
_EPOCH = re.compile(r"(?<![\d.])1\d{9}(?:\d{3}|\d{6}|\d{9}|\.\d+)?(?![\d.])")


def number_of(value: object) -> float | None:
    """Returns a number, be it written as text; None where it is none, or not finite."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def time_of(value: object, key: str) -> tuple[float, Axis] | None:
    """Returns the time in seconds that a field of that name tells; None where it tells none."""
    if isinstance(value, dict):
        return _time_inside(value, key)
    number = number_of(value)
    if number is None:
        return time_in_text(value) if isinstance(value, str) else None
    for unit_s in (1e-9, 1e-6, 1e-3, 1.0):
        if _EPOCHS_S[0] <= number * unit_s < _EPOCHS_S[1]:
            return number * unit_s, "epoch"
    unit_s = next((unit_s for end, unit_s in _UNITS_S.items() if key.endswith(end)), 0.0)
    return (number * unit_s, "elapsed") if unit_s else None


def _time_inside(held: Mapping[str, object], key: str) -> tuple[float, Axis] | None:
    """Returns the time that an object tells: of seconds and a rest, or the first that is one."""
    by_name = {name.strip("_$"): value for name, value in held.items()}
    seconds, rest_ns = (number_of(by_name.get(name)) for name in ("seconds", "nanos"))
    if seconds is not None and len(held) <= len(("seconds", "nanos")):
        return time_of(seconds + (rest_ns or 0.0) / 1e9, key)
    simple = (value for value in held.values() if isinstance(value, str | int | float))
    return next(filter(None, (time_of(value, key) for value in simple)), None)


def time_in_text(text: str) -> tuple[float, Axis] | None:
    """Returns the first time that a text tells.

    A clock of twelve hours is understood; the date beside it is not, because nothing tells its
    order.
    """
    if (found := _MOMENT.search(text)) is not None:
        year, month, day, clock, fraction, zone = found.groups(default="")
        try:
            moment = datetime.fromisoformat(
                f"{year}-{month}-{day}T{clock}.{fraction[:6] or '0'}{zone}"
            )
        except ValueError:
            return None
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp(), "epoch"
    if (found := _NAMED_MOMENT.search(text)) is not None:
        day, month, year, clock, fraction, zone = found.groups(default="")
        number = _MONTHS.index(month.lower()[:3]) + 1
        zone = "Z" if zone.isalpha() else zone
        return time_in_text(f"{year}-{number:02d}-{int(day):02d} {clock}.{fraction or '0'}{zone}")
    if (found := _TIME_OF_DAY.search(text)) is not None:
        hours, minutes, seconds, half = found.groups()
        hour = int(hours)
        if half is not None:
            hour = hour % 12 + (12 if half in "Pp" else 0)
        return hour * 3600 + int(minutes) * 60 + float(seconds.replace(",", ".")), "day"
    if (found := _EPOCH.search(text)) is not None:
        return time_of(float(found[0]), "")
    return None


def over_midnight(times_s: Sequence[float]) -> list[float]:
    """Returns times of day as seconds since the first day began, day after day."""
    found: list[float] = []
    days, before_s = 0, -math.inf
    for t_s in times_s:
        days += t_s < before_s - _MOST_OF_A_DAY_S
        before_s = before_s if math.isnan(t_s) else t_s
        found.append(t_s + days * 86_400)
    return found
