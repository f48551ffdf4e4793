"""The server's side of the protocol: a client's events in, the server's events and jobs out.

Pure like its client twin: it owns no socket, clock or model. Whoever drives it

1. hands in what the client sent (:meth:`ServerProtocol.receive_frame`) and what the engines made
   (``receive_transcript``, ``receive_text``, ``receive_speech``, ``receive_call``,
   ``receive_response_end``, ``receive_response_failure``, ``receive_completeness``),
2. sends :meth:`~ServerProtocol.events_to_send` and runs :meth:`~ServerProtocol.jobs_to_run`.

Time is audio time: milliseconds of appended audio. Results of jobs that are superseded (a cancelled
response, an older attempt at a transcript) are recognised by id and dropped, so the driver never
needs to cancel in a hurry. An event that can't be obeyed is answered with an ``error`` event that
names its code, field and ``event_id``, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from realtime_nb.protocol import dialect as dialects
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.audio_formats import format_of, whole_samples
from realtime_nb.protocol.checking import checked_event, decoded_append
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.input_buffer import SpeechDetector
from realtime_nb.protocol.items import ItemStore
from realtime_nb.protocol.listening import JudgeTurn, Listening
from realtime_nb.protocol.problems import Problem, Refused
from realtime_nb.protocol.responses import CancelResponse, Job, Respond, Responses
from realtime_nb.protocol.semantic_turns import TurnQuestion
from realtime_nb.protocol.serving import LOCAL_SESSION
from realtime_nb.protocol.sessions import (
    checked_response,
    new_session,
    updated_session,
)
from realtime_nb.protocol.tool_servers import ToolServers
from realtime_nb.protocol.transcripts import Transcribe, Transcripts

__all__ = [
    "CancelResponse",
    "Job",
    "JudgeTurn",
    "Respond",
    "ServerProtocol",
    "Transcribe",
]

_STEP_BYTES = 2 * 1024
"""What an item, a response or a change takes beyond its words."""

_LOGPROBS = "item.input_audio_transcription.logprobs"

_MAX_MESSAGE_CHARS = 1_000
"""Of an error's message or field path, which may quote what the client sent."""


class ServerProtocol:
    """One connection of a Realtime server.

    Args:
        model: name that the session reports.
        new_id: makes ids from a prefix: ``new_id("item")`` → ``item_…``.
        detector_for: makes a speech detector for an audio format.
        expires_at: unix seconds at which the session ends.
        dialect: what the connection speaks; ``auto`` is GA until an event that only a beta client
            sends, such as a flat ``session.update``, is obeyed as the first that tells.
        session_type: ``realtime`` or ``transcription``.
        turn_model: whether the driver has one that answers :class:`JudgeTurn`; without it
            ``semantic_vad`` goes by the words.
    """

    def __init__(
        self,
        *,
        model: str,
        new_id: Callable[[str], str],
        detector_for: Callable[[JsonObject], SpeechDetector],
        expires_at: int,
        dialect: Literal["ga", "beta", "auto"] = "ga",
        session_type: Literal["realtime", "transcription"] = "realtime",
        turn_model: bool = False,
    ) -> None:
        self.dialect: Literal["ga", "beta"] = "beta" if dialect == "beta" else "ga"
        self._dialect_open = dialect == "auto"
        self.conversation = Conversation()
        self._said_bytes = 0
        self._changes = 0
        self._new_id = new_id
        self._conversation_id = new_id("conv")
        self._session = new_session(session_type, model, new_id(LOCAL_SESSION), expires_at)
        self._outgoing: list[JsonObject] = []
        self._jobs: list[Job] = []
        self._items = ItemStore(self.conversation)
        self._transcripts = Transcripts(self._items, self._emit, self._add_job, self._words_known)
        self._listening = Listening(
            self._session["audio"]["input"],
            items=self._items,
            transcripts=self._transcripts,
            new_id=new_id,
            detector_for=detector_for,
            emit=self._emit,
            speech_began=self._speech_began,
            turn_ended=self._turn_ended,
            judge_turn=self._add_job if turn_model else None,
        )
        self._tool_servers = ToolServers(self._items, new_id, self._emit)
        self._responses = Responses(
            self.conversation,
            self._conversation_id,
            items=self._items,
            transcripts=self._transcripts,
            listening=self._listening,
            new_id=new_id,
            emit=self._emit,
            start=self._add_job,
        )

    # --- outputs ---

    def start(self, engines: Mapping[str, str] | None = None) -> None:
        """Greets the client with ``session.created``.

        Args:
            engines: by kind, what the server hears, thinks and speaks with; told beside the
                session, for what is in it comes back from clients that change one setting of it.
        """
        told = {"engines": dict(engines)} if engines else {}
        self._emit({"type": "session.created", "session": self._session, **told})
        if self.dialect == "beta":
            conversation = {"id": self._conversation_id, "object": "realtime.conversation"}
            self._emit({"type": "conversation.created", "conversation": conversation})
        self._tool_servers.list_tools(self._session.get("tools", ()))

    def events_to_send(self) -> list[JsonObject]:
        """Returns the events to send now, in the connection's dialect; hands each out once."""
        events, self._outgoing = self._outgoing, []
        if self.dialect == "beta":
            return [beta for event in events for beta in dialects.server_to_beta(event)]
        return events

    def jobs_to_run(self) -> list[Job]:
        """Returns the work to start now; hands each job out once."""
        jobs, self._jobs = self._jobs, []
        return jobs

    @property
    def session(self) -> JsonObject:
        """The effective session (GA form)."""
        return self._session

    # --- what the client sent ---

    def receive_frame(self, frame: str | bytes) -> None:
        """Takes one WebSocket message. Never raises for what a client may send."""
        if isinstance(frame, bytes):
            message = "Expected a text WebSocket message; binary frames are not supported."
            self._refuse(Problem("invalid_event", message), None)
            return
        try:
            raw = msgspec.json.decode(frame)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            message = f"Invalid event: failed to parse JSON value. {str(error)[:200]}"
            self._refuse(Problem("invalid_json", message), None)
            return
        self.receive(raw, len(frame))

    def refuse(self, refused: Refused) -> None:
        """Answers a message that its reader refused already."""
        self._refuse(refused.problem, refused.cause)

    @property
    def audio_bytes(self) -> int:
        """Audio that is kept: what was not committed, and that of items."""
        return self._listening.held_bytes + self._items.audio_bytes

    @property
    def kept_bytes(self) -> int:
        """About what all items, responses and settings take, those of the past included."""
        return self._said_bytes + _STEP_BYTES * (self._changes + len(self.conversation.history))

    def forget(self) -> None:
        """Forgets the conversation, once it is over.

        Its parts know it, and it knows its parts: without this they would stay until Python looks
        for such circles, which in a quiet server is late.
        """
        vars(self).clear()

    def receive(self, raw: object, size: int = 0) -> None:
        """Takes one decoded event, which had so many characters."""
        if not isinstance(raw, dict):
            self._refuse(Problem("invalid_event", "An event must be a JSON object."), None)
            return
        event_id = raw.get("event_id")
        cause = event_id if isinstance(event_id, str) and len(event_id) <= 512 else None
        shown = dialects.detect(raw) if self._dialect_open else None
        dialect = shown or self.dialect
        for ga in dialects.client_to_ga(raw) if dialect == "beta" else [raw]:
            try:
                event = checked_event(ga)
                self._obey(event)
                if isinstance(event, ev.ItemCreate | ev.SessionUpdate | ev.ResponseCreate):
                    self._said_bytes += size
                    self._changes += 1
            except Refused as refused:
                self._refuse(refused.problem, cause)
            else:
                # Only what is obeyed settles it: a refused event changes nothing.
                self.dialect = dialect
                self._dialect_open = self._dialect_open and shown is None

    def _obey(self, event: ev.ClientEvent) -> None:
        match event:
            case ev.AudioBufferAppend():
                self._listening.append(decoded_append(event))
                self.conversation.apply(event)
            case ev.AudioBufferCommit():
                self._listening.commit()
            case ev.AudioBufferClear():
                self._listening.clear()
            case ev.SessionUpdate():
                self._update_session(event.session)
            case ev.ItemCreate():
                self._create_item(event)
            case ev.ItemRetrieve():
                item = self._items.retrieve(event.item_id)
                self._emit({"type": "conversation.item.retrieved", "item": item})
            case ev.ItemTruncate():
                self._items.truncate(event)
                self._heard_no_more(event.item_id)
                self._emit(
                    {
                        "type": "conversation.item.truncated",
                        "item_id": event.item_id,
                        "content_index": event.content_index,
                        "audio_end_ms": event.audio_end_ms,
                    }
                )
            case ev.ItemDelete():
                self._items.delete(event.item_id)
                self._heard_no_more(event.item_id)
                self._emit({"type": "conversation.item.deleted", "item_id": event.item_id})
            case ev.ResponseCreate():
                self._create_response(event.response or {})
            case ev.ResponseCancel():
                self._responses.cancel(event.response_id)

    # --- session ---

    def begin_as(self, settings: JsonObject) -> None:
        """Has the session begin with those of an ephemeral key; to be called before `start`.

        Raises:
            Refused: they can't be.
        """
        self._configure(settings)

    def _update_session(self, patch: JsonObject) -> None:
        self._configure(patch)
        self._emit({"type": "session.updated", "session": self._session})
        self._tool_servers.list_tools(patch.get("tools", ()))

    def _configure(self, patch: JsonObject) -> None:
        self._session = updated_session(
            self._session,
            patch,
            has_spoken=self._has_spoken(),
            responds=self._responses.active is not None,
        )
        audio_input = self._session["audio"]["input"]
        self._transcripts.asked = audio_input["transcription"]
        self._transcripts.logprobs = _LOGPROBS in (self._session["include"] or ())
        self._listening.configure(audio_input)

    def _has_spoken(self) -> bool:
        return any(response.audio_ms for response in self.conversation.responses.values())

    # --- turns ---

    def _speech_began(self) -> None:
        if self._session["type"] == "realtime" and self._detection["interrupt_response"]:
            self._responses.interrupt()

    def _turn_ended(self) -> None:
        if self._session["type"] != "realtime" or not self._detection["create_response"]:
            return
        try:
            self._responses.check_room(apart=False)
        except Refused as refused:
            self._refuse(refused.problem, None)
        else:
            self._responses.begin(self._session, {})

    @property
    def _detection(self) -> JsonObject:
        detection: JsonObject = self._session["audio"]["input"]["turn_detection"]
        return detection

    # --- responses ---

    def _create_response(self, params: JsonObject) -> None:
        params = checked_response(self._session, params, has_spoken=self._has_spoken())
        self._responses.check_room(apart=params.get("conversation") == "none")
        self._responses.begin(self._session, params)
        self._tool_servers.list_tools(params.get("tools", ()))

    def _words_known(self) -> None:
        self._responses.release()

    # --- items ---

    def _create_item(self, event: ev.ItemCreate) -> None:
        audio_format = self._session["audio"]["input"]["format"]
        wire, sound = self._items.checked(event.item, self._new_id)
        audio = whole_samples(sound, audio_format)
        previous = self._items.position(event.previous_item_id)
        self._items.add(wire, audio, len(audio) / format_of(audio_format).bytes_per_ms)
        self.conversation.apply(ev.ItemCreate(item=wire, previous_item_id=event.previous_item_id))
        for name in ("conversation.item.added", "conversation.item.done"):
            self._emit({"type": name, "previous_item_id": previous, "item": wire})
        if wire.get("role") == "user":
            self._listening.restart_idle()  # who types is still there
        if audio:
            self._transcripts.request(wire["id"], audio, audio_format)

    def _heard_no_more(self, item_id: str) -> None:
        """Takes note that the client has stopped to play an answer, which was sent long before."""
        items = self.conversation.items
        spoken = (one for one in reversed(self.conversation.order) if items[one].audio_ms)
        if next((one for one in spoken if items[one].role == "assistant"), None) == item_id:
            self._listening.voice_stopped()

    # --- what the engines made ---

    def receive_transcript(self, item_id: str, attempt: int, text: str) -> None:
        """Takes the text of a :class:`Transcribe` job."""
        self._transcripts.receive(item_id, attempt, text)

    def receive_transcript_failure(self, item_id: str, attempt: int, message: str) -> None:
        """Takes the failure of a :class:`Transcribe` job; the response goes on without the text."""
        self._transcripts.receive_failure(item_id, attempt, message)

    @property
    def question(self) -> TurnQuestion | None:
        """The last question to the turn model, while its answer matters."""
        return self._listening.question

    @property
    def waits_for_turn_model(self) -> bool:
        """Whether appended audio is held back until the turn model has answered.

        What the client sends next is best taken after that. If it isn't, whatever is about the
        audio buffer or the session goes on as if the speaker had not finished.
        """
        return self._listening.waits

    def receive_completeness(self, question: TurnQuestion, probability: float) -> None:
        """Takes the answer to a :class:`JudgeTurn` job: that the turn is over; NaN: it failed."""
        self._listening.receive_completeness(question, probability)

    def receive_text(self, response_id: str, delta: str) -> None:
        """Takes a piece of a text answer."""
        self._responses.add_text(response_id, delta)

    def receive_speech(self, response_id: str, text: str, audio: bytes) -> None:
        """Takes speech in the response's output format, with the words that begin in it."""
        self._responses.add_speech(response_id, text, audio)

    def receive_call(
        self, response_id: str, name: str, arguments: str, call_id: str | None = None
    ) -> None:
        """Takes a function call of the model."""
        self._responses.add_call(response_id, name, arguments, call_id)

    def receive_response_end(self, response_id: str) -> None:
        """Ends a response whose model and voice are done."""
        self._responses.end(response_id)

    def receive_response_failure(self, response_id: str, code: str, message: str) -> None:
        """Ends a response whose model or voice failed; the session goes on."""
        self._responses.fail(response_id, code, message)

    def tell(self, event: JsonObject) -> None:
        """Sends what is no part of the protocol, to a client that asked for it."""
        self._emit(event)

    # --- sending ---

    def _add_job(self, job: Job) -> None:
        self._jobs.append(job)

    def _emit(self, event: JsonObject) -> None:
        raw = {"type": event["type"], "event_id": self._new_id("event"), **event}
        self.conversation.apply(ev.parse_server(raw))
        if raw["type"] in ("conversation.item.added", "conversation.item.done"):
            self._items.update(raw["item"])
        self._outgoing.append(raw)

    def _refuse(self, problem: Problem, cause: str | None) -> None:
        error = {
            "type": problem.type,
            "code": problem.code,
            "message": problem.message[:_MAX_MESSAGE_CHARS],
            "param": problem.param and problem.param[:_MAX_MESSAGE_CHARS],
            "event_id": cause,
        }
        # Not folded: a client may be refused any number of times.
        self._outgoing.append({"type": "error", "event_id": self._new_id("event"), "error": error})
