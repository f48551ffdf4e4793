"""The client's side of the protocol: verbs in, events to send and things to do out.

Pure like its server twin. It keeps the rules that every client gets wrong once:

* one ``response.create`` at a time; others wait for ``response.done`` and become one, and one that
  lost the race against the server's own response is sent again after it;
* a typed message cuts the answer short that is being spoken (or waits: `TYPING`), but for one that
  tells what a function came to, which the user would not learn otherwise;
* none while the user speaks: the answer to their turn stands for those that waited meanwhile;
* a function call is run once, from ``response.output_item.done``; all outputs of a response are
  posted before the one ``response.create`` that speaks about them;
* when the connection is lost, what the user wants is kept: settings, messages, outputs and answers
  that the server may not have had go to the next one, after the conversation so far;
* when the user starts to speak, playback stops first, then the server is told how much of the
  answer was heard; audio of the interrupted response that still arrives is dropped.

Whoever drives it sends :meth:`ClientProtocol.events_to_send` and does
:meth:`~ClientProtocol.actions_to_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Literal, get_args

import msgspec

from realtime_nb.protocol import dialect as dialects
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.answer_audio import AnswerAudio
from realtime_nb.protocol.arbiter import ResponseArbiter, is_apart, lost_race
from realtime_nb.protocol.audio_formats import session_format
from realtime_nb.protocol.client_actions import ClientAction, UpdateAccepted, UpdateRefused
from realtime_nb.protocol.client_calls import ClientCalls
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation, FunctionCall, PlaybackReport, ToolReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.restoring import spoken_message
from realtime_nb.protocol.turn_audio import TurnAudio
from realtime_nb.protocol.unannounced import calls_of
from realtime_nb.protocol.unconfirmed import Unconfirmed
from realtime_nb.protocol.unheard import Unheard
from realtime_nb.protocol.voice_regained import VoiceRegained

__all__ = ["TYPING", "ClientProtocol", "Typing"]


Typing = Literal["interrupts", "waits"]
"""What a typed message does to the answer that is being spoken: it ends that, or waits for it."""

TYPING: tuple[Typing, ...] = get_args(Typing)


class ClientProtocol:
    """One session of a Realtime client.

    Args:
        new_id: makes ids from a prefix: ``new_id("event")``.
        dialect: what the server speaks; everything on this side is GA.
        answers: names of the functions that the driver can run; calls of others that were declared
            are left to whoever reads the events.
        typing: what a typed message does to the answer that is being spoken.

    Attributes:
        typed_waits: whether typed messages wait until nothing more of the agent's is to be heard.
    """

    def __init__(
        self,
        new_id: Callable[[str], str],
        dialect: Literal["ga", "beta"] = "ga",
        answers: Iterable[str] = (),
        typing: Typing = "interrupts",
    ) -> None:
        self.conversation = Conversation()
        self.turn_audio = TurnAudio(self.conversation.audio)
        self.typing: Typing = typing
        self.typed_waits = False
        self.dialect: Literal["ga", "beta"] = dialect
        self._new_id = new_id
        self._outgoing: list[JsonObject] = []
        self._actions: list[ClientAction] = []
        self._unconfirmed = Unconfirmed()
        self._online = True
        self._arbiter = ResponseArbiter(self.conversation, self.send)
        self._audio = AnswerAudio(self.conversation, self._do)
        self._unheard = Unheard(self.conversation, self.send)
        self._voice = VoiceRegained(self.conversation, self.send, self.create_response)
        self._calls = ClientCalls(
            self.conversation, answers, self._do, lambda: self._ask(None, results=True)
        )
        self._items_sent: set[str] = set()  # while the user speaks
        self._telling: set[str] = set()  # responses that tell results and were not heard to the end

    @property
    def answers(self) -> set[str]:
        """Names of the functions that the driver can run."""
        return self._calls.answers

    @answers.setter
    def answers(self, names: set[str]) -> None:
        self._calls.answers = names

    def _do(self, action: ClientAction) -> None:
        self._actions.append(action)

    # --- outputs ---

    def events_to_send(self) -> list[JsonObject]:
        """Returns the events to send now, in GA form; hands each out once.

        None while the connection is lost.
        """
        if not self._online:
            return []
        events, self._outgoing = self._outgoing, []
        return events

    def actions_to_run(self) -> list[ClientAction]:
        """Returns what to do now; hands each out once."""
        actions, self._actions = self._actions, []
        return actions

    def on_wire(self, event: JsonObject) -> list[JsonObject]:
        """Returns an event of :meth:`events_to_send` in the server's dialect."""
        event = self.conversation.connections.in_their_ids(event)
        return dialects.client_to_beta(event) if self.dialect == "beta" else [event]

    @property
    def busy(self) -> bool:
        """Whether a response runs, is on its way, or waits for a tool or for silence."""
        return self.typed_waits or self._works

    @property
    def _works(self) -> bool:
        active = self.conversation.active_response
        return bool(active is not None or self._arbiter.busy or self._calls.waiting)

    @property
    def user_speaking(self) -> bool:
        """Whether turn detection hears the user right now."""
        return self.conversation.turn == "speaking"

    # --- verbs ---

    def send(self, event: JsonObject) -> str:
        """Sends an event; returns its ``event_id``, made up where it has none."""
        raw = dict(event)
        event_id = str(raw.setdefault("event_id", self._new_id("event")))
        if raw.get("type") == "response.create":
            self._calls.declared(raw.get("response"))
            if not is_apart(raw):
                if not self._online:
                    self._arbiter.ask(raw)
                    return event_id
                self._arbiter.sent(raw)
                self.typed_waits &= bool(raw.get("response"))  # any other answers all before it
        self._unconfirmed.sent(event_id, raw)
        self._outgoing.append(raw)
        return event_id

    def update(self, session: JsonObject) -> str:
        """Changes the session; UpdateAccepted or UpdateRefused will name the returned id."""
        return self.send({"type": "session.update", "session": session})

    def say(self, text: str, sounding: bool = True) -> str:
        """Sends a typed user message and asks for a response to it; returns the item's id.

        Messages that come before their response has begun are answered by one, to the last. Where
        they wait, so are those that come until nothing more of the agent's is to be heard.

        Args:
            text: of the message.
            sounding: whether something of the agent's is left to be heard.
        """
        if self.typing == "interrupts":
            self._cut_short(sounding)
        item_id = self.create_item(
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": text}],
            }
        )
        if self.typing == "waits" and (sounding or self.busy):
            self.typed_waits = True
        else:
            self.create_response()
        return item_id

    def fell_silent(self) -> None:
        """Takes note that nothing of the agent's is left to be heard: what was typed meanwhile is
        answered. (Servers are done with an answer long before it has been spoken.)"""
        if self.typed_waits and not self._works:
            self.typed_waits = False
            self.create_response()

    def create_item(self, item: JsonObject) -> str:
        """Adds an item; returns its id."""
        item_id = str(item.get("id") or self._new_id("item"))
        if self.user_speaking:
            self._items_sent.add(item_id)
        self.send({"type": "conversation.item.create", "item": {**item, "id": item_id}})
        return item_id

    def create_response(self, response: JsonObject | None = None) -> None:
        """Asks for a response: now, or as soon as the running one is done and the user silent."""
        self._ask(response, results=False)

    def _ask(self, response: JsonObject | None, results: bool) -> None:
        event: JsonObject = {"type": "response.create"}
        if response:
            event["response"] = response
        if is_apart(event):
            self.send(event)
        else:
            self._arbiter.ask(event, results)

    def may_fill(self, response_id: str) -> bool:
        """Tells whether functions of that response run and a filler may be asked for now."""
        return self._calls.of_response(response_id) and self._arbiter.may_fill(response_id)

    def fill(self, response_id: str, response: JsonObject) -> None:
        """Asks for a filler, where `may_fill` says that it may be."""
        self._arbiter.fill(response_id, response)

    def interrupt(self) -> None:
        """Stops the agent: cancels its response, drops those that wait, and flushes playback."""
        self._cancel()
        self._arbiter.drop()
        self.typed_waits = False
        self._audio.stop()

    def _cancel(self) -> None:
        active = self.conversation.active_response
        if active is not None:
            self.send({"type": "response.cancel", "response_id": active.id})
        elif self._arbiter.unanswered:
            # It is cancelled as soon as it begins: servers take events in order.
            self.send({"type": "response.cancel"})
            self._audio.mute_next = True

    def _cut_short(self, sounding: bool) -> None:
        """Stops the agent for a typed message: its answer, and what is heard of an earlier one.

        What waits is still wanted: the answer to the message answers that, too.
        """
        if self._tells_results(sounding):
            return
        active = self.conversation.active_response
        ended = self._audio.mute_next if active is None else self._audio.is_muted(active.id)
        if not ended:
            self._cancel()
        if sounding or (active is not None and not ended):
            self._audio.stop()

    def _tells_results(self, sounding: bool) -> bool:
        """Tells whether the user is being told, or about to be, what a function came to."""
        self._telling = {one for one in self._telling if self._is_told(one, sounding)}
        return bool(self._telling) or self._arbiter.tells_results

    def _is_told(self, response_id: str, sounding: bool) -> bool:
        """Tells whether a response runs, or something of it is left to be heard."""
        response = self.conversation.responses[response_id]
        if response.active:
            return True
        items = (self.conversation.items.get(item_id) for item_id in response.item_ids)
        left = any(
            item is not None and item.audio_ms > 0 and item.playback in ("unplayed", "playing")
            for item in items
        )
        return sounding and left and response.status != "cancelled"

    # --- when the connection is lost ---

    def lost(self, report: ConnectionReport) -> None:
        """Takes note that the connection is lost; what is wanted of the server is kept for the
        next one, in `restored_settings` and `resume`."""
        answer_is_due = self._answer_is_due()
        self._audio.end_voices()
        self.conversation.apply_connection(report)
        self._online = False
        self._unconfirmed.lost()
        self._unheard.lost()
        self._arbiter.lost()
        self._audio.lost()
        for forgotten in (self._items_sent, self._telling):
            forgotten.clear()
        for audio in self.turn_audio.lost():
            self.create_item(spoken_message(audio))
        if answer_is_due:
            self.create_response()
        self._calls.lost()

    def _answer_is_due(self) -> bool:
        """Tells whether the user waits for an answer that nobody but the lost server knew of."""
        if self._calls.waiting:  # it is asked for once they are done
            return False
        active = self.conversation.active_response
        cut_off = active is not None and not self._audio.is_muted(active.id)
        return cut_off or self.conversation.turn == "due"

    def restored_settings(self, summary: str = "") -> JsonObject:
        """Returns the ``session.update`` that a new session begins with; UpdateAccepted or
        UpdateRefused will name its ``event_id``.

        Args:
            summary: of what was said, added to the instructions.
        """
        session: JsonObject = {"type": "realtime", **self._unconfirmed.settings}
        if summary:
            asked = session.get("instructions") or self.conversation.session.get("instructions")
            session["instructions"] = f"{asked or ''}\n\n{summary}".strip()
        event_id = self._new_id("event")
        event = {"type": "session.update", "event_id": event_id, "session": session}
        self._unconfirmed.restoring(event_id, event)
        return event

    def resume(self, items: list[JsonObject]) -> None:
        """Tells a new session the conversation so far, then what waited for a connection.

        Args:
            items: in order, with the ids that they have here.
        """
        told = [
            {"type": "conversation.item.create", "event_id": self._new_id("event"), "item": item}
            for item in items
        ]
        again = self._unconfirmed.again({item["id"] for item in items})
        known = {str(event["item"].get("id")) for event in (*told, *again) if "item" in event}
        held = [event for event in self._outgoing if self._is_still_meant(event, known)]
        self._outgoing = [*told, *again, *held]
        self._online = True
        self._arbiter.resumed()

    def _is_still_meant(self, event: JsonObject, known: Container[str]) -> bool:
        """Tells whether a new session, which knows these items, can do something with an event
        that waited for it."""
        # Settings, items and responses apart are told again anyway; there is nothing to cancel,
        # truncate or commit.
        kinds = ("conversation.item.delete", "conversation.item.retrieve")
        return event.get("type") in kinds and event.get("item_id") in known

    # --- what happened ---

    def sent(self, event: JsonObject, t_s: float, captured_s: float | None = None) -> None:
        """Folds an event in that is going out at ``t_s``; its audio was captured by ``captured_s``.

        A recording keeps both times to the microsecond, and folds to the same.
        """
        try:
            parsed = ev.parse_client(event)
        except msgspec.ValidationError as error:
            parsed = ev.UnknownEvent(str(event.get("type")), event, str(error))
        captured_s = None if captured_s is None else round(captured_s, 6)
        if self._online and isinstance(parsed, ev.ClientEvent):
            self.turn_audio.sending(parsed)
        self.conversation.apply(parsed, t_s, captured_s)
        if isinstance(parsed, ev.AudioBufferAppend):
            self.turn_audio.appended(parsed, session_format(self.conversation.session, "input"))

    def receive(
        self, raw: JsonObject, t_s: float, pcm: bytes | None = None
    ) -> list[ev.ServerEvent | ev.UnknownEvent]:
        """Takes what the server sent, in its dialect; returns it as typed GA events.

        Args:
            raw: the event as it came.
            t_s: when, in seconds since the session began.
            pcm: its audio as the device takes it, of an event that has some.
        """
        events = [ev.parse_server(ga) for ga in dialects.server_to_ga(raw)]
        for at, event in enumerate(events):
            owed = self.conversation.turn == "due"  # before this event settles it
            self.conversation.apply(event, t_s, pcm=pcm)
            if isinstance(event, ev.ErrorEvent):
                benign = self.conversation.errors[-1].benign
                event = events[at] = msgspec.structs.replace(event, benign=benign)
            if isinstance(event, ev.ServerEvent):
                self._listen(event)  # first, so that no reaction asks for a response into speech
                self._react(event, pcm or b"", owed)
        return events

    def receive_playback(self, report: PlaybackReport) -> None:
        """Takes a report of the device that plays the agent's voice."""
        self.conversation.apply_playback(report)

    def receive_tool_report(self, report: ToolReport) -> None:
        """Takes a report of who runs the functions."""
        self.conversation.apply_tool(report)

    def receive_flushed(self, item_id: str, played_ms: float) -> None:
        """Tells the server how much was heard of an item whose playback was stopped."""
        self._unheard.flushed(item_id, played_ms)

    def receive_tool_output(self, call: FunctionCall, output: str) -> None:
        """Posts what a function returned; after the last one of a response, asks for the next."""
        self.create_item(
            {"type": "function_call_output", "call_id": call.call_id, "output": output}
        )
        self._calls.answered(call)

    # --- rules: the user's turns ---

    def _listen(self, event: ev.ServerEvent) -> None:
        """Has requests wait while the user speaks."""
        match event:
            case ev.SpeechStarted():
                self._arbiter.hold()
            case ev.SpeechStopped() | ev.AudioBufferTimeoutTriggered():
                self._fall_silent(self.conversation.turns_are_answered)
            case ev.AudioBufferCommitted() | ev.AudioBufferCleared():
                if isinstance(event, ev.AudioBufferCommitted):
                    self.turn_audio.committed(event.item_id)
                # By hand, in the middle of speech: no speech_stopped will come.
                self._fall_silent(answered=False)
            case ev.SessionUpdated() if self.conversation.turn_detection is None:
                self._fall_silent(answered=False)
            case _:
                pass

    def _fall_silent(self, answered: bool) -> None:
        """Lets requests go, now that the user is silent; ``answered``: the server answers that."""
        # What it did not have by then, its own response knows nothing of.
        known = self._items_sent <= self.conversation.items.keys()
        self._items_sent.clear()
        self.typed_waits &= not (answered and known)
        self._arbiter.release(answered and known)

    # --- rules: everything else ---

    def _react(self, event: ev.ServerEvent, pcm: bytes, owed: bool) -> None:
        """Does what an event asks for; ``owed``: before it, the server owed a turn its response."""
        match event:
            case ev.OutputAudioDelta():
                self._audio.take(event, pcm)
            case ev.SpeechStarted():
                detection = self.conversation.turn_detection or {}
                if detection.get("interrupt_response") is not False:
                    self._audio.stop()
                    self._arbiter.withdraw()
            case ev.SessionUpdated():
                accepted = self._unconfirmed.accepted()
                if accepted is not None:
                    self._actions.append(UpdateAccepted(accepted))
            case ev.ItemAdded():
                self._unconfirmed.added(event.item)
            case ev.ResponseCreated():
                self._response_created(event.response, owed)
            case ev.OutputItemDone():
                self._output_item_done(event.item, event.response_id)
            case ev.ResponseDone():
                self._response_done(event.response)
            case ev.ErrorEvent():
                self._refused(event, owed)
            case _:
                pass

    def _response_created(self, response: JsonObject, owed: bool) -> None:
        response_id = str(response.get("id", ""))
        if response.get("conversation_id", "") is None:
            self._unconfirmed.begun(response_id)
            return
        withdrawn = self._arbiter.withdrawn and not owed
        if self._arbiter.created(answers_turn=owed):
            self._telling.add(response_id)
        if withdrawn:
            self.send({"type": "response.cancel", "response_id": response_id})
        self._audio.created(response_id, withdrawn)

    def _output_item_done(self, item: JsonObject, response_id: str) -> None:
        if item.get("type") == "function_call":
            self._unconfirmed.done(response_id)  # asked for again, it would be called twice
            self._calls.take(item, response_id)
        else:
            self._audio.end(response_id, str(item.get("id", "")))

    def _response_done(self, response: JsonObject) -> None:
        response_id = str(response.get("id", ""))
        self._unconfirmed.done(response_id)
        # Some servers have no output_item events; then this is where everything is.
        output = response.get("output")
        for item in output if isinstance(output, list) else []:
            if isinstance(item, dict):
                self._output_item_done(item, response_id)
        for call in calls_of(self.conversation, response_id):  # and some have not even that
            self._calls.take({"call_id": call.call_id, "status": call.status}, response_id)
        self._audio.end_all(response_id)
        # Before the arbiter sends what waits: the next response must not know what nobody heard.
        known = self.conversation.responses.get(response_id)
        muted, voiced = self._audio.forget(response_id)
        self._unheard.done(known, muted, voiced)
        self._voice.done(known)
        self._arbiter.done(response_id)
        self._calls.finish(response_id)

    # --- rules: refusals ---

    def _refused(self, error: ev.ErrorEvent, owed: bool) -> None:
        cause = error.caused_by
        self.turn_audio.refused(cause)
        param = error.error.get("param")
        updates = self._unconfirmed.updates
        if cause is None and updates and str(param or "").startswith("session"):
            cause = next(iter(updates))
        elif self._arbiter.refused(error):
            self._audio.mute_next = False
            return
        elif cause is None and lost_race(error) and owed:
            # The server's own answer to the user's turn lost against a response of ours.
            self.create_response()
            return
        elif cause is None and updates and param is None:
            # A server that names neither event nor field; the update is what hangs on an answer.
            cause = next(iter(updates))
        if cause is not None and self._unconfirmed.refused(cause):
            self._actions.append(UpdateRefused(cause, error))
