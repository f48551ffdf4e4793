"""Write ``docs/numbers.md``: what each number means, from where the package defines it.

::

    python scripts/write_numbers.py
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from realtime_nb.analysis.columns.column import Column
from realtime_nb.analysis.columns.definitions import TABLES
from realtime_nb.analysis.columns.shared import RECORDING
from realtime_nb.analysis.findings import timing
from realtime_nb.analysis.metrics.definitions import DEFINITIONS, ERROR_PREFIX, Metric

PAGE = Path(__file__).parents[1] / "docs" / "numbers.md"

_PARAGRAPHS = (
    "# What each number means",
    "Every column of every table, and every metric: what it is, its unit, whose word it is, and "
    "when it is missing. Written by `python scripts/write_numbers.py` from where the package "
    'defines them; `table.attrs["columns"]` says the same of a table\'s columns, by name: '
    "`meaning`, `unit`, `source` and `missing`.",
    "Units are in the names: `_ms` are durations, or positions in the user's audio (`onset_ms`, "
    "`offset_ms`, `audio_start_ms`, `audio_end_ms`), which counts from 0; `_s` are moments in "
    "seconds since the session began. What can't be known is missing, never 0: `NaN` in columns of "
    "numbers, `<NA>` in those of counts (`Int64`) and texts (`string`). Types and order are the "
    "same with rows and without.",
    "A comparison with `<NA>` is neither true nor false, so that "
    '`turns[turns.latency_note != "typed"]` leaves out all turns that have no note; '
    '`turns[turns.latency_note.fillna("") != "typed"]` does not.',
    f"Tables of many recordings (`rt.Recordings(…).turns`) have a first column `{RECORDING.name}`: "
    f"{RECORDING.source}.",
    "## Tables",
)

_AFTER = {
    "findings": "Rules about waiting say nothing below a limit: `slow-answer` speaks of a latency "
    f"above {timing.SLOW_MS:g} ms, `slow-tool` of a function that runs longer than "
    f"{timing.SLOW_CALL_MS:g} ms, and `endpoint-wait-dominates` where the median wait for the end "
    f"of the turn is above {timing.ENDPOINT_WAIT_MS:g} ms and more than "
    f"{timing.ENDPOINT_SHARE:.0%} of the median latency: a shorter one is not worth the turns that "
    "a shorter silence would split.",
}
"""What is to be said below a table, by its name."""


def page() -> str:
    """The whole page."""
    parts = list(_PARAGRAPHS)
    for table in TABLES.values():
        parts += [f"### `{table.name}`", table.rows]
        parts.append(_table(map(_column_row, table.columns), COLUMN_HEAD))
        parts += [_AFTER[table.name]] if table.name in _AFTER else []
    parts += ["## Metrics", "The rows of `rec.metrics()`."]
    for group in dict.fromkeys(metric.group for metric in DEFINITIONS.values()):
        own = (metric for metric in DEFINITIONS.values() if metric.group == group)
        parts += [f"### {group}", _table(map(_metric_row, own), METRIC_HEAD)]
    parts.append(f"`{ERROR_PREFIX}<code>` are rows for each code that came.")
    return "\n\n".join(parts) + "\n"


COLUMN_HEAD = ("column", "type", "unit", "meaning", "source", "missing when")
METRIC_HEAD = ("metric", "unit", "meaning", "source", "missing when")


def _table(rows: Iterable[tuple[str, ...]], head: tuple[str, ...]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _column_row(column: Column) -> tuple[str, ...]:
    told = column.told()
    kind = {"list": "list", "object": "dict"}.get(column.kind, column.dtype)
    missing = told["missing"] or "never"
    return f"`{column.name}`", kind, told["unit"], told["meaning"], told["source"], missing


def _metric_row(metric: Metric) -> tuple[str, ...]:
    return f"`{metric.name}`", metric.unit, metric.meaning, metric.source, metric.missing


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
