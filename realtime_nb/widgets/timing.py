"""Where the time went between a user's last word and the agent's first, turn by turn."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.latency_rows import latency_row, part_reasons
from realtime_nb.analysis.live_latency import LatencyMeter
from realtime_nb.analysis.pace import row_at_pace
from realtime_nb.analysis.tables import latency
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.analysis.voices import Voices
from realtime_nb.errors import at_call
from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.protocol.words import counted
from realtime_nb.widgets.live import PageMessage
from realtime_nb.widgets.measuring import MeasuringView
from realtime_nb.widgets.page_text import module_text
from realtime_nb.widgets.sources import SessionSource, Source, find_source
from realtime_nb.widgets.view import LiveSession, Outgoing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MAX_TURNS", "Timing", "timing_row"]

MAX_TURNS = 50
"""Turns that are shown: the last."""

_TELLS_NOTHING = (".append", ".delta")
"""Events by themselves change no row; what is heard in their audio may."""
_CELL = "text-align:left;padding:2px 8px"
_NAMES = [part.removesuffix("_ms").replace("_", " ") for part in LATENCY_PARTS]


class _TimedSource(Protocol):
    @property
    def latency(self) -> pd.DataFrame: ...


class Timing(MeasuringView):
    """The waterfall of the last turns: of which parts each latency consists, as they come.

    ::

        rt.Timing(session)                         # live
        rt.Timing(rt.load("recordings/…"))         # afterwards

    The figures are those of ``rec.latency``. Of a part that is not known the reason is told.

    Args:
        source: A session or an agent, whose session is followed; a recording, or the path of one.

    Raises:
        ConfigurationError: It is something else.
    """

    _esm = module_text("timing.js")

    @at_call
    def __init__(
        self, source: SessionSource | _TimedSource | None = None, **settings: object
    ) -> None:
        found = None if source is None else find_source(source, "Timing", "latency")
        self._heard: Voices | None = None
        self._header: Mapping[str, Any] = {}
        self._session: LiveSession | None = None
        self._rows: list[PageMessage] = []
        self._count = 0
        self._told: dict[int, PageMessage] = {}
        super().__init__(**settings)
        if found is not None and found.session is not None:
            self.follow(found.session)
        elif found is not None:
            self._show(found)

    def follow(self, session: LiveSession, meter: LatencyMeter | None = None) -> None:
        """Shows the turns of a session, and of no other before it.

        Args:
            session, meter: As for `MeasuringView`.
        """
        self._header = {"speed": getattr(session, "pace", 1)}
        self._session = session
        super().follow(session, meter)
        self._heard = None if self._meter is None else self._meter.heard
        self._start_afresh()

    def summary(self) -> str:
        """Returns how many turns there are, and how many of the last have a latency."""
        rows = self._current()
        if not rows:
            return f"Timing: {self._note or 'no turns yet'}"
        known = [row["latency_ms"] for row in rows if row["latency_ms"] is not None]
        words = f"Timing: {counted(self._count, 'turn')}"
        if not known:
            return f"{words}, no latency known"
        return f"{words}, the last latency {known[-1]:,.0f} ms"

    def picture(self) -> str:
        """Returns the turns as an HTML table, for the saved notebook."""
        rows = self._current()
        if not rows:
            return ""
        head = "".join(
            f'<th style="{_CELL}">{name}</th>' for name in ("turn", "latency", *_NAMES, "")
        )
        body = "".join(f"<tr>{''.join(map(_cell, _saved(row)))}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    # --- what happens ---

    def event(self, event: WireEvent) -> None:
        """Implements `View`."""
        super().event(event)
        if self._meter is None:
            return
        if not str(event.raw.get("type")).endswith(_TELLS_NOTHING) or (
            self._meter.heard is not self._heard
        ):
            self._heard = self._meter.heard
            self._feed.changed()

    def playback(self, report: PlaybackReport) -> None:
        """Implements `View`."""
        self._feed.changed()

    def tool(self, report: ToolReport) -> None:
        """Implements `View`."""
        self._feed.changed()

    # --- the page ---

    def _show(self, found: Source) -> None:
        """Shows what is over."""
        if found.recording is not None:
            table = records(found.recording.latency)
        else:
            known: Conversation = found.conversation
            table = records(latency(known, known.audio.clock))
            self._note_that(found.note)
        rows = list(table)
        self._count = len(rows)
        self._rows = [timing_row(row) for row in rows[-MAX_TURNS:]]

    def _current(self) -> list[PageMessage]:
        """Returns the rows, made anew of a session that goes on."""
        if self._meter is not None:
            self._rows = self._read(self._measured, self._rows)
        return self._rows

    def _measured(self) -> list[PageMessage]:
        assert self._meter is not None
        self._count = self._meter.count
        goes_on = not getattr(self._session, "closed", False)
        found = [
            (turn, row_at_pace(latency_row(turn, moments), self._header))
            for turn, moments in self._meter.latest(MAX_TURNS)
        ]
        return [
            timing_row(row, awaited=goes_on and turn.number == self._count and turn.answer_due)
            for turn, row in found
        ]

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        rows = self._current()
        if afresh:
            self._told = {}
        changed = [row for row in rows if self._told.get(row["turn"]) != row]
        self._told = {row["turn"]: row for row in rows}
        if afresh or changed:
            yield (
                {
                    "kind": "turns",
                    "afresh": afresh,
                    "over": self._session is None,
                    "rows": changed,
                    "first": rows[0]["turn"] if rows else 1,
                    "count": self._count,
                    "parts": _NAMES,
                },
                (),
            )


def timing_row(row: Mapping[str, Any], *, awaited: bool = False) -> PageMessage:
    """Returns a turn as the page takes it.

    Args:
        row: Of the table of latencies; what is missing in it is None or NaN.
        awaited: Whether its answer may still begin to sound.
    """
    said = part_reasons(row, awaited=awaited)
    return {
        "turn": int(row["turn"]),
        "latency_ms": _known(row["latency_ms"]),
        "parts_ms": [_known(row[part]) for part in LATENCY_PARTS],
        "said": [said.get(part, "") for part in LATENCY_PARTS],
        "note": "" if awaited else row["latency_note"] or "",
        "awaited": awaited,
        "calls": bool(row["had_calls"]),
        "interrupted": bool(row["interrupted"]),
    }


def _saved(row: PageMessage) -> Iterator[str]:
    yield str(row["turn"])
    for ms in (row["latency_ms"], *row["parts_ms"]):
        yield "–" if ms is None else f"{ms:,.0f} ms"
    notes = [row["note"], "with calls" * row["calls"], "interrupted" * row["interrupted"]]
    yield ", ".join(filter(None, notes))


def _cell(text: str) -> str:
    return f'<td style="{_CELL}">{html.escape(text)}</td>'


def _known(value: float | None) -> float | None:
    """Returns a number; None for NaN, which JSON has no word for."""
    return None if value is None or math.isnan(value) else round(float(value), 3)
