"""Recordings for other tools: Parquet and CSV tables, Audacity labels, RTTM, Chrome traces.

Times are seconds since the session began, the axis of ``output.wav``; on a bare audio file, those
of the file.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from realtime_nb.analysis.columns import definitions
from realtime_nb.analysis.columns.frames import of_recording, records
from realtime_nb.analysis.columns.shared import RECORDING
from realtime_nb.analysis.connection_gaps import ended_s, gap_words
from realtime_nb.analysis.findings.findings import findings
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.analysis.user_speech import user_speech
from realtime_nb.errors import ConfigurationError, MissingExtraError
from realtime_nb.protocol.plain_json import json_text
from realtime_nb.protocol.wire import encodable

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TABLES",
    "Marked",
    "marks",
    "write_audacity",
    "write_chrome_trace",
    "write_csv",
    "write_parquet",
    "write_rttm",
    "write_table",
    "write_tables",
]

MarkedLane = Literal["user", "agent", "tools", "responses", "connection", "errors", "labels"]

TABLES: Mapping[str, Callable[[Recorded], pd.DataFrame]] = {
    "events": lambda rec: rec.events,
    "turns": lambda rec: rec.turns,
    "calls": lambda rec: rec.calls,
    "speech": lambda rec: rec.speech,
    "usage": lambda rec: rec.usage,
    "latency": lambda rec: rec.latency,
    "stages": lambda rec: rec.stages,
    "reconnections": lambda rec: rec.reconnections,
    "labels": lambda rec: rec.labels,
    "interruptions": lambda rec: rec.interruptions(),
    "metrics": lambda rec: rec.metrics().reset_index(),
    "findings": lambda rec: findings(rec).table,
}
"""Every table that a recording has."""

_FORMULA = re.compile(r"[\s\x00-\x1f\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
"""What spreadsheets take for the beginning of a formula, also in full width and after space."""
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")

_LATENCY_MOMENTS = ("speech_end_s", "sent_s", "stop_s", "response_s", "first_audio_s", "played_s")
"""The columns of ``rec.latency`` between which its parts lie."""


# --- tables ---------------------------------------------------------------------------------------


def write_table(name: str, table: pd.DataFrame, path: str | os.PathLike[str]) -> int:
    """Writes a table as a Parquet file, with the types of its definition.

    A table without rows has the same types as any other of its name, so that the files of many
    recordings read as one. What is neither number, truth value, list nor text is written as JSON.

    Args:
        name: one of :data:`TABLES`.
        table: with the first column ``recording``, or without it.
        path: the file; it is replaced.

    Returns:
        The number of rows.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    pyarrow = _pyarrow()
    types = {
        "number": pyarrow.float64(),
        "count": pyarrow.int64(),
        "flag": pyarrow.bool_(),
        "list": pyarrow.list_(pyarrow.string()),
    }
    columns = [one for one in (RECORDING, *definitions.TABLES[name].columns) if one.name in table]
    schema = pyarrow.schema([(one.name, types.get(one.kind, pyarrow.string())) for one in columns])
    objects = {one.name: _texts(table[one.name]) for one in columns if one.kind == "object"}
    written = table.assign(**objects)
    written.to_parquet(path, engine="pyarrow", index=False, schema=schema)
    return len(table)


def _texts(values: pd.Series[Any]) -> list[str]:
    """Returns the cells as texts, JSON of those that are none; they are never missing."""
    return [json_text(value) for value in values]


def _no_formula(text: object) -> object:
    begins = _FORMULA.match(str(text)) and not _NUMBER.fullmatch(str(text))
    return f"'{text}" if begins else text


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError("pyarrow, which writes Parquet files,", "scale") from error
    return pyarrow


def write_parquet(rec: Recorded, name: str, path: str | os.PathLike[str]) -> int:
    """Writes one table as a Parquet file, with a first column ``recording``: the name of its
    folder. Returns the number of rows."""
    return write_table(name, of_recording(_table(rec, name), encodable(rec.path.name)), path)


def write_csv(rec: Recorded, name: str, path: str | os.PathLike[str]) -> int:
    """Writes one table as CSV; lists are written as JSON. Returns the number of rows.

    A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula and runs
    it. What a caller or a model said is no formula: such a text gets an apostrophe before it, which
    spreadsheets know as the sign of a text. Numbers stay numbers.
    """
    table = _table(rec, name)
    for column in definitions.TABLES[name].columns:
        if column.dtype == "object":
            table[column.name] = _texts(table[column.name])
        if column.kind not in ("number", "count", "flag"):
            table[column.name] = table[column.name].map(_no_formula, na_action="ignore")
    # With the line ends of RFC 4180 a cell with a bare carriage return is quoted, too; else what
    # follows it would be a cell of its own.
    table.to_csv(path, index=False, lineterminator="\r\n")
    return len(table)


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
    return TABLES[name](rec)


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
            known_s = ended_s(conversation, response)
            end_s = rec.duration_s if known_s is None else known_s
            yield Marked("responses", response.created_s, end_s, f"response, {response.status}")
    for call in conversation.calls.values():
        if call.done_s is not None:
            end_s = rec.duration_s if call.output_s is None else call.output_s
            yield Marked("tools", call.done_s, end_s, f"{call.name}({call.arguments})")
    for gap in conversation.reconnections:
        until_s = rec.duration_s if gap.resumed_s is None else gap.resumed_s
        yield Marked("connection", gap.lost_s, until_s, gap_words(conversation, gap))
    for error in conversation.refused:
        if error.t_s is not None:
            yield Marked(
                "errors", error.t_s, error.t_s, f"{error.code or 'error'}: {error.message}"
            )
    for label in records(rec.labels):
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
    name = "_".join(encodable(rec.path.stem).split()) or "recording"
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

    A row each for user, agent, tools, responses, the parts of each turn's latency and gaps in the
    connection; errors and labels are instants. Times are microseconds, as the Trace Event Format
    has them.
    """
    lanes = (
        *("user", "agent", "tools", "responses", "latency", "connection"),
        *("errors", "labels"),
    )
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
    for turn in records(rec.latency):
        moments_s = [float(turn[name]) for name in _LATENCY_MOMENTS]
        for part, (start_s, end_s) in zip(LATENCY_PARTS, pairwise(moments_s), strict=True):
            if not math.isnan(start_s + end_s + turn[part]):
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
