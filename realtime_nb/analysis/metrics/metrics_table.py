"""The table of metrics as it is read: in groups, with what can't be known under its reasons."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from realtime_nb.analysis.columns.definitions import TABLES
from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.metrics.definitions import DEFINITIONS, ERRORS

__all__ = ["MetricsTable"]

_INDEX = "metric"
_SHOWN = ("p50", "p90", "p95")
_QUIET = "opacity:.7;font-size:85%"


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    known: list[dict[str, Any]]
    unknown: dict[str, list[str]]
    """Names by the reason."""


class MetricsTable(pd.DataFrame):
    """A DataFrame of metrics, which differs from others in how it is displayed.

    So are its rows; with other columns it is displayed as any table.
    """

    @property
    def _constructor(self) -> type[MetricsTable]:
        return MetricsTable

    def __repr__(self) -> str:
        return "\n".join(_lines(self)) if _is_whole(self) else super().__repr__()

    def _repr_html_(self) -> str | None:
        if _is_whole(self):
            return "".join(map(_group_html, _groups(self)))
        shown: str | None = super()._repr_html_()  # type: ignore[misc]
        return shown


def _is_whole(table: pd.DataFrame) -> bool:
    columns = [column.name for column in TABLES["metrics"].columns]
    return len(table) > 0 and table.index.name == _INDEX and [_INDEX, *table.columns] == columns


def _groups(table: pd.DataFrame) -> Iterator[_Group]:
    rows = records(pd.DataFrame(table).reset_index())
    for name in dict.fromkeys(_group_of(row[_INDEX]) for row in rows):
        own = [row for row in rows if _group_of(row[_INDEX]) == name]
        unknown: dict[str, list[str]] = {}
        for row in own:
            if row["value"] != row["value"]:
                unknown.setdefault(row["reason"] or "no reason is given", []).append(row[_INDEX])
        yield _Group(name, [row for row in own if row["value"] == row["value"]], unknown)


def _group_of(metric: str) -> str:
    return DEFINITIONS[metric].group if metric in DEFINITIONS else ERRORS


# --- as text --------------------------------------------------------------------------------------


def _lines(table: pd.DataFrame) -> Iterator[str]:
    width = max(len(str(name)) for name in table.index)
    for group in _groups(table):
        yield group.name
        for row in group.known:
            words = [f"  {row[_INDEX]:<{width}}  {_amount(row['value'], row['unit']):>12}"]
            yield "  ".join([*words, *_spread(row), f"[{row['source']}]"])
        for reason, names in group.unknown.items():
            yield f"  not known ({reason}): {', '.join(names)}"


def _spread(row: dict[str, Any]) -> Iterator[str]:
    if row["n"]:
        yield f"n {row['n']}"
    if row["n"] > 1:
        yield from (f"{name} {_amount(row[name], row['unit'])}" for name in _SHOWN[1:])


def _amount(value: float, unit: str) -> str:
    if value != value:
        return ""
    match unit:
        case "count":
            return f"{value:,.0f}"
        case "share":
            return f"{value:.1%}"
        case "usd":
            return f"${value:.4f}"
        case "ms" | "tokens":
            return f"{value:,.{0 if abs(value) >= 10 or not value else 1}f} {unit}"
    return f"{value:,.1f} {unit}"


# --- as HTML --------------------------------------------------------------------------------------


def _group_html(group: _Group) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("", "value", "n", *_SHOWN, "source"))
    rows = "".join(map(_row_html, group.known))
    table = f"<table><tr>{head}</tr>{rows}</table>" if rows else ""
    return f"<div><b>{html.escape(group.name)}</b>{table}{_unknown_html(group.unknown)}</div>"


def _row_html(row: dict[str, Any]) -> str:
    name = row[_INDEX]
    meaning = DEFINITIONS[name].meaning if name in DEFINITIONS else ""
    cells = [_amount(row["value"], row["unit"]), str(row["n"] or "")]
    cells += [_amount(row[name], row["unit"]) for name in _SHOWN]
    inner = "".join(f"<td>{html.escape(cell)}</td>" for cell in [*cells, row["source"] or ""])
    return f'<tr><td title="{html.escape(meaning)}">{html.escape(name)}</td>{inner}</tr>'


def _unknown_html(unknown: dict[str, list[str]]) -> str:
    if not unknown:
        return ""
    count = sum(map(len, unknown.values()))
    entries = "".join(
        f"<li>{html.escape(reason)}: {html.escape(', '.join(names))}</li>"
        for reason, names in unknown.items()
    )
    summary = f'<summary style="{_QUIET}">{count} not known</summary>'
    return f"<details>{summary}<ul>{entries}</ul></details>"
