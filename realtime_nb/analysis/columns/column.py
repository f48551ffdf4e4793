"""What is said of one column of a table, and what its cells are made of."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    from pandas.api.extensions import ExtensionArray

__all__ = ["Column", "ColumnNotes", "Kind", "Table", "unit_of"]

Kind = Literal["number", "count", "text", "flag", "list", "object"]

_DTYPES: Mapping[Kind, str] = {
    "number": "float64",
    "count": "Int64",
    "text": "string",
    "flag": "bool",
    "list": "object",
    "object": "object",
}

_UNITS = {
    "_ms": "ms",
    "_s": "s",
    "_share": "share",
    "_ratio": "share",
    "_tokens": "tokens",
    "_usd": "usd",
    "_dbfs": "dBFS",
    "_db": "dB",
    "_wpm": "words/min",
}

_SURROGATE = re.compile("[\ud800-\udfff]")


def unit_of(name: str) -> str:
    """Returns the unit that a name ends with; empty where it has none."""
    return next((unit for end, unit in _UNITS.items() if f"_{name}".endswith(end)), "")


@dataclass(frozen=True, slots=True)
class Column:
    """The definition of a column.

    Attributes:
        name: in the table.
        kind: ``count``: whole numbers; ``number``: all others; ``text``; ``flag``: True or False;
            ``list`` of texts; ``object``: whatever JSON holds.
        meaning: what it is, in a sentence or more.
        source: whose word it is.
        missing: when it is missing (NaN, or ``<NA>`` in counts and texts); empty where it never is.
        notes: the columns that say in each row why it is missing.
        said_unit: its unit, where its name does not say it.
    """

    name: str
    kind: Kind
    meaning: str
    source: str
    missing: str = ""
    notes: tuple[str, ...] = ()
    said_unit: str = ""

    @property
    def dtype(self) -> str:
        """That of pandas, with rows and without."""
        return _DTYPES[self.kind]

    @property
    def unit(self) -> str:
        """The unit; empty where there is none, as of texts."""
        return self.said_unit or (unit_of(self.name) if self.kind in ("number", "count") else "")

    def told(self) -> dict[str, str]:
        """Returns what ``df.attrs["columns"]`` says of it."""
        why = f" (see {', '.join(self.notes)})" if self.notes else ""
        return {
            "meaning": self.meaning,
            "unit": self.unit,
            "source": self.source,
            "missing": f"{self.missing}{why}",
        }

    def cells(self, values: Iterable[object]) -> ExtensionArray | pd.Series[Any]:
        """Returns the cells of this column, whatever a server put in them."""
        import pandas as pd

        found: Any = list(map(_CELLS[self.kind], values))
        cells: ExtensionArray | pd.Series[Any]
        if self.dtype == "object":
            cells = pd.Series(found, dtype="object")  # of an array, pandas would guess the type
        elif self.kind == "text":
            # Kept by pandas itself: comparisons of texts kept by Arrow don't go with other masks.
            cells = pd.array(found, dtype=pd.StringDtype("python"))
        else:
            cells = pd.array(found, dtype=self.dtype)
        return cells


@dataclass(frozen=True)
class Table:
    """A table and its columns, in order.

    Attributes:
        name: by which exports and :attr:`realtime_nb.recordings.collection.Recordings` know it.
        rows: what a row is, and where the table is.
        columns: all of them.
    """

    name: str
    rows: str
    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


class ColumnNotes(dict[str, dict[str, str]]):
    """What ``df.attrs["columns"]`` holds: by column its meaning, unit, source, and when it is
    missing.

    pandas copies ``attrs`` deeply with every step, which for so many words would take longer than
    the step. These are the same for all tables of a name and are not written to.
    """

    def __deepcopy__(self, memo: object) -> ColumnNotes:
        return self


# --- cells ----------------------------------------------------------------------------------------


def _number(value: Any) -> float:
    """Returns a number; NaN of what is none."""
    try:
        return math.nan if value is None or _is_na(value) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _count(value: Any) -> int | None:
    """Returns a whole number; None of what is none, or has no room in 64 bits."""
    number = _number(value)
    if not abs(number) < 2**63 or number != int(number):
        return None
    return int(value) if isinstance(value, int) else int(number)


def _text(value: Any) -> str | None:
    """Returns a text that every encoding can hold."""
    if type(value) is not str:
        if value is None or _is_na(value):
            return None
        value = str(value) if isinstance(value, str) else json.dumps(value, default=str)
    return value if value.isascii() else _SURROGATE.sub("\ufffd", value)


def _is_na(value: object) -> bool:
    """Tells whether it is NaN or ``pd.NA``."""
    return (isinstance(value, float) and math.isnan(value)) or type(value).__name__ == "NAType"


def _list(value: Any) -> list[str]:
    return list(value)


def _same(value: object) -> object:
    return value


_CELLS: Mapping[Kind, Callable[[Any], object]] = {
    "number": _number,
    "count": _count,
    "text": _text,
    "flag": bool,
    "list": _list,
    "object": _same,
}
