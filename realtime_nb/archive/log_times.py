"""Reads the times that logs tell, in whatever way they tell them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
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
    number = number_of(value)
    if number is None:
        return time_in_text(value) if isinstance(value, str) else None
    size = abs(number)
    for above, unit_s in ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e9, 1.0)):
        if size >= above:
            return number * unit_s, "epoch"
    if key.endswith("_ms"):
        return number / 1000, "elapsed"
    return (number, "elapsed") if key.endswith("_s") else None


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
