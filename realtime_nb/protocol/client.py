"""The client's side of the protocol: verbs in, events to send and things to do out.

Pure like its server twin. It keeps the rules that every client gets wrong once:

* one ``response.create`` at a time; others wait for ``response.done``, and one that lost the race
  against the server's own response is sent again after it;
* a function call is run once, from ``response.output_item.done``; all outputs of a response are
  posted before the one ``response.create`` that speaks about them;
* when the user starts to speak, playback stops first, then the server is told how much of the
  answer was heard; audio of the interrupted response that still arrives is dropped.

Whoever drives it sends :meth:`ClientProtocol.events_to_send` and does
:meth:`~ClientProtocol.actions_to_run`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from realtime_nb.protocol import dialect as dialects
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation, FunctionCall, PlaybackReport
from realtime_nb.protocol.events import JsonObject

__all__ = [
    "Action",
    "CallTool",
    "ClientProtocol",
    "EndAudio",
    "FlushPlayback",
    "PlayAudio",
    "UpdateAccepted",
    "UpdateRefused",
]


@dataclass(frozen=True, slots=True)
class PlayAudio:
    """Queue audio (base64, in the session's output format) for playback."""

    item_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class EndAudio:
    """No more audio comes for this item."""

    item_id: str


@dataclass(frozen=True, slots=True)
class FlushPlayback:
    """Stop playback now; answer with :meth:`ClientProtocol.receive_flushed`."""


@dataclass(frozen=True, slots=True)
class CallTool:
    """Run a function; answer with :meth:`ClientProtocol.receive_tool_output`."""

    call: FunctionCall


@dataclass(frozen=True, slots=True)
class UpdateAccepted:
    """The ``session.update`` with this ``event_id`` is in force."""

    event_id: str


@dataclass(frozen=True, slots=True)
class UpdateRefused:
    """The ``session.update`` with this ``event_id`` changed nothing."""

    event_id: str
    error: ev.ErrorEvent


Action = PlayAudio | EndAudio | FlushPlayback | CallTool | UpdateAccepted | UpdateRefused


class ClientProtocol:
    """One session of a Realtime client.

    Args:
        new_id: makes ids from a prefix: ``new_id("event")``.
        dialect: what the server speaks; everything on this side is GA.
        answers: names of the functions that the driver can run; calls of others are left to
            whoever reads the events.
    """

    def __init__(
        self,
        new_id: Callable[[str], str],
        dialect: Literal["ga", "beta"] = "ga",
        answers: Iterable[str] = (),
    ) -> None:
        self.conversation = Conversation()
        self.dialect: Literal["ga", "beta"] = dialect
        self.answers = set(answers)
        self._new_id = new_id
        self._outgoing: list[JsonObject] = []
        self._actions: list[Action] = []
        self._updates: deque[str] = deque()
        self._wanted: deque[JsonObject] = deque()
        self._creating: JsonObject | None = None
        self._muted: set[str] = set()
        self._open_calls: dict[str, set[str]] = {}
        self._delete_later: dict[str, str] = {}

    # --- outputs ---

    def events_to_send(self) -> list[JsonObject]:
        """The events to send now, in GA form; hands each out once."""
        events, self._outgoing = self._outgoing, []
        return events

    def actions_to_run(self) -> list[Action]:
        """What to do now; hands each out once."""
        actions, self._actions = self._actions, []
        return actions

    def on_wire(self, event: JsonObject) -> list[JsonObject]:
        """An event of :meth:`events_to_send` in the server's dialect."""
        return dialects.client_to_beta(event) if self.dialect == "beta" else [event]

    @property
    def busy(self) -> bool:
        """Whether a response runs, is on its way, or waits for a tool."""
        return bool(
            self.conversation.active_response is not None
            or self._creating is not None
            or self._wanted
            or self._open_calls
        )

    # --- verbs ---

    def send(self, event: JsonObject) -> str:
        """Sends an event; returns its ``event_id``, made up where it has none."""
        raw = dict(event)
        event_id = raw.setdefault("event_id", self._new_id("event"))
        if raw.get("type") == "session.update":
            self._updates.append(event_id)
        elif raw.get("type") == "response.create" and not _apart(raw):
            self._creating = raw
        self._outgoing.append(raw)
        return str(event_id)

    def update(self, session: JsonObject) -> str:
        """Changes the session; UpdateAccepted or UpdateRefused will name the returned id."""
        return self.send({"type": "session.update", "session": session})

    def say(self, text: str) -> str:
        """A typed user message and a response to it; returns the item's id."""
        item_id = self.create_item(
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": text}],
            }
        )
        self.create_response()
        return item_id

    def create_item(self, item: JsonObject) -> str:
        """Adds an item; returns its id."""
        item_id = str(item.get("id") or self._new_id("item"))
        self.send({"type": "conversation.item.create", "item": {**item, "id": item_id}})
        return item_id

    def create_response(self, response: JsonObject | None = None) -> None:
        """Asks for a response, now or as soon as the running one is done."""
        event: JsonObject = {"type": "response.create"}
        if response:
            event["response"] = response
        if not _apart(event) and (self._creating or self.conversation.active_response):
            self._wanted.append(event)
            return
        self.send(event)

    def interrupt(self) -> None:
        """Stops the agent: cancels its response and flushes playback."""
        active = self.conversation.active_response
        if active is not None:
            self.send({"type": "response.cancel", "response_id": active.id})
        self._stop_playback()

    # --- what happened ---

    def sent(self, event: JsonObject, t_s: float) -> None:
        """Folds an event in that is going out at ``t_s``."""
        try:
            parsed = ev.parse_client(event)
        except msgspec.ValidationError as error:
            parsed = ev.UnknownEvent(str(event.get("type")), event, str(error))
        self.conversation.apply(parsed, t_s)

    def receive(self, raw: JsonObject, t_s: float) -> list[ev.ServerEvent | ev.UnknownEvent]:
        """Takes what the server sent, in its dialect; returns it as typed GA events."""
        events = [ev.parse_server(ga) for ga in dialects.server_to_ga(raw)]
        for event in events:
            self.conversation.apply(event, t_s)
            if isinstance(event, ev.ServerEvent):
                self._react(event)
        return events

    def receive_playback(self, report: PlaybackReport) -> None:
        """Takes a report of the device that plays the agent's voice."""
        self.conversation.apply_playback(report)

    def receive_flushed(self, item_id: str, played_ms: float) -> None:
        """Tells the server how much was heard of an item whose playback was stopped."""
        item = self.conversation.items.get(item_id)
        if item is None or item.truncated_ms is not None:
            return
        whole = item.status != "in_progress" and played_ms >= item.audio_ms - 1
        if whole or item.audio_ms <= 0:
            return
        if played_ms < 1:
            self._delete_unheard(item_id, item.response_id)
            return
        self.send(
            {
                "type": "conversation.item.truncate",
                "item_id": item_id,
                "content_index": 0,
                "audio_end_ms": int(min(played_ms, item.audio_ms)),
            }
        )

    def receive_tool_output(self, call_id: str, output: str) -> None:
        """Posts what a function returned; after the last one of a response, asks for the next."""
        self.create_item({"type": "function_call_output", "call_id": call_id, "output": output})
        call = self.conversation.calls.get(call_id)
        open_calls = self._open_calls.get(call.response_id) if call is not None else None
        if call is None or open_calls is None:
            return
        open_calls.discard(call_id)
        self._finish_calls(call.response_id)

    # --- rules ---

    def _react(self, event: ev.ServerEvent) -> None:
        match event:
            case ev.OutputAudioDelta(item_id=item_id, delta=str(payload)):
                if event.response_id not in self._muted:
                    self._actions.append(PlayAudio(item_id, payload))
            case ev.SpeechStarted():
                detection = self.conversation.turn_detection or {}
                if detection.get("interrupt_response", True):
                    self._stop_playback()
            case ev.SessionUpdated():
                if self._updates:
                    self._actions.append(UpdateAccepted(self._updates.popleft()))
            case ev.ResponseCreated():
                if event.response.get("conversation_id", "") is not None:
                    self._creating = None
            case ev.OutputItemDone():
                self._output_item_done(event)
            case ev.ResponseDone():
                self._response_done(str(event.response.get("id", "")))
            case ev.ErrorEvent():
                self._refused(event)
            case _:
                pass

    def _stop_playback(self) -> None:
        active = self.conversation.active_response
        if active is not None:
            self._muted.add(active.id)
        self._actions.append(FlushPlayback())

    def _output_item_done(self, event: ev.OutputItemDone) -> None:
        item_id = str(event.item.get("id", ""))
        if event.item.get("type") != "function_call":
            self._actions.append(EndAudio(item_id))
            return
        call = self.conversation.calls.get(str(event.item.get("call_id")))
        if call is None or call.status != "completed" or call.name not in self.answers:
            return
        self._open_calls.setdefault(event.response_id, set()).add(call.call_id)
        self._actions.append(CallTool(call))

    def _response_done(self, response_id: str) -> None:
        unheard = self._delete_later.pop(response_id, None)
        if unheard is not None:
            self.send({"type": "conversation.item.delete", "item_id": unheard})
        self._finish_calls(response_id)
        if self._wanted and self._creating is None and not self.conversation.active_response:
            self.send(self._wanted.popleft())

    def _finish_calls(self, response_id: str) -> None:
        """Asks for the response that speaks about tool outputs, once all of them are posted."""
        response = self.conversation.responses.get(response_id)
        if self._open_calls.get(response_id) != set():
            return
        if response is not None and response.active:
            return
        del self._open_calls[response_id]
        if not self._turn_will_be_answered():
            self.create_response()

    def _turn_will_be_answered(self) -> bool:
        """Whether the user speaks right now and the server answers that turn by itself."""
        speech = self.conversation.speech
        detection = self.conversation.turn_detection
        return bool(
            detection
            and detection.get("create_response", True)
            and speech
            and speech[-1].audio_end_ms is None
        )

    def _delete_unheard(self, item_id: str, response_id: str | None) -> None:
        # Nothing of it was heard. A truncation to 0 ms is refused, so the item goes; while its
        # response runs it can't be deleted yet.
        response = self.conversation.responses.get(response_id or "")
        if response is not None and response.active:
            self._delete_later[response.id] = item_id
        else:
            self.send({"type": "conversation.item.delete", "item_id": item_id})

    def _refused(self, error: ev.ErrorEvent) -> None:
        cause = error.caused_by
        if self._creating is not None and cause == self._creating["event_id"]:
            event, self._creating = self._creating, None
            if error.code == "conversation_already_has_active_response":
                self._wanted.appendleft(
                    {key: value for key, value in event.items() if key != "event_id"}
                )
        about_session = cause is None and str(error.error.get("param", "")).startswith("session")
        if cause not in self._updates and about_session and self._updates:
            cause = self._updates[0]
        if cause is not None and cause in self._updates:
            self._updates.remove(cause)
            self._actions.append(UpdateRefused(cause, error))


def _apart(event: JsonObject) -> bool:
    """Whether a ``response.create`` stays out of the conversation."""
    return (event.get("response") or {}).get("conversation") == "none"
