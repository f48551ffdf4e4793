"""The conversation as a fold over events.

Live views, the local server, recordings and their analysis all derive what they know from
:meth:`Conversation.apply`, over the same events, sent and received. Times are given with the
events (seconds since the session began) and never read from a clock; audio is counted in
milliseconds of the input-sample clock (what was appended) or of an item's own audio.

The fold is liberal: whatever a server leaves out stays at its default, and what it never announced
is created when it is first mentioned.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.audio_formats import payload_ms
from realtime_nb.protocol.connections import (
    ConnectionReport,
    Connections,
    Reconnection,
    is_restored,
    take_report,
)
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.races import Races
from realtime_nb.protocol.records import (
    ErrorRecord,
    FunctionCall,
    Item,
    PlaybackReport,
    Response,
    Speech,
    ToolReport,
    known_moment,
)
from realtime_nb.protocol.repeated_ids import tell_apart
from realtime_nb.protocol.reported_usage import added_up
from realtime_nb.protocol.server_playback import apply_server_playback, cut_at
from realtime_nb.protocol.serving import NOBODY, Serving, serving_of
from realtime_nb.protocol.setting_changes import SettingChanges
from realtime_nb.protocol.told_calls import take_arguments, take_call_item, told_call
from realtime_nb.protocol.told_responses import take_end, take_told
from realtime_nb.protocol.turn_steps import TURN_STEPS, TurnState, TurnStep, step_of
from realtime_nb.protocol.unannounced import messages_of, take_unannounced
from realtime_nb.protocol.user_audio import UserAudio
from realtime_nb.protocol.wire import object_of

__all__ = [
    "Conversation",
    "ErrorRecord",
    "FunctionCall",
    "Item",
    "PlaybackReport",
    "Response",
    "Speech",
    "ToolReport",
]

HistoryStep = Literal["committed", "added", "output", "response"]


@dataclass(slots=True, repr=False)
class Conversation:
    """Everything that the events so far have said.

    Attributes:
        session: the effective session, as the server last sent it.
        sessions: how often one was created; more than once where the server began anew.
        serving: who answers now; a response and a message know who did when they began.
        items: by id; ``order`` lists their ids in conversation order.
        deleted: items that were deleted, by id; they were said and heard all the same.
        responses: by id, in order of creation; ``running`` lists the ids of those that still run.
        calls: function calls by ``call_id``.
        audio: the user's, as far as it was appended, and the speech in it.
        turn: what the user's turn is: one of the states of ``TURN_STEPS``.
        turn_ended_s: when the turn ended that is still due a response; None where none is.
        history: (what, its id) in the order of the events: messages ``committed`` or ``added``,
            whichever came first, ``output`` of calls, by ``call_id``, and each ``response``.
        malformed: how many events of each known type could not be understood.
        set_apart: ids that were given again, and the names by which what had them before is kept.
        mixed_responses: ids of which it is not known what is of this and what of the one before.
        session_steps: how long ``history`` was when the session in force was created.
        gaps: what else is missing for good, and why; told by who reads a recording, and empty
            while a session goes on. See :data:`realtime_nb.archive.sources.Gap`.
        spoken: the agent's messages in the order in which they began to come.
        settings: what of the session's settings was changed while it went on.
        connections: one after the other, where they were lost and the session came back.
        item: in a live session, the verbs for its items.
        races: what was asked for and may lose a race: then its error is no error to anybody.
    """

    session: JsonObject = field(default_factory=dict)
    sessions: int = 0
    serving: Serving = NOBODY
    items: dict[str, Item] = field(default_factory=dict)
    deleted: dict[str, Item] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    responses: dict[str, Response] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)
    calls: dict[str, FunctionCall] = field(default_factory=dict)
    errors: list[ErrorRecord] = field(default_factory=list)
    audio: UserAudio = field(default_factory=UserAudio)
    turn: TurnState = "silent"
    turn_ended_s: float | None = None
    created_s: float | None = None
    updated_s: float | None = None
    events_applied: int = 0
    unknown_events: int = 0
    first_ids: set[str] = field(default_factory=set)
    history: dict[tuple[HistoryStep, str], None] = field(default_factory=dict)
    malformed: dict[str, int] = field(default_factory=dict)
    set_apart: list[tuple[str, str]] = field(default_factory=list)
    mixed_responses: set[str] = field(default_factory=set)
    session_steps: int = 0
    gaps: dict[str, str] = field(default_factory=dict)
    spoken: list[Item] = field(default_factory=list, repr=False)
    settings: SettingChanges = field(default_factory=SettingChanges)
    connections: Connections = field(default_factory=Connections)
    races: Races = field(default_factory=Races, repr=False)
    item: Any = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        said = f"{len(self.items)} items, {len(self.responses)} responses, {len(self.calls)} calls"
        return f"<Conversation: {said}; .transcript() tells who said what>"

    # --- reading ---

    @property
    def speech(self) -> list[Speech]:
        """What turn detection heard."""
        return self.audio.speech

    @property
    def reconnections(self) -> list[Reconnection]:
        """The gaps in it: where its connection was lost, and what that cost."""
        return self.connections.gaps

    @property
    def input_ms(self) -> float:
        """Audio appended so far, in ms of the input-sample clock."""
        return self.audio.sent_ms

    @property
    def uncommitted_ms(self) -> float:
        """Audio appended since the last commit or clear that was sent."""
        return self.audio.sent_ms - self.audio.committed_ms

    def holds(self, item_id: str) -> bool:
        """Tells whether an item is in the conversation; one that was only mentioned is not."""
        item = self.items.get(item_id)
        return item is not None and item.placed

    def in_order(self) -> list[Item]:
        """Returns the items in conversation order."""
        return [self.items[item_id] for item_id in self.order]

    @property
    def active_response(self) -> Response | None:
        """The running response of the default conversation, None when there is none."""
        running = (self.responses[response_id] for response_id in reversed(self.running))
        return next((response for response in running if response.in_conversation), None)

    @property
    def turn_detection(self) -> JsonObject | None:
        """The turn detection in force, None when it is off."""
        return object_of(self._side("input"), "turn_detection")

    @property
    def turns_are_answered(self) -> bool:
        """Whether the server answers the user's turns by itself."""
        detection = self.turn_detection
        if detection is None or self.session.get("type") == "transcription":
            return False
        return detection.get("create_response") is not False

    @property
    def playback_known(self) -> bool:
        """Whether a device has reported at all; of one item it is unknown where its count is NaN.

        An item that such a device never mentioned was not played.
        """
        return any(item.played_ms is not None for item in self.items.values())

    def played_ms(self, items: Iterable[Item]) -> float:
        """Returns how much of these items' audio was played; NaN where nothing tells."""
        return sum(i.played_ms or 0.0 for i in items) if self.playback_known else math.nan

    @property
    def usage(self) -> dict[str, int]:
        """Token counts of all responses added up: input, cached (part of input) and output."""
        return added_up(response.usage or {} for response in self.responses.values())

    @property
    def refused(self) -> list[ErrorRecord]:
        """The errors that matter: without lost races, which changed nothing."""
        return [error for error in self.errors if not error.benign]

    def transcript(self) -> list[tuple[str, str]]:
        """Returns who said what: (role, text) of every message that has text, in order."""
        return [
            (item.role or "", item.text)
            for item in self.in_order()
            if item.type == "message" and item.text
        ]

    # --- folding ---

    def apply(
        self,
        event: ev.ClientEvent | ev.ServerEvent | ev.UnknownEvent,
        t_s: float | None = None,
        captured_s: float | None = None,
        pcm: bytes | None = None,
    ) -> None:
        """Takes in one event, sent or received, at ``t_s`` seconds.

        The last sample of audio that was sent was captured at ``captured_s``, where that is known;
        audio that was received is ``pcm`` at 24 kHz, where it is at hand.
        """
        self.events_applied += 1
        match event:
            case ev.AudioBufferAppend():
                audio_format = self._side("input").get("format")
                self.audio.appended(event, audio_format, t_s, captured_s)
            case ev.OutputAudioDelta():
                self._audio(event, t_s, pcm)
            case ev.OutputAudioTranscriptDelta() | ev.OutputTextDelta():
                self._text(event, t_s)
            case ev.UnknownEvent():
                self.unknown_events += 1
                if event.problem is not None:
                    self._count_malformed(event.type)
            case ev.ClientEvent():
                self.races.sent(event)
                self._sent(self.connections.in_our_ids(event), t_s)
            case _:
                self._received(self.connections.in_our_ids(event), t_s)

    def apply_playback(self, report: PlaybackReport) -> None:
        """Takes in a report of the device that plays the agent's audio."""
        self._item(report.item_id).report(report, known_moment(report.t_s))

    def apply_tool(self, report: ToolReport) -> None:
        """Takes in a report of who runs the functions that the model calls."""
        told_call(self.calls, report.call_id).report(report, known_moment(report.t_s))

    def apply_connection(self, report: ConnectionReport) -> None:
        """Takes in what its session says of the connection."""
        take_report(self, report)
        if report.kind in ("lost", "ended"):
            self._turn_goes("lost")

    def measure(self, item_id: str, audio_ms: float) -> None:
        """States how much audio an item has, where its owner knows it better than the events."""
        self._item(item_id).audio_ms = audio_ms

    def settle(self, item_id: str, played_ms: float, stopped_s: float | None) -> None:
        """States how much of an item was played, where its device did not say how that ended.

        NaN where nothing tells; ``stopped_s`` is None where it may go on.
        """
        item = self._item(item_id)
        item.played_ms, item.stopped_s = played_ms, stopped_s

    def _sent(self, event: ev.ClientEvent, t_s: float | None) -> None:
        match event:
            case ev.ItemCreate():
                self._create(event, t_s)
            case ev.AudioBufferCommit() | ev.AudioBufferClear():
                self.audio.committed()
            case ev.SessionUpdate() if self.turn_detection is None or _sets_format(event.session):
                self.audio.taken()  # detection begins with what comes now

    def _create(self, event: ev.ItemCreate, t_s: float | None) -> None:
        item = event.item
        if self.connections.tells_again(event, self.holds):
            return
        if event.previous_item_id == "root" and isinstance(item.get("id"), str):
            self.first_ids.add(item["id"])
        if item.get("type") == "function_call_output" and isinstance(item.get("call_id"), str):
            call = told_call(self.calls, item["call_id"])
            call.output = str(item.get("output", ""))
            call.output_s = t_s
            self.history["output", call.call_id] = None

    def _received(self, event: ev.ServerEvent, t_s: float | None) -> None:
        tell_apart(self, event)
        match event:
            case ev.SessionCreated() | ev.SessionUpdated():
                self._configured(event, t_s)
            case ev.SpeechStarted():
                self.audio.started(event, self.turn_detection, t_s)
            case ev.SpeechStopped():
                self.audio.stopped(event, self.turn_detection, t_s)
            case ev.AudioBufferTimeoutTriggered():
                self.audio.taken_until(event.audio_end_ms)
            case ev.AudioBufferCommitted():
                item = self._item(event.item_id)
                before = item.committed_s is not None or ("committed", item.id) in self.history
                item.repeated |= before
                item.committed_s = t_s
                item.serving = self.serving
                if ("added", event.item_id) not in self.history:
                    self.history["committed", event.item_id] = None
            case ev.ItemAdded() | ev.ItemDone():
                self._place(event, t_s)
            case ev.ItemRetrieved():
                self._fill(event.item)
            case ev.ItemTruncated():
                cut_at(self._item(event.item_id), event.audio_end_ms)
            case ev.ItemDeleted():
                self.remove(event.item_id)
            case ev.ErrorEvent():
                self.errors.append(self.races.record(event, t_s))
            case _:
                self._received_late(event, t_s)
        detected = self.turn_detection is not None
        step = step_of(event, detected=detected, answered=self.turns_are_answered)
        if step is not None:
            self._turn_goes(step, t_s)

    def _received_late(self, event: ev.ServerEvent, t_s: float | None) -> None:
        match event:
            case ev.TranscriptionDelta():
                parts = self._transcribed(event.item_id).parts
                parts[event.content_index] = parts.get(event.content_index, "") + event.delta
            case ev.TranscriptionCompleted():
                item = self._transcribed(event.item_id)
                item.parts[event.content_index] = event.transcript
                item.transcript = "completed"
                item.transcription_usages[event.content_index] = event.usage
                item.transcript_s = t_s
            case ev.TranscriptionFailed():
                item = self._item(event.item_id)
                item.transcript = "failed"
                item.transcript_s = t_s
            case ev.OutputAudioTranscriptDone(content_index=part, transcript=text):
                self._begin_delivery(item := self._item(event.item_id))
                item.settle_text(part, text, spoken=True)
            case ev.OutputTextDone(content_index=part, text=text):
                self._begin_delivery(item := self._item(event.item_id))
                item.settle_text(part, text, spoken=False)
            case ev.ResponseCreated() | ev.ResponseDone():
                self._response_changed(event, t_s)
            case ev.Stages() if event.response_id in self.responses:
                self.responses[event.response_id].stages = event
            case ev.OutputItemAdded() | ev.OutputItemDone():
                self._output_item(event, t_s)
            case ev.OutputAudioBufferEvent():
                response = self.responses.get(event.response_id)
                apply_server_playback(event, t_s, response, self.items)
            case ev.FunctionCallArgumentsDelta() | ev.FunctionCallArgumentsDone():
                take_arguments(self.calls, event, t_s)

    # --- parts of the fold ---

    def _configured(self, event: ev.SessionCreated | ev.SessionUpdated, t_s: float | None) -> None:
        before = self.turn_detection
        known = bool(self.session)
        if event.session or isinstance(event, ev.SessionCreated):
            self.session = event.session  # one that is not told is as it was
        if isinstance(event, ev.SessionUpdated):
            self.updated_s = t_s
            self.serving = serving_of(event.session, self.serving)
            if not known:
                self._serve_earlier()
        else:
            self.serving = serving_of(event.session)
            if self.sessions:
                self.audio.connected()
            self.sessions += 1
            self.session_steps = len(self.history)
            self.created_s = t_s
        self.settings.take(event, t_s)
        self.audio.configured(before, self.turn_detection)

    def _turn_goes(self, step: TurnStep, t_s: float | None = None) -> None:
        self.turn = TURN_STEPS.get((self.turn, step), self.turn)
        if step == "ended":
            self.turn_ended_s = t_s
        elif self.turn != "due":
            self.turn_ended_s = None

    def _serve_earlier(self) -> None:
        """Takes what came before the first word of a session, whose beginning is not there, for
        its own: it can change its model for transcriptions, but neither its own nor its server."""
        earlier = replace(self.serving, transcription_model=None)
        for response in self.responses.values():
            response.serving = earlier
        for item in (*self.items.values(), *self.deleted.values()):
            item.serving = earlier

    def _transcribed(self, item_id: str) -> Item:
        """Returns an item that is heard by the model that was in force when it was committed; where
        that is not known, when the first of its transcript came."""
        item = self._item(item_id)
        if item.serving.transcription_model is None:
            item.serving = self.serving
        return item

    def _item(self, item_id: str) -> Item:
        """Returns the item of that id, which may be mentioned before it is added."""
        if item_id not in self.items and item_id in self.deleted:
            return self.deleted[item_id]
        if item_id not in self.items:
            self.items[item_id] = Item(item_id)
        return self.items[item_id]

    def _place(self, event: ev.ItemAdded | ev.ItemDone, t_s: float | None) -> None:
        item_id = event.item.get("id")
        if not isinstance(item_id, str):
            return
        if is_restored(self, event):
            return
        if item_id in self.deleted:  # it is back
            self.items[item_id] = self.deleted.pop(item_id)
        item = self._fill(event.item)
        if isinstance(event, ev.ItemDone):
            item.done_s = t_s
        if item.placed:
            return
        item.added_s = t_s
        if item.serving is NOBODY:
            item.serving = self.serving
        if ("committed", item_id) not in self.history:
            self.history["added", item_id] = None
        item.placed = True
        before = event.previous_item_id
        if before is not None and self.holds(before):
            self.order.insert(self.connections.place_after(before, self.order), item_id)
        elif item_id in self.first_ids:
            # null means "first" on the hosted server and "I don't tell" on some others, so only an
            # item that was asked to be first is put there.
            self.order.insert(0, item_id)
        elif self.serving.local:  # which does tell
            self.order.insert(self.connections.first_place(self.order), item_id)
        else:
            self.order.append(item_id)
        item.audio_ms = self.audio.length_of(item)

    def remove(self, item_id: str) -> None:
        """Takes an item out of the conversation, as the server did."""
        self.first_ids.discard(item_id)
        if (item := self.items.pop(item_id, None)) is None:
            return
        self.deleted[item_id] = item
        if item.placed:
            self.order.remove(item_id)
            item.placed = False

    def _fill(self, raw: JsonObject) -> Item:
        """Brings an item up to what the server says of it."""
        item = self._item(str(raw.get("id")))
        item.update(raw)
        return item

    def _response(self, response_id: str) -> Response:
        if response_id not in self.responses:
            self.responses[response_id] = Response(response_id, serving=self.serving)
            self.running.append(response_id)
            self.history["response", response_id] = None
        return self.responses[response_id]

    def _response_changed(
        self, event: ev.ResponseCreated | ev.ResponseDone, t_s: float | None
    ) -> None:
        raw = event.response
        response = self._response(str(raw.get("id", "")))
        take_told(response, raw, done=isinstance(event, ev.ResponseDone))
        if not response.active and response.id in self.running:
            self.running.remove(response.id)
        if isinstance(event, ev.ResponseCreated):
            response.announced = True
            response.repeated |= response.id in self.mixed_responses
            response.created_s = t_s
            return
        response.done_s = t_s
        take_unannounced(self, response, raw.get("output"))
        if response.status == "completed":
            for item in messages_of(self, response.id):
                item.delivery.whole = True
        take_end(response, raw, mixed=response.id in self.mixed_responses)

    def _output_item(
        self, event: ev.OutputItemAdded | ev.OutputItemDone, t_s: float | None
    ) -> None:
        item = self._fill(event.item)
        item.response_id = event.response_id
        response = self._response(event.response_id)
        if item.id not in response.item_ids:
            response.item_ids.append(item.id)
        take_call_item(self.calls, item, event, t_s)

    def _audio(self, event: ev.OutputAudioDelta, t_s: float | None, pcm: bytes | None) -> None:
        response = self._response(event.response_id)
        audio_format = response.audio_format or self._side("output").get("format")
        duration_ms = payload_ms(event.delta, audio_format)
        response.audio_ms += duration_ms
        if response.first_audio_s is None:
            response.first_audio_s = t_s
        if not event.item_id:  # it may be of any
            self._count_malformed(event.type)
            return
        item = self._item(event.item_id)
        item.audio_ms += duration_ms
        item.last_audio_s = t_s
        if item.first_audio_s is None:
            item.first_audio_s = t_s
        item.response_id = item.response_id or event.response_id
        self._begin_delivery(item)
        item.delivery.add_audio(event.delta, duration_ms, audio_format, pcm)

    def _begin_delivery(self, item: Item) -> None:
        item.delivery.begin(item, self.spoken, self._side("output").get("speed"))

    def _count_malformed(self, name: str) -> None:
        self.malformed[name] = self.malformed.get(name, 0) + 1

    def _text(
        self, event: ev.OutputAudioTranscriptDelta | ev.OutputTextDelta, t_s: float | None
    ) -> None:
        item = self._item(event.item_id)
        item.response_id = item.response_id or event.response_id
        self._begin_delivery(item)
        spoken = isinstance(event, ev.OutputAudioTranscriptDelta)
        item.add_text(event.content_index, event.delta, spoken=spoken)
        response = self._response(event.response_id)
        if response.first_text_s is None:
            response.first_text_s = t_s

    def _side(self, side: Literal["input", "output"]) -> JsonObject:
        audio = self.session.get("audio")
        values = audio.get(side) if isinstance(audio, dict) else None
        return values if isinstance(values, dict) else {}


def _sets_format(session: JsonObject) -> bool:
    return "format" in (object_of(object_of(session, "audio") or {}, "input") or {})
