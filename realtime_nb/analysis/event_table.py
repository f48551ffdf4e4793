"""The table of a recording's events."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from realtime_nb.analysis.columns.frames import frame_of_columns
from realtime_nb.archive.lines import RecordedEvent
from realtime_nb.audio.pcm import SAMPLE_RATE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["events_table"]

_COLUMNS = (
    *("seq", "t_s", "direction", "type", "event_id", "item_id", "response_id", "call_id"),
    *("audio_ms", "text"),
)
_TEXTS = ("delta", "transcript", "text", "arguments")
_EMPTY: dict[str, object] = {}


def events_table(lines: Iterable[RecordedEvent]) -> pd.DataFrame:
    """Returns one row per event."""
    columns = [*zip(*map(_event_row, lines), strict=True)] or [()] * len(_COLUMNS)
    return frame_of_columns("events", dict(zip(_COLUMNS, columns, strict=True)))


def _event_row(line: RecordedEvent) -> tuple[object, ...]:
    event = line.event
    item, response, error = (_object(event.get(key)) for key in ("item", "response", "error"))
    texts = (event[key] for key in _TEXTS if key in event)
    return (
        None if line.seq < 0 else line.seq,  # no event of the wire
        line.t_s,
        line.direction,
        event.get("type"),
        event.get("event_id"),
        event.get("item_id") or item.get("id"),
        event.get("response_id") or response.get("id"),
        event.get("call_id") or item.get("call_id"),
        _audio_ms(event.get("audio") or event.get("delta")),
        next((text for text in texts if isinstance(text, str)), error.get("message")),
    )


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else _EMPTY


def _audio_ms(reference: object) -> float:
    """Returns how long the audio is that a reference stands for; NaN where it is none."""
    samples = reference.get("samples") if isinstance(reference, dict) else None
    return samples * 1000 / SAMPLE_RATE if isinstance(samples, int) else math.nan
