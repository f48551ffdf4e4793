"""The server's side of the protocol: a client's events in, the server's events and jobs out.

Pure like its client twin: it owns no socket, clock or model. Whoever drives it

1. hands in what the client sent (:meth:`ServerProtocol.receive_frame`) and what the engines made
   (``receive_transcript``, ``receive_text``, ``receive_speech``, ``receive_call``,
   ``receive_response_end``, ``receive_response_failure``),
2. sends :meth:`~ServerProtocol.events_to_send` and runs :meth:`~ServerProtocol.jobs_to_run`.

Time is audio time: milliseconds of appended audio. Results of jobs that are superseded (a cancelled
response, an older attempt at a transcript) are recognised by id and dropped, so the driver never
needs to cancel in a hurry. An event that can't be obeyed is answered with an ``error`` event that
names its code, field and ``event_id``, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import msgspec

from realtime_nb.protocol import dialect as dialects
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.checking import checked_event, decoded_append
from realtime_nb.protocol.config import bytes_per_ms, whole_samples
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.input_buffer import SpeechDetector
from realtime_nb.protocol.items import ItemStore
from realtime_nb.protocol.jobs import CancelResponse, Job, Respond, Transcribe
from realtime_nb.protocol.listening import Listening
from realtime_nb.protocol.problems import Problem, Refused
from realtime_nb.protocol.response import ResponseRun, ResponseSettings, Status
from realtime_nb.protocol.sessions import (
    check_response_create,
    new_session,
    response_settings,
    updated_session,
)
from realtime_nb.protocol.transcripts import Transcripts
from realtime_nb.protocol.usage import InputTokens, count_input

__all__ = [
    "CancelResponse",
    "Job",
    "Respond",
    "ServerProtocol",
    "Transcribe",
]

MAX_PARALLEL_RESPONSES = 8
_TOKENS_PER_MINUTE = 15_000_000
_MAX_MESSAGE_CHARS = 1_000
"""Of an error's message or field path, which may quote what the client sent."""


class ServerProtocol:
    """One connection of a Realtime server.

    Args:
        model: name that the session reports.
        new_id: makes ids from a prefix: ``new_id("item")`` → ``item_…``.
        detector_for: makes a speech detector for an audio format.
        expires_at: unix seconds at which the session ends.
        dialect: what the connection speaks; a flat ``session.update`` as first sign of a beta
            client switches it.
        session_type: ``realtime`` or ``transcription``.
    """

    def __init__(
        self,
        *,
        model: str,
        new_id: Callable[[str], str],
        detector_for: Callable[[JsonObject], SpeechDetector],
        expires_at: int,
        dialect: Literal["ga", "beta"] = "ga",
        session_type: Literal["realtime", "transcription"] = "realtime",
    ) -> None:
        self.dialect: Literal["ga", "beta"] = dialect
        self._dialect_settled = dialect == "beta"
        self.conversation = Conversation()
        self._new_id = new_id
        self._conversation_id = new_id("conv")
        self._session = new_session(session_type, model, new_id("sess"), expires_at)
        self._runs: dict[str, ResponseRun] = {}
        self._waiting: list[Respond] = []
        self._cache_of = InputTokens()
        self._tokens_left = _TOKENS_PER_MINUTE
        self._outgoing: list[JsonObject] = []
        self._jobs: list[Job] = []
        self._items = ItemStore(self.conversation)
        self._transcripts = Transcripts(
            self._items, self._emit, self._add_job, self._release_waiting
        )
        self._listening = Listening(
            self._session["audio"]["input"],
            items=self._items,
            transcripts=self._transcripts,
            new_id=new_id,
            detector_for=detector_for,
            emit=self._emit,
            speech_began=self._interrupt,
            turn_ended=self._respond_to_turn,
        )

    # --- outputs ---

    def start(self) -> None:
        """Greets the client with ``session.created``."""
        self._emit({"type": "session.created", "session": self._session})
        if self.dialect == "beta":
            conversation = {"id": self._conversation_id, "object": "realtime.conversation"}
            self._emit({"type": "conversation.created", "conversation": conversation})

    def events_to_send(self) -> list[JsonObject]:
        """The events to send now, in the connection's dialect; hands each out once."""
        events, self._outgoing = self._outgoing, []
        if self.dialect == "beta":
            return [beta for event in events for beta in dialects.server_to_beta(event)]
        return events

    def jobs_to_run(self) -> list[Job]:
        """The work to start now; hands each job out once."""
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
        self.receive(raw)

    def receive(self, raw: object) -> None:
        """Takes one decoded event."""
        if not isinstance(raw, dict):
            self._refuse(Problem("invalid_event", "An event must be a JSON object."), None)
            return
        event_id = raw.get("event_id")
        cause = event_id if isinstance(event_id, str) and len(event_id) <= 512 else None
        self._settle_dialect(raw)
        for ga in dialects.client_to_ga(raw) if self.dialect == "beta" else [raw]:
            try:
                self._obey(checked_event(ga))
            except Refused as refused:
                self._refuse(refused.problem, cause)

    def _settle_dialect(self, raw: JsonObject) -> None:
        if self._dialect_settled:
            return
        found = dialects.detect(raw)
        if found is not None:
            self.dialect = found
            self._dialect_settled = True

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
                self._emit({"type": "conversation.item.deleted", "item_id": event.item_id})
            case ev.ResponseCreate():
                self._create_response(event.response or {})
            case ev.ResponseCancel():
                self._cancel(event.response_id)

    # --- session ---

    def _update_session(self, patch: JsonObject) -> None:
        self._session = updated_session(self._session, patch, has_spoken=self._has_spoken())
        audio_input = self._session["audio"]["input"]
        self._transcripts.reported = audio_input["transcription"] is not None
        self._listening.configure(audio_input)
        self._emit({"type": "session.updated", "session": self._session})

    def _has_spoken(self) -> bool:
        return any(response.audio_ms for response in self.conversation.responses.values())

    # --- turns ---

    def _interrupt(self) -> None:
        detection = self._session["audio"]["input"]["turn_detection"]
        active = self._active_run()
        if active is not None and detection["interrupt_response"]:
            self._end_run(active, "cancelled", "turn_detected")

    def _respond_to_turn(self) -> None:
        if self._session["type"] != "realtime":
            return
        if not self._session["audio"]["input"]["turn_detection"]["create_response"]:
            return
        active = self._active_run()
        if active is not None:
            self._refuse(_already_active(active.id), None)
            return
        self._run_response({})

    # --- items ---

    def _create_item(self, event: ev.ItemCreate) -> None:
        audio_format = self._session["audio"]["input"]["format"]
        wire, sound = self._items.checked(event.item, self._new_id)
        audio = whole_samples(sound, audio_format)
        previous = self._items.position(event.previous_item_id)
        self._items.add(wire, audio, len(audio) / bytes_per_ms(audio_format))
        self.conversation.apply(ev.ItemCreate(item=wire, previous_item_id=event.previous_item_id))
        for name in ("conversation.item.added", "conversation.item.done"):
            self._emit({"type": name, "previous_item_id": previous, "item": wire})
        if audio:
            self._transcripts.request(wire["id"], audio, audio_format)

    # --- responses ---

    def _active_run(self) -> ResponseRun | None:
        return next((run for run in self._runs.values() if run.in_conversation), None)

    def _create_response(self, params: JsonObject) -> None:
        check_response_create(self._session, params, has_spoken=self._has_spoken())
        if params.get("conversation") != "none":
            active = self._active_run()
            if active is not None:
                raise Refused(_already_active(active.id))
        elif len(self._runs) >= MAX_PARALLEL_RESPONSES:
            message = f"{MAX_PARALLEL_RESPONSES} responses are running. Wait until one is done."
            raise Refused(Problem("rate_limit_exceeded", message))
        self._run_response(params)

    def _run_response(self, params: JsonObject) -> None:
        items, audio = self._items.context(), dict[str, bytes]()
        own = params.get("input")
        if own is not None:
            items, audio = self._items.checked_input(own, self._new_id)
        apart = params.get("conversation") == "none"
        settings = response_settings(
            self._session,
            params,
            None if apart else self._conversation_id,
            None if own is None else items,
        )
        tokens = self._count_input(items, audio, settings)
        run = ResponseRun(
            id=self._new_id("resp"),
            settings=settings,
            emit=self._emit,
            new_id=self._new_id,
            order=self.conversation.order,
            bytes_per_ms=bytes_per_ms(settings.output_format),
            call_ids=self.conversation.calls,
            input_tokens=tokens,
            cached_tokens=tokens.cached_of(self._cache_of),
        )
        if run.in_conversation:
            self._cache_of = tokens
            self._listening.pause_idle()
        self._runs[run.id] = run
        run.start()
        input_format = self._session["audio"]["input"]["format"]
        for item_id, sound in audio.items():
            self._transcripts.request(item_id, whole_samples(sound, input_format), input_format)
        speed = self._session["audio"]["output"]["speed"]
        self._waiting.append(Respond(run.id, items, settings, speed))
        self._release_waiting()

    def _count_input(
        self, items: list[JsonObject], audio: dict[str, bytes], settings: ResponseSettings
    ) -> InputTokens:
        per_ms = bytes_per_ms(self._session["audio"]["input"]["format"])
        records = self._items.records(items)
        for record in records:
            if record.id in audio:
                record.audio_ms = len(audio[record.id]) / per_ms
        return count_input(records, settings.instructions, settings.tools)

    def _release_waiting(self) -> None:
        """Hands out the responses whose user items are all transcribed by now."""
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            if job.response_id not in self._runs:
                continue
            if any(self._transcripts.awaited(wire["id"]) for wire in job.items):
                self._waiting.append(job)
            else:
                self._jobs.append(replace(job, items=self._items.with_text(job.items)))
        self._items.forget_unheard_of({wire["id"] for job in self._waiting for wire in job.items})

    def _cancel(self, response_id: str | None) -> None:
        run = self._active_run() if response_id is None else self._runs.get(response_id)
        if run is None:
            message = "Cancellation failed: no active response found"
            raise Refused(Problem("response_cancel_not_active", message))
        self._end_run(run, "cancelled", "client_cancelled")

    def _end_run(
        self,
        run: ResponseRun,
        status: Status,
        reason: str | None = None,
        error: JsonObject | None = None,
    ) -> None:
        del self._runs[run.id]
        if status in ("cancelled", "incomplete"):
            self._jobs.append(CancelResponse(run.id))
        run.finish(status, reason, error)
        if run.in_conversation:
            now_ms = self._listening.now_ms
            began_ms = now_ms if run.audio_began_ms is None else run.audio_began_ms
            self._listening.idle_from(max(now_ms, round(began_ms + run.audio_ms)))
        usage = run.usage or {}
        if not usage.get("total_tokens"):
            return
        self._tokens_left = max(0, self._tokens_left - usage["total_tokens"])
        limit = {
            "name": "tokens",
            "limit": _TOKENS_PER_MINUTE,
            "remaining": self._tokens_left,
            "reset_seconds": 0.0,
        }
        self._emit({"type": "rate_limits.updated", "rate_limits": [limit]})

    # --- what the engines made ---

    def receive_transcript(self, item_id: str, attempt: int, text: str) -> None:
        """Takes the text of a :class:`Transcribe` job."""
        self._transcripts.receive(item_id, attempt, text)

    def receive_transcript_failure(self, item_id: str, attempt: int, message: str) -> None:
        """Takes the failure of a :class:`Transcribe` job; the response goes on without the text."""
        self._transcripts.receive_failure(item_id, attempt, message)

    def receive_text(self, response_id: str, delta: str) -> None:
        """Takes a piece of a text answer."""
        run = self._runs.get(response_id)
        if run is not None:
            run.add_text(delta)
            self._check_budget(run)

    def receive_speech(self, response_id: str, text: str, audio: bytes) -> None:
        """Takes speech in the response's output format, with the words that begin in it."""
        run = self._runs.get(response_id)
        if run is None:
            return
        sent_ms, now_ms = run.audio_ms, self._listening.now_ms
        item_id = run.add_speech(text, audio)
        if run.audio_ms > sent_ms:
            if run.audio_began_ms is None:
                run.audio_began_ms = now_ms
            if item_id is not None:
                kept = round((run.audio_ms - sent_ms) * run.bytes_per_ms)
                self._items.keep_audio(item_id, audio[:kept])
        self._check_budget(run)

    def receive_call(
        self, response_id: str, name: str, arguments: str, call_id: str | None = None
    ) -> None:
        """Takes a function call of the model."""
        run = self._runs.get(response_id)
        if run is not None:
            run.add_call(name, arguments, call_id)
            self._check_budget(run)

    def receive_response_end(self, response_id: str) -> None:
        """The model and its voice are done."""
        run = self._runs.get(response_id)
        if run is not None:
            self._end_run(run, "completed")

    def receive_response_failure(self, response_id: str, code: str, message: str) -> None:
        """The model or its voice failed; the session goes on."""
        run = self._runs.get(response_id)
        if run is not None:
            error = {"type": "server_error", "code": code, "message": message}
            self._end_run(run, "failed", error=error)

    def _check_budget(self, run: ResponseRun) -> None:
        if run.cut_off:
            self._end_run(run, "incomplete", "max_output_tokens")

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


def _already_active(response_id: str) -> Problem:
    message = (
        f"Conversation already has an active response in progress: {response_id}. "
        "Wait until the response is finished before creating a new one."
    )
    return Problem("conversation_already_has_active_response", message)
