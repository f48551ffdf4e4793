"""Many recordings as a table of what their headers say; none of them is opened for it."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from realtime_nb.archive.lines import read_header
from realtime_nb.errors import RecordingError
from realtime_nb.protocol.words import counted, lasting
from realtime_nb.recordings.summary import server_of

__all__ = ["COLUMNS", "listing_html", "listing_text"]

COLUMNS = ("", "recording", "began (UTC)", "length", "server")
_FIRST, _LAST = 3, 7
"""So many are shown of a long list: the newest are at its end."""

_Row = tuple[str, str, str, str, str]


def listing_text(paths: Sequence[Path], names: Sequence[str]) -> str:
    """Returns the table as text.

    Args:
        paths: The recordings.
        names: What to call them.
    """
    rows = [COLUMNS, *_rows(paths, names)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join([counted(len(paths), "recording"), *lines])


def listing_html(paths: Sequence[Path], names: Sequence[str]) -> str:
    """Returns the table as HTML; arguments as for :func:`listing_text`."""
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in _rows(paths, names)
    )
    count = counted(len(paths), "recording")
    return f"<b>{count}</b><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _rows(paths: Sequence[Path], names: Sequence[str]) -> Iterator[_Row]:
    """Yields the index and what is known of each; of many, of the first and the last."""
    left_out = range(_FIRST, len(paths) - _LAST) if len(paths) > _FIRST + _LAST + 1 else range(0)
    for index, (path, name) in enumerate(zip(paths, names, strict=True)):
        if index in left_out:
            if index == left_out.start:
                yield "…", f"{len(left_out):,} more", "", "", ""
            continue
        yield str(index), name, *_facts(path)


def _facts(path: Path) -> tuple[str, str, str]:
    """Returns when it began, how long it was, and who answered."""
    if not path.is_dir():
        return "", "", "a file" if path.exists() else "missing"
    try:
        header = read_header(path)
    except RecordingError:
        return "", "", "can't be read"
    began, length_s = header.get("began"), header.get("duration_s")
    when = began[:16].replace("T", " ") if isinstance(began, str) else ""
    if isinstance(length_s, int | float) and math.isfinite(length_s):
        return when, lasting(length_s), server_of(header)
    return when, "not closed", server_of(header)
