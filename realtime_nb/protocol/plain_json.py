"""JSON of whatever a program holds: JSON has no NaN, and what is not known is null."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Any

__all__ = ["json_text", "plain_value"]

_NOTHING = ("NAType", "NaTType")
"""Of ``pd.NA`` and ``pd.NaT``, without importing pandas."""


def json_text(value: object) -> str:
    """Returns a value as JSON in a line that any parser and any encoding takes."""
    text = json.dumps(plain_value(value), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")  # of halves of characters


def plain_value(value: Any) -> Any:
    """Returns a value in what JSON has: numbers that are none and what is missing are None; arrays
    are lists, tables are lists of rows, and what it has no word for is a text."""
    if value is None or type(value).__name__ in _NOTHING:
        return None
    if isinstance(value, Enum):
        return plain_value(value.value)
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_key(name): plain_value(inner) for name, inner in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain_value(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return _of_packages(value)


def _of_packages(value: Any) -> Any:
    """Returns what NumPy and pandas have, else a list or a text."""
    if hasattr(value, "to_dict"):
        rows = hasattr(value, "columns")
        return plain_value(value.to_dict("records") if rows else value.to_dict())
    if hasattr(value, "tolist"):
        return plain_value(value.tolist())
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray):
        return [plain_value(inner) for inner in value]
    return str(value)


def _key(name: Any) -> str:
    return name if isinstance(name, str) else str(plain_value(name))
