"""Recordings for other tools: Parquet and CSV tables, Audacity labels, RTTM, Chrome traces.

Times are seconds since the session began, the axis of ``output.wav``; on a bare audio file, those
of the file.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from realtime_nb.analysis.findings.findings import findings
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.analysis.user_speech import user_speech
from realtime_nb.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "TABLES",
    "Marked",
    "arrow_table",
    "marks",
    "write_audacity",
    "write_chrome_trace",
    "write_csv",
    "write_parquet",
    "write_rttm",
    "write_tables",
]

MarkedLane = Literal["user", "agent", "tools", "responses", "errors", "labels"]

TABLES: Mapping[str, Callable[[Recorded], pd.DataFrame]] = {
    "events": lambda rec: rec.events,
    "turns": lambda rec: rec.turns,
    "calls": lambda rec: rec.calls,
    "speech": lambda rec: rec.speech,
    "usage": lambda rec: rec.usage,
    "latency": lambda rec: rec.latency,
    "labels": lambda rec: rec.labels,
    "interruptions": lambda rec: rec.interruptions(),
    "metrics": lambda rec: rec.metrics().rename_axis("metric").reset_index(),
    "findings": lambda rec: findings(rec).table,
}
"""Every table that a recording has."""

_LATENCY_MOMENTS = ("speech_end_s", "sent_s", "stop_s", "response_s", "first_audio_s", "played_s")
"""The columns of ``rec.latency`` between which its parts lie."""

_LISTS = {"response_ids", "agent_items"}
_FLAGS = {"interrupted", "had_calls", "false"}
_NUMBERS = {
    *("turn", "seq", "threshold", "echo_score", "value", "n", "p50", "p90", "p95", "min", "max"),
}
_NUMBER_SUFFIXES = ("_ms", "_s", "_tokens", "_usd", "_share", "_db", "_dbfs")


# --- tables ---------------------------------------------------------------------------------------


def arrow_table(name: str, frame: pd.DataFrame) -> pa.Table:
    """Returns a table for Arrow, with types that depend on the columns' names only.

    A table that happens to be empty, or to have no value in a column, has the same types as any
    other of its name, so that the files of many recordings read as one. What is neither number,
    truth value, list of ids nor text is written as JSON.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    pyarrow = _pyarrow()
    columns = {column: _arrow_column(name, frame[column]) for column in frame.columns}
    return pyarrow.table(columns)


def _arrow_column(table: str, values: pd.Series[Any]) -> pa.Array:
    pyarrow = _pyarrow()
    column = str(values.name)
    if column in _LISTS or (table, column) == ("turns", "calls"):
        return pyarrow.array(list(values), pyarrow.list_(pyarrow.string()))
    if column in _FLAGS:
        return pyarrow.array([None if _missing(v) else bool(v) for v in values], pyarrow.bool_())
    if column in _NUMBERS or column.endswith(_NUMBER_SUFFIXES):
        numbers = [None if _missing(v) else float(v) for v in values]
        return pyarrow.array(numbers, pyarrow.float64())
    return pyarrow.array([_as_text(value) for value in values], pyarrow.string())


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _as_text(value: object) -> str | None:
    if _missing(value):
        return None
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow, which writes Parquet files,", "scale") from error
    return pyarrow


def write_parquet(
    rec: Recorded, name: str, path: str | os.PathLike[str], recording: str | None = None
) -> int:
    """Writes one table as a Parquet file, with a first column ``recording``.

    Args:
        rec: whose table.
        name: one of :data:`TABLES`.
        path: the file; it is replaced.
        recording: what that column says; the name of the recording's folder unless given.

    Returns:
        The number of rows.
    """
    frame = _table(rec, name)
    frame.insert(0, "recording", rec.path.name if recording is None else recording)
    _pyarrow().parquet.write_table(arrow_table(name, frame), path)
    return len(frame)


def write_csv(rec: Recorded, name: str, path: str | os.PathLike[str]) -> int:
    """Writes one table as CSV; lists are written as JSON. Returns the number of rows."""
    from pandas.api.types import is_numeric_dtype

    frame = _table(rec, name)
    for column in frame.columns:
        if not is_numeric_dtype(frame[column]):
            frame[column] = [_as_text(value) for value in frame[column]]
    frame.to_csv(path, index=False)
    return len(frame)


def write_tables(
    rec: Recorded,
    folder: str | os.PathLike[str],
    names: Sequence[str] | None,
    suffix: str,
    write: Callable[[Recorded, str, Path], int],
) -> list[Path]:
    """Writes tables as ``folder/<table>.<suffix>``, all of :data:`TABLES` unless named."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    files = {name: place / f"{name}.{suffix}" for name in names or TABLES}
    for name, file in files.items():
        write(rec, name, file)
    return list(files.values())


def _table(rec: Recorded, name: str) -> pd.DataFrame:
    if name not in TABLES:
        raise ConfigurationError(f"There is no table {name!r}. Choose from {', '.join(TABLES)}.")
    return TABLES[name](rec).copy()


# --- marks on the time axis -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Marked:
    """Something that happened from ``start_s`` to ``end_s`` (the same for a moment)."""

    lane: MarkedLane
    start_s: float
    end_s: float
    text: str


def marks(rec: Recorded) -> list[Marked]:
    """Returns everything that has a place on the time axis, in order of time.

    User speech is what the server's turn detection heard, without padding and silence window; where
    there was none, what the offline detector finds: each turn of push-to-talk from its first voice
    to its last, and a bare audio file's voices. Where a turn was transcribed, its mark says so.
    """
    found = [*_user_marks(rec), *_agent_marks(rec), *_other_marks(rec)]
    known = [mark for mark in found if not math.isnan(mark.start_s + mark.end_s)]
    return sorted(known, key=lambda mark: (mark.start_s, mark.end_s))


def _user_marks(rec: Recorded) -> Iterator[Marked]:
    for spoken in user_speech(rec):
        yield Marked("user", spoken.start_s, spoken.end_s, spoken.text or "speech")


def _agent_marks(rec: Recorded) -> Iterator[Marked]:
    for item in rec.conversation.items.values():
        if item.played_s is not None and item.played_ms:
            stopped_s = item.stopped_s
            end_s = item.played_s + item.played_ms / 1000 if stopped_s is None else stopped_s
            yield Marked("agent", item.played_s, end_s, item.heard_text or "agent")


def _other_marks(rec: Recorded) -> Iterator[Marked]:
    conversation = rec.conversation
    for response in conversation.responses.values():
        if response.created_s is not None:
            end_s = rec.duration_s if response.done_s is None else response.done_s
            yield Marked("responses", response.created_s, end_s, f"response, {response.status}")
    for call in conversation.calls.values():
        if call.done_s is not None:
            end_s = rec.duration_s if call.output_s is None else call.output_s
            yield Marked("tools", call.done_s, end_s, f"{call.name}({call.arguments})")
    for error in conversation.errors:
        if error.t_s is not None:
            yield Marked(
                "errors", error.t_s, error.t_s, f"{error.code or 'error'}: {error.message}"
            )
    for label in rec.labels.to_dict("records"):
        yield Marked("labels", label["t_s"], label["t_s"], label["text"])


def write_audacity(rec: Recorded, path: str | os.PathLike[str]) -> int:
    """Writes an Audacity label track; returns the number of labels.

    Import it beside ``output.wav``, or beside ``rec.clip(0, rec.duration_s)`` saved as WAV.
    """
    lines = [
        f"{mark.start_s:.6f}\t{mark.end_s:.6f}\t{mark.lane}: {_one_line(mark.text)}\n"
        for mark in marks(rec)
    ]
    Path(path).write_text("".join(lines), encoding="utf-8")
    return len(lines)


def write_rttm(rec: Recorded, path: str | os.PathLike[str]) -> int:
    """Writes who spoke when, as NIST's Rich Transcription Time Marked; returns the number of lines.

    The speakers are ``user`` and ``agent``; each stretch is a ``SPEAKER`` line with its onset and
    duration in seconds.
    """
    name = "_".join(rec.path.stem.split()) or "recording"
    lines = [
        f"SPEAKER {name} 1 {mark.start_s:.3f} {mark.end_s - mark.start_s:.3f} "
        f"<NA> <NA> {mark.lane} <NA> <NA>\n"
        for mark in marks(rec)
        if mark.lane in ("user", "agent") and mark.end_s > mark.start_s
    ]
    Path(path).write_text("".join(lines), encoding="utf-8")
    return len(lines)


def write_chrome_trace(rec: Recorded, path: str | os.PathLike[str]) -> int:
    """Writes a trace that Perfetto and ``chrome://tracing`` open; returns its number of events.

    A row each for user, agent, tools, responses and the parts of each turn's latency; errors and
    labels are instants. Times are microseconds, as the Trace Event Format has them.
    """
    lanes = ("user", "agent", "tools", "responses", "latency", "errors", "labels")
    row = {lane: number for number, lane in enumerate(lanes, start=1)}
    events: list[dict[str, object]] = [
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": number, "args": {"name": lane}}
        for lane, number in row.items()
    ]
    events += [
        {"ph": "M", "name": "thread_sort_index", "pid": 1, "tid": n, "args": {"sort_index": n}}
        for n in row.values()
    ]
    for mark in marks(rec):
        instant = mark.lane in ("errors", "labels")
        event = _trace_event(mark.text, row[mark.lane], mark.start_s, mark.end_s, instant=instant)
        events.append(event)
    for start_s, end_s, name in _latency_spans(rec):
        events.append(_trace_event(name, row["latency"], start_s, end_s))
    trace = {"traceEvents": events, "displayTimeUnit": "ms"}
    Path(path).write_text(json.dumps(trace), encoding="utf-8")
    return len(events)


def _latency_spans(rec: Recorded) -> Iterator[tuple[float, float, str]]:
    for turn in rec.latency.to_dict("records"):
        moments_s = [float(turn[name]) for name in _LATENCY_MOMENTS]
        for part, (start_s, end_s) in zip(LATENCY_PARTS, pairwise(moments_s), strict=True):
            if not math.isnan(start_s + end_s):
                yield start_s, end_s, part.removesuffix("_ms").replace("_", " ")


def _trace_event(
    name: str, row: int, start_s: float, end_s: float, *, instant: bool = False
) -> dict[str, object]:
    event: dict[str, object] = {"name": name, "pid": 1, "tid": row, "ts": round(start_s * 1e6)}
    if instant:
        return {**event, "ph": "i", "s": "g"}
    return {**event, "ph": "X", "dur": max(0, round((end_s - start_s) * 1e6))}


def _one_line(text: str) -> str:
    return " ".join(text.split())
