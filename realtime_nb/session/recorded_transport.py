"""A recorded session at the other end of the wire: its server's events, one by one, as they came.

The order is that of the recording, always. Times are, too, as long as the client keeps up: what the
server sent after it was asked for something (``ASKING``) waits until this client has asked as well,
and everything behind it moves back by as much. Client events are matched by type and order: the
third ``response.create`` stands for the third one recorded. Audio that is appended, and what an
interruption sends (cancel, truncate, delete), depends on the moment and holds nothing back.

Item, response and call ids are the recorded ones; an ``error`` names the event of this client that
stands for the one that caused it.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable

from realtime_nb.errors import ConfigurationError, SessionClosedError
from realtime_nb.protocol.audio_formats import payload_ms, session_format
from realtime_nb.protocol.dialect import audio_field, ga_name, server_to_ga
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.transport import closed_with

__all__ = ["ASKING", "RecordedTransport"]

ASKING = (
    "session.update",
    "conversation.item.create",
    "conversation.item.retrieve",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "response.create",
)
"""Client events that the server answers: what it sent after one waits for this client's."""

_APPEND = "input_audio_buffer.append"
_SESSION_EVENTS = ("session.created", "session.updated")
_LINGER_S = 1.0


class RecordedTransport:
    """Serves recorded events; see :class:`~realtime_nb.session.transport.Transport`.

    After the last event the connection stays open until its audio can have been heard, then ends
    with 1000; or as the recorded one did, if that ended otherwise.

    Args:
        events: of both directions, in order; one whose time is NaN comes at once after the one
            before it.
        pace: recorded seconds per second; ``math.inf``: each event as soon as its turn comes.
        patience_s: how long the client may take, beyond the recorded time, to ask for what the
            server sent next. Then the connection ends with 1008 and says what was missing.
        with_audio: puts audio back into an event, when it is delivered.
        end_s: when the recorded connection ended; None: with its last event.
        close_code: how it ended.
        reason: the same in words.
    """

    def __init__(
        self,
        events: Iterable[WireEvent],
        *,
        pace: float = 1.0,
        patience_s: float = 10.0,
        with_audio: Callable[[JsonObject], JsonObject] = lambda event: event,
        end_s: float | None = None,
        close_code: int = 1000,
        reason: str = "",
    ) -> None:
        if not pace > 0:
            raise ConfigurationError(f"pace is {pace}; give a number greater than 0.")
        self._events = _timed(events)
        self._pace = pace
        self._patience_s = patience_s
        self._with_audio = with_audio
        last_s = max((event.t_s for event in self._events), default=0.0)
        self._end_s = last_s if end_s is None or math.isnan(end_s) else end_s
        self._close = (close_code, reason)
        self._position = 0
        self._began_s: float | None = None
        self._delay_s = 0.0
        self._reached_s: float | None = None  # when the client event that is waited for came up
        self._heard_s = 0.0
        self._ended: SessionClosedError | None = None
        self._changed = asyncio.Event()
        self._confirmations: deque[JsonObject] = deque()
        self._passed: Counter[str] = Counter()  # recorded client events gone by
        self._sent: dict[str, list[tuple[JsonObject, float]]] = {}
        self._recorded: dict[str, list[JsonObject]] = {}
        self._places: dict[str, tuple[str, int]] = {}  # recorded event_id → type and number
        for event in self._events:
            if event.direction == "sent":
                self._note(event.raw)
        raws = (event.raw for event in self._events)
        self._session: JsonObject = next(
            (raw["session"] for raw in raws if raw.get("type") in _SESSION_EVENTS), {}
        )

    def _note(self, event: JsonObject) -> None:
        name = ga_name(str(event.get("type")))
        same = self._recorded.setdefault(name, [])
        event_id = event.get("event_id")
        if isinstance(event_id, str):
            self._places[event_id] = name, len(same)
        same.append(event)

    def __repr__(self) -> str:
        return f"<RecordedTransport {self._position} of {len(self._events)} events>"

    # --- what the client did otherwise ---

    @property
    def unexpected(self) -> list[JsonObject]:
        """What the client sent beyond what the recorded one did, but for audio."""
        return [
            event
            for name, sent in self._sent.items()
            for event, _ in sent[len(self._recorded.get(name, ())) :]
        ]

    @property
    def unsent(self) -> list[JsonObject]:
        """What the recorded client asked for (``ASKING``) and this one has not, so far."""
        return [
            event
            for name in ASKING
            for event in self._recorded.get(name, [])[len(self._sent.get(name, ())) :]
        ]

    # --- the transport ---

    async def send(self, event: JsonObject) -> None:
        """Implements :class:`~realtime_nb.session.transport.Transport`."""
        if self._ended is not None:
            raise self._ended
        name = ga_name(str(event.get("type")))
        if name == _APPEND:
            return
        sent = self._sent.setdefault(name, [])
        sent.append((dict(event), asyncio.get_running_loop().time()))
        if name == "session.update" and len(sent) > len(self._recorded.get(name, ())):
            # Clients wait for an answer to it, and the recording holds none.
            self._confirmations.append({"type": "session.updated", "session": self._session})
        self._changed.set()

    async def receive(self) -> JsonObject:
        """Implements :class:`~realtime_nb.session.transport.Transport`."""
        if self._began_s is None:
            self._began_s = asyncio.get_running_loop().time()
        while True:
            self._changed.clear()
            if self._ended is not None:
                raise self._ended
            if self._confirmations:
                return self._confirmations.popleft()
            event_or_wait_s = self._next(asyncio.get_running_loop().time())
            if isinstance(event_or_wait_s, dict):
                return event_or_wait_s
            try:
                async with asyncio.timeout(event_or_wait_s):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def close(self) -> None:
        """Implements :class:`~realtime_nb.session.transport.Transport`."""
        self._end(1000, "")

    def _end(self, code: int, reason: str) -> None:
        if self._ended is None:
            self._ended = closed_with(code, reason)
            self._changed.set()

    # --- whose turn it is ---

    def _next(self, now_s: float) -> JsonObject | float:
        """Returns the next event of the server if it is due, else how long to wait for something
        new."""
        while self._position < len(self._events):
            event = self._events[self._position]
            left_s = self._wall_s(event.t_s) - now_s
            if event.direction == "sent":
                left_s = self._left_for_client_s(event, now_s)
            if left_s > 0:
                return left_s
            if self._ended is not None:
                return 0.0
            self._position += 1
            if event.direction == "received":
                return self._delivered(event.raw, now_s)
        code, reason = self._close
        end_s = self._wall_s(self._end_s)
        if code == 1000:
            reason = "the recording ends here"
            end_s = max(end_s, self._heard_s) + _LINGER_S
        if end_s <= now_s:
            self._end(code, reason)
        return max(0.0, end_s - now_s)

    def _wall_s(self, t_s: float) -> float:
        assert self._began_s is not None
        return self._began_s + self._delay_s + t_s / self._pace

    def _left_for_client_s(self, event: WireEvent, now_s: float) -> float:
        """Returns how long the client may still take for that event; 0 when it need not be waited
        for."""
        name = str(event.raw.get("type"))
        number = self._passed[name]
        if name in ASKING:
            sent = self._sent.get(name, [])
            if number >= len(sent):
                return self._left_of_patience_s(event, now_s)
            self._delay_s += max(0.0, sent[number][1] - self._wall_s(event.t_s))
        self._passed[name] += 1
        self._reached_s = None
        return 0.0

    def _left_of_patience_s(self, event: WireEvent, now_s: float) -> float:
        if self._reached_s is None:
            self._reached_s = now_s
        # Nobody need ask for more before what was said until here can have been heard.
        due_s = max(self._wall_s(event.t_s), self._reached_s)
        if self._pace == math.inf:
            due_s = max(due_s, self._heard_s)
        left_s = due_s + self._patience_s - now_s
        if left_s <= 0:
            self._end(
                1008,
                f"the recording goes on after a {_described(event.raw)} of the client at "
                f"{event.t_s:.1f} s, and none came within {self._patience_s:g} s",
            )
        return left_s

    # --- what is delivered ---

    def _delivered(self, event: JsonObject, now_s: float) -> JsonObject:
        name = event.get("type")
        event = self._with_audio(event)
        if name in _SESSION_EVENTS:
            self._session = event.get("session", {})
        elif audio_field(name) is not None and isinstance(event.get("delta"), str):
            length_s = payload_ms(event["delta"], self._output_format()) / 1000
            played_at = 1.0 if self._pace == math.inf else self._pace
            self._heard_s = max(self._heard_s, now_s) + length_s / played_at
        elif name == "error" and isinstance(event.get("error"), dict):
            return {**event, "error": self._of_this_client(event["error"])}
        return event

    def _output_format(self) -> object:
        (event,) = server_to_ga({"type": "session.updated", "session": self._session})
        return session_format(event["session"], "output")

    def _of_this_client(self, error: JsonObject) -> JsonObject:
        """Returns the error with the ``event_id`` that this client gave its event."""
        name, number = self._places.get(str(error.get("event_id")), ("", 0))
        sent = self._sent.get(name, [])
        if number >= len(sent):
            return error
        return {**error, "event_id": sent[number][0].get("event_id")}


def _timed(events: Iterable[WireEvent]) -> list[WireEvent]:
    latest_s = 0.0
    timed: list[WireEvent] = []
    for event in events:
        latest_s = latest_s if math.isnan(event.t_s) else event.t_s
        timed.append(WireEvent(event.direction, event.raw, latest_s))
    return timed


def _described(event: JsonObject) -> str:
    item = event.get("item")
    kind = item.get("type") if isinstance(item, dict) else None
    return f"{event.get('type')} ({kind})" if kind else str(event.get("type"))
