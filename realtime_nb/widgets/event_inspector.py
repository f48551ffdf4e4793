"""Every event of a session, to look through while it runs or afterwards."""

from __future__ import annotations

import html
import json
import math
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from realtime_nb.errors import at_call
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.races import Races
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.widgets.event_summaries import KeptEvent, summary_of, without_audio
from realtime_nb.widgets.live import PageMessage
from realtime_nb.widgets.page_text import module_text
from realtime_nb.widgets.sources import SessionSource, find_source
from realtime_nb.widgets.view import LiveSession, Outgoing, View

__all__ = ["MAX_EVENTS", "EventInspector", "EventLine"]

MAX_EVENTS = 200_000
MAX_BYTES = 64_000_000
"""Events that are kept, and what they may take of the kernel's memory: more than an hour of a
session. The oldest go first."""
_EVENT_BYTES = 240
"""What an event takes beside its JSON."""

_ROWS_PER_MESSAGE = 2_500
_MAX_PAYLOADS = 200
_MAX_PAYLOADS_COPIED = 10_000
_MOST_TYPES = 60
_CELL = "text-align:left;padding:2px 8px"
_MAX_PAYLOAD_CHARACTERS = 500_000
_MAX_COPIED_CHARACTERS = 2_000_000  # Jupyter's server lets 3 MB pass at once


class _PackedEvent(NamedTuple):
    """An event as JSON, which takes half of what a dictionary does."""

    seq: int
    t_s: float
    sent: bool
    type: str
    content: bytes
    audio_bytes: int
    benign: bool

    @property
    def size(self) -> int:
        return len(self.content) + _EVENT_BYTES

    def unpacked(self) -> KeptEvent:
        event = json.loads(self.content)
        return KeptEvent(self.seq, self.t_s, self.sent, event, self.audio_bytes, self.benign)


def _packed(event: JsonObject) -> bytes:
    try:
        return msgspec.json.encode(event)
    except (TypeError, ValueError, OverflowError):  # half a letter, a very long integer
        return json.dumps(event, default=str).encode()


class EventLine(Protocol):
    """An event with the time and the way it went, as recordings hold them."""

    @property
    def t_s(self) -> float: ...  # noqa: D102
    @property
    def direction(self) -> Literal["sent", "received"]: ...  # noqa: D102
    @property
    def event(self) -> JsonObject: ...  # noqa: D102


class _EventSource(Protocol):
    def raw_events(self) -> Iterator[EventLine]: ...


class EventInspector(View):
    """A table of events: filter, search, pause, fold, look into each.

    ::

        rt.EventInspector(session)                      # from now on
        rt.EventInspector(rt.load("recordings/…"))      # what was recorded

        inspector = rt.EventInspector()                 # what is added
        inspector.add("sent", {"type": "response.create"}, t_s=1.25)

    Args:
        source: A session or an agent, whose session is followed from now on; a recording, or the
            path of one; or events as a recording's ``raw_events()`` gives them.

    Raises:
        ConfigurationError: It is something else.
    """

    _esm = module_text("event_inspector.js")

    @at_call
    def __init__(
        self,
        source: SessionSource | _EventSource | Iterable[EventLine] | None = None,
        **settings: object,
    ) -> None:
        lines: Iterable[EventLine] = ()
        found = None
        if isinstance(source, Iterable) and not isinstance(source, str | bytes):
            lines = source
        elif source is not None:
            found = find_source(source, "EventInspector", "raw_events", ", or events")
        self._events: deque[_PackedEvent] = deque()
        self._bytes = 0
        self._adding = threading.Lock()
        self._next_seq = 0
        self._sent_seq = 0
        self._races = Races()
        self._live = source is None or (found is not None and found.session is not None)
        super().__init__(**settings)
        if found is not None and found.session is not None:
            self.follow(found.session)
        elif found is not None and found.recording is not None:
            lines = getattr(found.recording, "rows", found.recording.raw_events)()
        elif found is not None:
            self._note_that(found.note)
        for line in lines:
            self.add(line.direction, line.event, line.t_s)

    def add(
        self, direction: Literal["sent", "received"], event: Mapping[str, Any], t_s: float
    ) -> None:
        """Adds an event; cheap, and from any thread.

        Args:
            direction: As seen from the client.
            event: As it is on the wire, in either dialect, or as a recording holds it. It is kept,
                but for the audio in it.
            t_s: When it crossed the wire, in seconds since the session began; NaN if unknown.
        """
        kept, audio_bytes = without_audio(event)
        name = sys.intern(str(kept.get("type")))
        content = _packed(kept)
        with self._adding:
            sent = direction == "sent"
            benign = self._races.crossed(sent, kept)
            added = _PackedEvent(self._next_seq, t_s, sent, name, content, audio_bytes, benign)
            self._events.append(added)
            self._bytes += added.size
            self._next_seq += 1
            while len(self._events) > MAX_EVENTS or self._bytes > MAX_BYTES > added.size:
                self._bytes -= self._events.popleft().size
        self._feed.changed()

    def clear(self) -> None:
        """Forgets all events; the next begins anew."""
        with self._adding:
            self._events.clear()
            self._bytes = 0
            self._next_seq = self._sent_seq = 0
            self._races = Races()
        self._start_afresh()

    def follow(self, session: LiveSession) -> None:
        """Shows the events of a session from now on."""
        self._live = True
        self.clear()
        super().follow(session)

    def __len__(self) -> int:
        return len(self._events)

    @property
    def dropped(self) -> int:
        """How many of the oldest events had to go."""
        return self._next_seq - len(self._events)

    def event(self, event: WireEvent) -> None:
        """Implements `View`."""
        self.add(event.direction, event.raw, event.t_s)

    def connection(self, report: ConnectionReport) -> None:
        """Implements `View`: what the session says of its connection is a row, too."""
        self.add("received", report.as_event(), report.t_s)

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        if afresh:
            self._sent_seq = 0
            yield {"kind": "reset"} if self._live else {"kind": "reset", "over": True}, ()
        while True:
            with self._adding:
                first = self.dropped
                begin = max(self._sent_seq, first)
                lost = begin - self._sent_seq
                rows = self._slice(begin - first, begin - first + _ROWS_PER_MESSAGE)
                self._sent_seq = begin + len(rows)
            if not rows:
                return
            yield (
                {
                    "kind": "events",
                    "lost": lost,
                    "rows": [summary_of(one.unpacked()) for one in rows],
                },
                (),
            )

    def _answer(self, request: PageMessage) -> Iterator[Outgoing]:
        seqs = request.get("seqs")
        if request.get("kind") != "fetch" or not isinstance(seqs, list):
            return
        most, characters = _MAX_PAYLOADS, _MAX_PAYLOAD_CHARACTERS
        if request.get("whole"):
            most, characters = _MAX_PAYLOADS_COPIED, _MAX_COPIED_CHARACTERS
        wanted = [seq for seq in seqs if isinstance(seq, int)][:most]
        found = self._find(wanted)
        text, note = _as_json(found, characters, one=len(seqs) == 1)
        if len(found) < len(seqs):
            note = f"{len(found)} of {len(seqs)} events; the others are too many or too old."
        yield {"kind": "payload", "id": request.get("id"), "json": text, "note": note}, ()

    def _find(self, seqs: list[int]) -> list[JsonObject]:
        """Returns the events that are still kept of those."""
        with self._adding:
            first, kept = self.dropped, list(self._events)
        found = (kept[seq - first] for seq in seqs if 0 <= seq - first < len(kept))
        return [one.unpacked().event for one in found]

    def _slice(self, begin: int, end: int) -> list[_PackedEvent]:
        """Returns a few of the events; from the nearer end, since a deque is slow in its middle."""
        count = len(self._events)
        end = min(end, count)
        if begin >= end:
            return []
        if begin < count // 2:
            return list(islice(self._events, begin, end))
        last_first = list(islice(reversed(self._events), count - end, count - begin))
        return last_first[::-1]

    def summary(self) -> str:
        """Returns how many events there are."""
        events = list(self._events)
        if not events:
            return f"Event inspector: {self._note or 'no events yet'}"
        times_s = [event.t_s for event in events if not math.isnan(event.t_s)] or [0.0]
        sent = sum(event.sent for event in events)
        errors = sum(event.type == "error" and not event.benign for event in events)
        return (
            f"Event inspector: {len(events):,} events in {times_s[-1] - times_s[0]:.1f} s, "
            f"{sent:,} sent, {len(events) - sent:,} received"
            + (f", {errors:,} of them errors" if errors else "")
        )

    def picture(self) -> str:
        """Returns how many events there are of each type, for the saved notebook."""
        counts = Counter((event.sent, event.type) for event in list(self._events))
        if not counts:
            return ""
        lines = [
            f"<tr>{_cell('sent' if sent else 'received')}{_cell(name)}{_cell(f'{count:,}')}</tr>"
            for (sent, name), count in counts.most_common(_MOST_TYPES)
        ]
        head = "".join(f'<th style="{_CELL}">{name}</th>' for name in ("", "event", "count"))
        body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
        return f"<table>{body}</table>"


def _cell(text: str) -> str:
    return f'<td style="{_CELL}">{html.escape(text)}</td>'


def _as_json(events: list[JsonObject], most: int, *, one: bool) -> tuple[str, str]:
    """Returns the events as JSON text of ``most`` characters, and what there is to say about it."""
    if not events:
        return "", "This event is no longer kept."
    content: object = events[0] if one else events
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
    if len(text) > most:
        return text[:most], f"{len(text) - most:,} characters more are not shown."
    return text, ""
