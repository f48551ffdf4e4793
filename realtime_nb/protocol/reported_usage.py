"""Token counts as servers write them down, and as loggers leave them: 119, 119.0, "119", "1,190".

What can't be read as a count is None, never 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal

from realtime_nb.protocol.wire import JsonObject

__all__ = ["added_up", "cached_split", "count_of", "details_of", "number_of"]

_GROUPED = re.compile(r"\d{1,3}(?:([,_' \u00a0\u202f])\d{3})(?:\1\d{3})*(?:\.0+)?")


def number_of(value: object) -> float | None:
    """Returns a finite number from 0 on that a value stands for; None when it stands for none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        grouped = _GROUPED.fullmatch(text)
        try:
            value = float(text.replace(grouped[1], "") if grouped else text)
        except ValueError:
            return None
    if not isinstance(value, int | float) or not 0 <= value < math.inf:  # nor is NaN
        return None
    return value


def count_of(value: object) -> int | None:
    """Returns a whole number from 0 on that a value stands for; None when it stands for none."""
    number = number_of(value)
    return None if number is None or number != int(number) else int(number)


def details_of(usage: JsonObject, side: Literal["input", "output"]) -> JsonObject:
    """Returns how one side's tokens are split; empty where that is not told.

    Some servers write its name in the plural.
    """
    return _object(usage, f"{side}_token_details") or _object(usage, f"{side}_tokens_details")


def cached_split(inputs: JsonObject) -> JsonObject:
    """Returns how the cached tokens among the input's are split; empty where that is not told."""
    return _object(inputs, "cached_tokens_details") or _object(inputs, "cached_token_details")


def _object(raw: JsonObject, name: str) -> JsonObject:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def added_up(usages: Iterable[JsonObject]) -> dict[str, int]:
    """Returns the counts of these: input, cached (part of input), output and all."""
    totals = {"input_tokens": 0, "cached_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    for usage in usages:
        for name in ("input_tokens", "output_tokens", "total_tokens"):
            totals[name] += count_of(usage.get(name)) or 0
        cached = details_of(usage, "input").get("cached_tokens")
        totals["cached_tokens"] += count_of(cached) or 0
    return totals
