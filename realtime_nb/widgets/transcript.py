"""Who said what, as it is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields

from realtime_nb.analysis.live_latency import LatencyMeter
from realtime_nb.analysis.transcript import TranscriptRow, row_text, transcript_rows
from realtime_nb.analysis.transcript_latencies import with_latencies
from realtime_nb.errors import at_call
from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.widgets.measuring import MeasuringView
from realtime_nb.widgets.page_text import module_text
from realtime_nb.widgets.sources import ConversationSource, SessionSource, find_source
from realtime_nb.widgets.view import LiveSession, Outgoing

__all__ = ["Transcript"]

_MOST_TIMED = 200
"""Turns whose latencies are shown: the last."""
_DEFAULTS = {field.name: field.default for field in fields(TranscriptRow)}


class Transcript(MeasuringView):
    """The words of a conversation, its function calls, and what of the agent's was not heard.

    ::

        rt.Transcript(session)                     # live
        rt.Transcript(rt.load("recordings/…"))     # afterwards

    Args:
        source: A session or an agent, whose session is followed; a recording, or the path of one;
            or a conversation, whose changes are shown when :meth:`update` is called.

    Raises:
        ConfigurationError: It is something else.
    """

    _esm = module_text("transcript.js")

    @at_call
    def __init__(
        self,
        source: SessionSource | ConversationSource | Conversation | None = None,
        **settings: object,
    ) -> None:
        found = None
        if source is not None and not isinstance(source, Conversation):
            found = find_source(source, "Transcript", "conversation", ", or a conversation")
        self._conversation = Conversation()
        self._shown: dict[str, TranscriptRow] = {}
        self._order: list[str] = []
        self._over = found is not None and found.session is None
        super().__init__(**settings)
        if isinstance(source, Conversation):
            self.update(source)
        elif found is not None and found.session is not None:
            self.follow(found.session)
        elif found is not None:
            self.update(found.conversation)

    def update(self, conversation: Conversation | None = None) -> None:
        """Shows what has changed, soon; cheap, and from any thread.

        Args:
            conversation: Another one than before, None: the same.
        """
        if conversation is not None and conversation is not self._conversation:
            self._conversation, self._meter = conversation, None
        self._feed.changed()

    def follow(self, session: LiveSession, meter: LatencyMeter | None = None) -> None:
        """Shows a session from its beginning, and what is said in it from now on.

        Between the turns stands how long each answer took.

        Args:
            session, meter: As for `MeasuringView`.
        """
        self._over = False
        self.update(session.conversation)
        super().follow(session, meter)

    def summary(self) -> str:
        """Returns the transcript as text."""
        return (
            "\n".join(map(row_text, transcript_rows(self._conversation)))
            or "Transcript: no words yet"
        )

    def event(self, event: WireEvent) -> None:
        """Implements `View`."""
        super().event(event)
        self._feed.changed()

    def playback(self, report: PlaybackReport) -> None:
        """Implements `View`."""
        self._feed.changed()

    def tool(self, report: ToolReport) -> None:
        """Implements `View`."""
        self._feed.changed()

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        before = [self._shown[row_id] for row_id in self._order]
        rows = self._read(self._rows, before)
        current = {row.id: row for row in rows}
        order = list(current)
        if afresh:
            self._shown, self._order = {}, []
        changed = [row for row in current.values() if self._shown.get(row.id) != row]
        if not (afresh or changed or order != self._order):
            return
        message: dict[str, object] = {"kind": "rows", "changed": [_compact(row) for row in changed]}
        if afresh or order != self._order:
            message["order"] = order
        if self._over:
            message["over"] = True
        self._shown, self._order = current, order
        yield message, ()

    def _rows(self) -> list[TranscriptRow]:
        meter, rows = self._meter, transcript_rows(self._conversation)
        return rows if meter is None else with_latencies(rows, meter.latest(_MOST_TIMED))


def _compact(row: TranscriptRow) -> dict[str, object]:
    """Returns the row without what is as usual."""
    return {key: value for key, value in asdict(row).items() if value != _DEFAULTS[key]}
