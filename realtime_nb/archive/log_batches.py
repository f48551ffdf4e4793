"""Takes apart what holds many entries of a log: documents, rows of tables, batches of a collector.

Where the events lie in them is not asked by name: a list is taken apart, and an object around lists
is, unless it is an entry itself.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeGuard

from realtime_nb.archive.log_times import time_of
from realtime_nb.protocol.events import JsonObject

__all__ = ["entries_in", "table_in"]

_DEEPEST = 12
_PAIRS = (("field", "value"), ("key", "value"), ("name", "value"))
_OTHERS = ("dir", "direction", "source", "from", "sender", "origin")
"""Names under which a word of a row is looked at that tells no time."""
_CELL = re.compile(rb'"\s*\{\s*""')
"""How an object begins in a table whose quotes are doubled."""
_LONGEST_CELL = 1 << 27


def entries_in(
    value: object, is_entry: Callable[[JsonObject], bool], depth: int = 0
) -> Iterator[object]:
    """Yields the entries that a document, or an object of a line, holds; itself where it is one, or
    holds none.

    Args:
        value: what was read of it.
        is_entry: whether an object is an event, or one around an event.
    """
    if depth > _DEEPEST or not isinstance(value, list | dict):
        yield value
    elif isinstance(value, list):
        row = _row(value, is_entry)
        if row is not None:
            yield row
            return
        for one in value:
            yield from entries_in(one, is_entry, depth + 1)
    elif is_entry(value):
        yield value
    else:
        held = (one for one in value.values() if isinstance(one, list | dict))
        inner = [*chain.from_iterable(entries_in(one, is_entry, depth + 1) for one in held)]
        found = [one for one in inner if _holds(one, is_entry)]
        yield from found or [value]


def _holds(value: object, is_entry: Callable[[JsonObject], bool]) -> bool:
    return is_entry(value if isinstance(value, dict) else {"message": value})


def _row(cells: Sequence[object], is_entry: Callable[[JsonObject], bool]) -> JsonObject | None:
    """Returns a list of which one part is an event, and the others tell of it, as an object."""
    if _are_objects(cells):
        for name, held in _PAIRS:
            if all({name, held} <= cell.keys() for cell in cells):
                pairs = {str(cell[name]).lstrip("@"): cell[held] for cell in cells}
                one = sum(map(_looks_json, pairs.values())) == 1 < len(pairs)
                return pairs if one and is_entry(pairs) else None
        return None
    if all(isinstance(cell, str) for cell in cells) and sum(_looks_json(c) for c in cells) != 1:
        return None
    events = [cell for cell in cells if _looks_json(cell) and _holds(cell, is_entry)]
    if len(events) != 1:
        return None
    row: JsonObject = {"event": events[0]}
    others = iter(_OTHERS)
    for cell in cells:
        if cell is events[0] or not isinstance(cell, str | int | float):
            continue
        if "timestamp" not in row and time_of(cell, "") is not None:
            row["timestamp"] = cell
        elif (other := next(others, None)) is not None:
            row[other] = cell
    return row if len(row) > 1 else None


def _are_objects(cells: Sequence[object]) -> TypeGuard[Sequence[JsonObject]]:
    return bool(cells) and all(isinstance(cell, dict) for cell in cells)


def _looks_json(cell: object) -> bool:
    return isinstance(cell, dict) or (isinstance(cell, str) and cell.lstrip()[:1] == "{")


# --- tables ---------------------------------------------------------------------------------------


def table_in(content: bytes) -> list[object] | None:
    """Returns the rows of a table in text whose cells hold events, as spreadsheets and consoles
    export them; by the names of the columns where the first row tells them."""
    if _CELL.search(content) is None:
        return None
    text = content.decode("utf-8", "replace").replace("\0", "")
    longest = csv.field_size_limit(_LONGEST_CELL)
    try:
        rows = [*csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))]
    except csv.Error:
        return None
    finally:
        csv.field_size_limit(longest)
    if not rows or any(map(_looks_json, rows[0])):
        return [*rows]
    names = [name.strip().lstrip("@") for name in rows[0]]
    return [dict(zip(names, row, strict=False)) for row in rows[1:] if row]


def _delimiter(text: str) -> str:
    """Returns what parts the cells: what stands before the first object or behind it."""
    head = text[: text.index("{")].rstrip().removesuffix('"').rstrip(" ")
    return (
        head[-1:]
        if head[-1:] in (",", ";", "\t", "|")
        else next((one for one in ",;\t|" if one in text.partition("\n")[0]), ",")
    )
