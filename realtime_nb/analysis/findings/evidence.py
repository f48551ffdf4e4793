"""What the rules of :mod:`realtime_nb.analysis.findings.findings` look at, and what they return."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from realtime_nb.analysis.columns.frames import table_rows
from realtime_nb.analysis.cost.prices import PriceTable
from realtime_nb.analysis.cost.summary import Cost
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.table_cells import or_nan
from realtime_nb.analysis.user_turns import UserTurn, find_user_turns
from realtime_nb.archive.lines import RecordedEvent
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AT_THE_END_S",
    "SEVERITIES",
    "Evidence",
    "Finding",
    "Microphone",
    "Rule",
    "Severity",
    "seconds",
]

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Worst first."""

AT_THE_END_S = 0.5
"""What was stopped so shortly before the session's end was stopped by it."""

Microphone = Literal["browser", "computer", "program", "unknown"]
"""What audio came from; a ``program`` plays files or what it has made."""

_BULK = ("input_audio_buffer.append",)
_KEPT = ("error", "rate_limits.updated")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is worth knowing about a session.

    Attributes:
        id: What kind it is, such as ``slow-answer``.
        severity: ``error``: it went wrong; ``warning``: users notice; ``note``: good to know.
        turn: The user turn that it belongs to, None when it belongs to none.
        start_s, end_s: Where to look, in seconds since the session began; NaN when nowhere.
        text: What happened, in a sentence.
        evidence: What it rests on: ``events`` are the ``seq`` numbers of the recording's events,
            the rest are ids and figures.
        suggestion: What to change, with the name of the setting; empty when nothing is to be done.
    """

    id: str
    severity: Severity
    turn: int | None
    start_s: float
    end_s: float
    text: str
    evidence: dict[str, object] = field(default_factory=dict)
    suggestion: str = ""


class Evidence:
    """A recording and what is computed from it, each when it is first asked for."""

    def __init__(self, rec: Recorded, prices: PriceTable | None = None) -> None:
        self.rec = rec
        self._prices = prices

    @property
    def conversation(self) -> Conversation:
        """The fold over all events."""
        return self.rec.conversation

    @cached_property
    def turns(self) -> list[UserTurn]:
        """The user's turns."""
        return find_user_turns(self.conversation)

    @cached_property
    def turn_of(self) -> dict[str, int]:
        """Number of the turn to which an item, a response or a call belongs, by id."""
        found: dict[str, int] = {}
        for turn in self.turns:
            ids = [turn.item.id, *(item.id for item in turn.items)]
            ids += [response.id for response in turn.responses]
            ids += [call.call_id for call in turn.calls]
            found |= dict.fromkeys(ids, turn.number)
        return found

    @cached_property
    def latency(self) -> dict[int, Any]:
        """The rows of the latency table by turn number."""
        return {row.turn: row for row in table_rows(self.rec.latency)}

    @cached_property
    def interruptions(self) -> pd.DataFrame:
        """Interruptions and missed barge-ins."""
        return self.rec.interruptions()

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Figures by name."""
        return self.rec.metrics()

    @cached_property
    def cost(self) -> Cost:
        """What it cost."""
        return self.rec.cost(self._prices)

    def finding(
        self,
        id: str,
        severity: Severity,
        span_s: tuple[float | None, float | None],
        text: str,
        *,
        turn: float | None = None,
        of: Iterable[str | None] | None = None,
        suggestion: str = "",
        **figures: object,
    ) -> Finding:
        """Returns a finding of this session.

        Args:
            id, severity, suggestion: as in :class:`Finding`.
            span_s: where to look; None and NaN where that is unknown.
            text: the sentence, without its full stop and the number of the turn before it.
            turn: number of the turn, None and NaN where it belongs to none.
            of: ids whose events are the evidence.
            figures: the rest of the evidence.
        """
        number = None if turn is None or math.isnan(turn) else int(turn)
        start_s, end_s = map(or_nan, span_s)
        events = {} if of is None else {"events": self.seqs(*of)}
        return Finding(
            id,
            severity,
            number,
            start_s,
            end_s,
            f"{'' if number is None else f'turn {number}: '}{text}.",
            events | figures,
            suggestion,
        )

    def metric(self, name: str) -> float:
        """Returns the headline value of a metric; NaN when it is not known."""
        return float(self.metrics.value[name]) if name in self.metrics.index else math.nan

    # --- events ---

    @cached_property
    def _scanned(self) -> tuple[dict[str, list[int]], dict[str, list[RecordedEvent]]]:
        """The ``seq`` of all but bulk events by each id they name, and some events by type."""
        seqs: dict[str, list[int]] = {}
        kept: dict[str, list[RecordedEvent]] = {}
        for line in self.rec.raw_events():
            kind = str(line.event.get("type"))
            if kind in _BULK or kind.endswith(".delta"):
                continue
            for name in _ids(line.event):
                seqs.setdefault(name, []).append(line.seq)
            if kind in _KEPT or line.direction == "sent" or _is_of_a_tool_server(line.event):
                kept.setdefault(kind, []).append(line)
        return seqs, kept

    def seqs(self, *ids: str | None) -> list[int]:
        """Returns where to find the events that name these ids; those of audio and deltas left
        out."""
        return sorted({seq for name in ids if name for seq in self._scanned[0].get(name, ())})

    def lines(self, kind: str) -> list[RecordedEvent]:
        """Returns the received events of type ``error`` or ``rate_limits.updated``, or those of
        another type that tell of MCP servers."""
        return [line for line in self._scanned[1].get(kind, ()) if line.direction == "received"]

    def sent(self, kind: str) -> list[RecordedEvent]:
        """Returns the sent events of a type."""
        return [line for line in self._scanned[1].get(kind, ()) if line.direction == "sent"]

    @cached_property
    def sent_types(self) -> dict[str, str]:
        """Type of a sent event by its ``event_id``."""
        return {
            str(line.event["event_id"]): str(line.event.get("type"))
            for lines in self._scanned[1].values()
            for line in lines
            if line.direction == "sent" and line.event.get("event_id")
        }

    # --- settings ---

    @cached_property
    def microphone(self) -> Microphone:
        """What the user's audio came from, as far as the recording tells."""
        told = self.rec.header.get("microphone")
        if isinstance(told, dict) and told:
            return "computer" if told.get("source") == "host" else "browser"
        sent = [line for line in self.rec.raw_events() if line.event.get("type") in _BULK]
        if not sent or "endpoint" not in self.rec.header:
            return "unknown"
        return "program" if all(line.captured_s is None for line in sent) else "unknown"

    @property
    def turn_detection(self) -> JsonObject:
        """The turn detection that was in force at the end; empty when it was off."""
        return self.conversation.turn_detection or {}


Rule = Callable[[Evidence], Iterator[Finding]]


def _is_of_a_tool_server(event: JsonObject) -> bool:
    item = event.get("item")
    named = item.get("type") if isinstance(item, dict) else event.get("type")
    return "mcp_" in str(named)


def _ids(event: JsonObject) -> Iterator[str]:
    parts = [event, *(event.get(key) for key in ("item", "response"))]
    for part in parts:
        if isinstance(part, dict):
            for key in ("id", "item_id", "response_id", "call_id"):
                value = part.get(key)
                if isinstance(value, str):
                    yield value


def seconds(ms: float) -> str:
    """Returns a duration in words: ``"0.9 s"``."""
    if ms != ms:
        return "an unknown time"
    return f"{ms / 1000:.1f} s" if ms >= 100 else f"{ms / 1000:.2f} s"
