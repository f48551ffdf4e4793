"""The parts of a report, each as HTML. Whatever comes from a session is escaped here."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.cost.summary import Cost
from realtime_nb.analysis.findings.findings import Findings
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.transcript import TranscriptRow, transcript_rows
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.protocol.words import clock, counted

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.protocol.conversation import Conversation

__all__ = [
    "calls",
    "conversation",
    "cost",
    "errors",
    "figures",
    "findings",
    "latency_parts",
    "metrics",
    "section",
    "tables",
]

_LONG = 24
"""Characters; longer text is broken into lines, all else stays in one."""

_IDS = {"user_item", "item_id", "response_ids", "agent_items", "response_id"}
"""Columns that tell a reader nothing."""

_IN_BOTH = {"turn", "latency_ms", "interrupted"}
"""Columns of the turns that are in the table of latencies, too, and yet shown with both."""


def section(title: str, *contents: str) -> str:
    """Returns a part of the page; nothing when there is nothing in it."""
    inner = "".join(contents)
    return f"<section><h2>{html.escape(title)}</h2>{inner}</section>" if inner else ""


def figures(pairs: Iterable[tuple[str, str]]) -> str:
    """Returns key figures, (name, value), side by side."""
    tiles = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in pairs
    )
    return f'<dl class="figures">{tiles}</dl>'


def findings(found: Findings) -> str:
    """Returns what was noticed, worst first."""
    if not found:
        return "<p>Nothing was found that should be looked at.</p>"
    entries = "".join(
        f'<li class="{one.severity}"><b>{one.severity}</b> {_moment(one.start_s)} '
        f'{html.escape(one.text)} <span class="quiet">{html.escape(one.suggestion)}</span></li>'
        for one in found
    )
    return f'<ol class="findings">{entries}</ol>'


def conversation(rec: Recorded) -> str:
    """Returns who said what, with how long each answer took to be heard."""
    answered = _first_answers(rec.turns)
    onsets_s = _onsets_s(rec)
    entries = "".join(
        _row(row, onsets_s.get(row.id, row.t_s), row.t_s, answered.get(row.id))
        for row in transcript_rows(rec.conversation)
    )
    return f'<ol class="transcript">{entries}</ol>' if entries else ""


def _onsets_s(rec: Recorded) -> dict[str, float]:
    """Returns when the user began to say each message, NaN where nothing tells; not of what was
    typed."""
    found: dict[str, float] = {}
    for row in records(rec.speech):
        found[row["item_id"]] = _known(row["onset_s"], row["started_s"])
    for row in records(rec.turns):
        if row["source"] == "speech":
            onset_s = rec.input_clock.onset(row["onset_ms"])
            found[row["user_item"]] = _known(onset_s, found.get(row["user_item"], math.nan))
    return found


def _known(first: float, second: float) -> float:
    return second if math.isnan(first) else first


def _first_answers(turns: pd.DataFrame) -> dict[str, float]:
    """Returns latency in ms by the item that was heard first of each answer."""
    values = zip(turns["agent_items"], turns["latency_ms"], strict=True)
    return {items[0]: ms for items, ms in values if items and not math.isnan(ms)}


def _row(
    row: TranscriptRow, at_s: float | None, noted_s: float | None, latency_ms: float | None
) -> str:
    """Returns one line of the conversation.

    Where nothing tells when it was begun, there is nothing to listen to; only when it came.
    """
    unplaced = at_s is not None and math.isnan(at_s)
    moment = f'<span class="when">{clock(noted_s)}</span>' if unplaced else _moment(at_s)
    who = {"user": "you", "call": "tool"}.get(row.kind, row.kind)
    chip = f' <span class="chip">after {latency_ms:.0f} ms</span>' if latency_ms is not None else ""
    return (
        f'<li class="{row.kind}">{moment} <b>{who}</b> '
        f"<span>{''.join(_said(row))}{chip}</span></li>"
    )


def _said(row: TranscriptRow) -> Iterator[str]:
    if row.kind == "call":
        yield f"<code>{html.escape(row.name)}({html.escape(row.text)})</code>"
        outcome = "no output" if row.output is None else row.output
        yield f" → <code>{html.escape(outcome)}</code>"
        if row.duration_ms is not None:
            yield f' <span class="chip">{row.duration_ms:.0f} ms</span>'
    else:
        yield html.escape(row.text)
    if row.unheard:
        yield f' <s title="not heard">{html.escape(row.unheard)}</s>'
    if row.note:
        yield f' <span class="quiet">{html.escape(row.note)}</span>'


def calls(table: pd.DataFrame) -> str:
    """Returns the functions that were called."""
    columns = (
        *("turn", "name", "arguments", "output", "outcome"),
        *("decide_ms", "run_ms", "others_ms", "resume_ms"),
    )
    return _table(table, [name for name in columns if name in table.columns])


def cost(what: Cost) -> str:
    """Returns what the session cost, or why that is not known."""
    return what._repr_html_()


def metrics(table: pd.DataFrame) -> str:
    """Returns all metrics, with the reasons for those that are not known."""
    named = table.rename_axis("metric").reset_index()
    columns = ("metric", "value", "unit", "n", "p50", "p90", "p95", "reason", "source")
    inner = _table(named, [name for name in columns if name in named.columns])
    return _folded(f"All {len(named)} metrics", inner)


def latency_parts(table: pd.DataFrame) -> str:
    """Returns what is known of latencies where no turn has a whole one, as in a log without
    playback."""
    parts = [name for name in LATENCY_PARTS if table[name].notna().any()]
    if not parts:
        return ""
    reasons = table["latency_note"].dropna().value_counts()
    why = f": {reasons.index[0]}" if len(reasons) else ""
    words = html.escape(f"No turn has a whole latency{why}. Of its parts, these are known.")
    return f'<p class="quiet">{words}</p>' + _table(table, ["turn", *parts, "latency_note"])


def tables(rec: Recorded) -> str:
    """Returns the recording's tables, folded away."""
    latency = rec.latency
    turns = rec.turns.drop(columns=[*set(latency.columns) - _IN_BOTH], errors="ignore")
    named = {"Turns": turns, "Latency": latency, "Speech": rec.speech, "Usage": rec.usage}
    return "".join(
        _folded(
            f"{name}: {counted(len(table), 'row')}",
            _table(table, [one for one in table.columns if one not in _IDS]),
        )
        for name, table in named.items()
        if len(table)
    )


def _folded(title: str, inner: str) -> str:
    return f"<details><summary>{html.escape(title)}</summary>{inner}</details>"


def errors(what: Conversation) -> str:
    """Returns what the server refused."""
    entries = "".join(
        f"<li>{_moment(error.t_s)} <b>{html.escape(error.code or 'error')}</b> "
        f"{html.escape(error.message)}</li>"
        for error in what.refused
    )
    return f"<ul>{entries}</ul>" if entries else ""


def _table(table: pd.DataFrame, columns: Sequence[str]) -> str:
    if table.empty:
        return ""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(map(_cell, columns, row.values())) + "</tr>"
        for row in records(table[list(columns)])
    )
    return f'<div class="wide" tabindex="0"><table><tr>{head}</tr>{body}</table></div>'


def _cell(column: str, value: object) -> str:
    text = _text(column, value)
    kind = ' class="long"' if len(text) > _LONG else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def _text(column: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        if column.endswith("_s"):  # a moment
            return f"{value:.3f}"
        return f"{value:.4g}" if abs(value) < 100 else f"{value:.0f}"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _moment(t_s: float | None) -> str:
    """Returns a button that plays from there."""
    if t_s is None or math.isnan(t_s):
        return '<span class="when"></span>'
    label = f"Listen from {clock(t_s)}"
    return (
        f'<button type="button" class="when" data-at="{t_s:.3f}" aria-label="{label}">'
        f"{clock(t_s)}</button>"
    )
