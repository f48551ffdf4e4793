"""The rows of a lab as a small static SVG, for the saved notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from realtime_nb.protocol.words import shortened
from realtime_nb.widgets.vad_lab_rows import Turns

__all__ = ["StillRow", "lab_svg"]

_COLUMNS = 620
_LEFT_PX = 100
_ROW_PX = 17
_BAR_PX = 11
_TOP_PX = 4
_MOST_LETTERS = 12
# As in vad_lab_picture.js.
_COLOURS = {"server": "#1A7FC1", "live": "#1A7FC1", "truth": "#009E73", "yours": "#1A7FC1"}
_GHOST = "#B8860B"
_GREY = "#878787"


class StillRow(NamedTuple):
    """A row: its name, its kind as the page has it, whether it is grey, and its turns."""

    name: str
    kind: str
    grey: bool
    turns: Turns


def lab_svg(rows: Sequence[StillRow], now_ms: float) -> str:
    """Returns the turns of all rows, from the beginning of the audio to ``now_ms``; nothing without
    audio.

    However many turns there are, a row has no more strokes than columns.
    """
    if not rows or now_ms <= 0:
        return ""
    height_px = _TOP_PX + _ROW_PX * len(rows) + 18
    width_px = _LEFT_PX + _COLUMNS + 8
    lines = "".join(
        line for number, row in enumerate(rows) for line in _row(row, number, now_ms / _COLUMNS)
    )
    end = f"{now_ms / 1000:.1f} s of audio"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width_px}" '
        f'height="{height_px}" viewBox="0 0 {width_px} {height_px}" '
        'style="max-width:100%;height:auto" font-family="system-ui,sans-serif" font-size="11" '
        f'fill="currentColor"><title>Turns by setting</title>{lines}'
        f'<text x="{width_px - 8}" y="{height_px - 4}" text-anchor="end">{end}</text></svg>'
    )


def _row(row: StillRow, number: int, ms_per_column: float) -> Iterator[str]:
    middle_px = _TOP_PX + _ROW_PX * number + _ROW_PX / 2
    colour = _GREY if row.grey else _COLOURS.get(row.kind, _GHOST)
    name, count = escape(shortened(row.name, _MOST_LETTERS)), len(row.turns)
    yield f'<text x="0" y="{middle_px + 4:g}">{name}</text>'
    yield f'<text x="{_LEFT_PX - 6}" y="{middle_px + 4:g}" text-anchor="end">{count}</text>'
    whole = [(start, end) for start, _, _, end in row.turns]
    speech = [(onset, end) for _, onset, end, _ in row.turns if onset is not None]
    for spans, alpha in ((whole, 0.28), (speech, 0.95)):
        path = "".join(_strokes(((a, b) for a, b in spans if b is not None), ms_per_column))
        if path:
            yield (
                f'<path d="{path}" stroke="{colour}" stroke-width="{_BAR_PX}" opacity="{alpha}" '
                f'transform="translate({_LEFT_PX} {middle_px:g})"/>'
            )


def _strokes(spans_ms: Iterable[tuple[float, float]], ms_per_column: float) -> Iterator[str]:
    """Yields strokes in whole columns, none on another."""
    last = 0
    for start_ms, end_ms in spans_ms:
        start = max(last, int(start_ms / ms_per_column))
        end = min(_COLUMNS, max(start + 1, round(end_ms / ms_per_column)))
        if end > start:
            yield f"M{start} 0h{end - start}"
            last = end
