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
from dataclasses import dataclass
from typing import Literal

import msgspec

from realtime_nb.protocol import dialect as dialects
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.config import check_response, check_session, merge_session
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.input_buffer import InputBuffer, SpeechDetector
from realtime_nb.protocol.items import ItemStore, decode_audio
from realtime_nb.protocol.problems import Problem, Refused, problem_from
from realtime_nb.protocol.response import ResponseRun, ResponseSettings, Status
from realtime_nb.protocol.turns import SpeechStart, SpeechStop
from realtime_nb.protocol.usage import InputTokens, count_input

__all__ = [
    "CancelResponse",
    "Job",
    "Respond",
    "ServerProtocol",
    "Transcribe",
]

MAX_APPEND_BYTES = 15 * 1024 * 1024
MAX_HELD_MS = 15 * 60_000
MAX_PARALLEL_RESPONSES = 8
_LISTEN_AHEAD_MS = 96
"""Silence after which a turn is transcribed ahead of its end, for a sooner answer."""

_DEFAULT_INSTRUCTIONS = "You are a helpful, friendly voice agent. Keep your answers short."


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Turn a user item's audio into text; answer with ``receive_transcript``."""

    item_id: str
    attempt: int
    audio: bytes
    audio_format: JsonObject


@dataclass(frozen=True, slots=True)
class Respond:
    """Run the model over ``items`` and speak or write what it says."""

    response_id: str
    items: list[JsonObject]
    settings: ResponseSettings
    speed: float


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """Stop working on a response; what it still produces is ignored."""

    response_id: str


Job = Transcribe | Respond | CancelResponse


@dataclass(slots=True)
class _Ahead:
    """A transcript begun before its turn's end; void once speech goes on."""

    item_id: str
    attempt: int
    text: str | None = None


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
        self._detector_for = detector_for
        self._conversation_id = new_id("conv")
        self._session = _new_session(session_type, model, new_id("sess"), expires_at)
        self._items = ItemStore(self.conversation)
        self._runs: dict[str, ResponseRun] = {}
        self._waiting: list[Respond] = []
        self._attempts: dict[str, int] = {}
        self._ahead: _Ahead | None = None
        self._announced: str | None = None  # id of the user item that is being spoken
        self._idle_from_ms: float | None = None
        self._cache_of = InputTokens()
        self._tokens_left = 15_000_000
        self._outgoing: list[JsonObject] = []
        self._jobs: list[Job] = []
        self._buffer = InputBuffer(self._input["format"], detector_for)
        self._buffer.configure(self._input["turn_detection"])

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
            message = f"Invalid event: failed to parse JSON value. {error}"
            self._refuse(Problem("invalid_json", message), None)
            return
        self.receive(raw)

    def receive(self, raw: object) -> None:
        """Takes one decoded event."""
        if not isinstance(raw, dict):
            self._refuse(Problem("invalid_event", "An event must be a JSON object."), None)
            return
        event_id = raw.get("event_id")
        cause = event_id if isinstance(event_id, str) else None
        self._settle_dialect(raw)
        for ga in dialects.client_to_ga(raw) if self.dialect == "beta" else [raw]:
            try:
                self._obey(_checked(ga))
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
                self._append(event)
            case ev.AudioBufferCommit():
                self._commit()
            case ev.AudioBufferClear():
                self._ahead = None
                self._announced = None
                self._buffer.take_all()
                self._emit({"type": "input_audio_buffer.cleared"})
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

    @property
    def _input(self) -> JsonObject:
        side: JsonObject = self._session["audio"]["input"]
        return side

    def _update_session(self, patch: JsonObject) -> None:
        try:
            check_session(patch)
        except msgspec.ValidationError as error:
            raise Refused(problem_from(error, patch, "session")) from None
        self._check_locks(patch)
        old_format = self._input["format"]
        self._session = merge_session(self._session, patch)
        if self._input["format"] != old_format:
            # Positions go on; audio in the old format that nobody committed can't be mixed in.
            self._buffer = InputBuffer(
                self._input["format"], self._detector_for, self._buffer.now_ms
            )
        if self._input["turn_detection"] is None and self._buffer.speaking:
            self._announced = None
        self._buffer.configure(self._input["turn_detection"])
        self._emit({"type": "session.updated", "session": self._session})

    def _check_locks(self, patch: JsonObject) -> None:
        """Refuses what a session can't change, whatever its form."""
        if patch["type"] != self._session["type"]:
            message = f"A session of type '{self._session['type']}' can't become '{patch['type']}'."
            raise Refused(Problem("invalid_value", message, "session.type"))
        if patch.get("model", self._session.get("model")) != self._session.get("model"):
            message = "The model of a session can't be changed."
            raise Refused(Problem("invalid_value", message, "session.model"))
        _check_modalities(patch.get("output_modalities"), "session.output_modalities")
        self._check_voice(patch.get("audio", {}).get("output", {}).get("voice"))

    def _check_voice(self, voice: object) -> None:
        if voice is None or voice == self._session["audio"]["output"]["voice"]:
            return
        if any(response.audio_ms for response in self.conversation.responses.values()):
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise Refused(Problem("cannot_update_voice", message))

    # --- input audio ---

    def _append(self, event: ev.AudioBufferAppend) -> None:
        audio = _decoded(event.audio)
        if self._buffer.held_ms > MAX_HELD_MS:
            message = (
                f"The input audio buffer holds {MAX_HELD_MS // 60_000} minutes of audio that was "
                "never committed. Commit or clear it; this append was not added."
            )
            raise Refused(Problem("input_audio_buffer_full", message))
        self.conversation.apply(event)
        for turn_event in self._buffer.append(audio):
            match turn_event:
                case SpeechStart():
                    self._speech_started(turn_event)
                case SpeechStop():
                    self._speech_stopped(turn_event)
                case None:
                    self._watch_frame()

    def _watch_frame(self) -> None:
        """What can happen at any frame that starts or stops nothing."""
        turns = self._buffer.turns
        if turns is None:
            return
        if not turns.speaking:
            self._check_idle(turns.now_ms)
        elif turns.silence_ms == 0:
            self._ahead = None
        elif turns.silence_ms == _LISTEN_AHEAD_MS and turns.audio_start_ms is not None:
            self._listen_ahead(turns.audio_start_ms, turns.now_ms)
        elif self._sounds_finished(turns.silence_ms):
            self._speech_stopped(turns.stop_now())

    def _listen_ahead(self, start_ms: int, now_ms: int) -> None:
        assert self._announced is not None
        attempt = self._next_attempt(self._announced)
        self._ahead = _Ahead(self._announced, attempt)
        audio = self._buffer.cut(start_ms, now_ms)
        self._jobs.append(Transcribe(self._announced, attempt, audio, self._input["format"]))

    def _sounds_finished(self, silence_ms: int) -> bool:
        """Whether ``semantic_vad`` may end the turn before its longest wait."""
        detection = self._input["turn_detection"]
        if detection is None or detection["type"] != "semantic_vad" or self._ahead is None:
            return False
        wait_ms = {"low": 1_500, "high": 224}.get(detection["eagerness"], 600)
        return silence_ms >= wait_ms and _is_whole(self._ahead.text)

    def _speech_started(self, start: SpeechStart) -> None:
        self._announced = self._new_id("item")
        self._ahead = None
        self._idle_from_ms = None
        self._emit(
            {
                "type": "input_audio_buffer.speech_started",
                "audio_start_ms": start.audio_start_ms,
                "item_id": self._announced,
            }
        )
        detection = self._input["turn_detection"]
        active = self._active_run()
        if active is not None and detection["interrupt_response"]:
            self._end_run(active, "cancelled", "turn_detected")

    def _speech_stopped(self, stop: SpeechStop) -> None:
        item_id, self._announced = self._announced, None
        speech = self.conversation.speech[-1]
        assert item_id is not None
        self._emit(
            {
                "type": "input_audio_buffer.speech_stopped",
                "audio_end_ms": stop.audio_end_ms,
                "item_id": item_id,
            }
        )
        audio = self._buffer.cut(speech.audio_start_ms, stop.audio_end_ms)
        self._buffer.take_until(stop.audio_end_ms)
        self._add_spoken(item_id, audio, stop.audio_end_ms - speech.audio_start_ms)
        self._respond_to_turn()

    def _respond_to_turn(self) -> None:
        detection = self._input["turn_detection"]
        if self._session["type"] != "realtime" or not detection["create_response"]:
            return
        active = self._active_run()
        if active is not None:
            self._refuse(_already_active(active.id), None)
            return
        self._run_response({})

    def _commit(self) -> None:
        if self._buffer.held_ms < 100:
            message = (
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of "
                f"audio, but buffer only has {self._buffer.held_ms:.2f}ms of audio."
            )
            raise Refused(Problem("input_audio_buffer_commit_empty", message))
        item_id, self._announced = self._announced or self._new_id("item"), None
        self._ahead = None
        held_ms = self._buffer.held_ms
        audio = self._buffer.take_all()
        self._add_spoken(item_id, audio, round(held_ms))

    def _add_spoken(self, item_id: str, audio: bytes, duration_ms: int) -> None:
        """Makes a user item of audio and sees to its transcript."""
        previous = self._items.last_id
        self._emit(
            {
                "type": "input_audio_buffer.committed",
                "previous_item_id": previous,
                "item_id": item_id,
            }
        )
        wire: JsonObject = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        self._items.add(wire, audio, duration_ms)
        self._announce_item(wire, previous)
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead.item_id != item_id:
            self._transcribe(item_id, audio)
        elif ahead.text is not None:
            self._transcribed(item_id, ahead.text)

    def _announce_item(self, wire: JsonObject, previous: str | None) -> None:
        for name in ("conversation.item.added", "conversation.item.done"):
            self._emit({"type": name, "previous_item_id": previous, "item": wire})

    def _check_idle(self, now_ms: int) -> None:
        timeout_ms = (self._input["turn_detection"] or {}).get("idle_timeout_ms")
        if timeout_ms is None or self._idle_from_ms is None or self._active_run() is not None:
            return
        start_ms = round(self._idle_from_ms)
        if now_ms < start_ms + timeout_ms:
            return
        self._idle_from_ms = None
        item_id = self._new_id("item")
        self._emit(
            {
                "type": "input_audio_buffer.timeout_triggered",
                "audio_start_ms": start_ms,
                "audio_end_ms": now_ms,
                "item_id": item_id,
            }
        )
        audio = self._buffer.cut(start_ms, now_ms)
        self._buffer.take_until(now_ms)
        if self._buffer.turns is not None:
            self._buffer.turns.end_turn(now_ms)
        self._add_spoken(item_id, audio, now_ms - start_ms)
        self._respond_to_turn()

    # --- transcripts ---

    def _next_attempt(self, item_id: str) -> int:
        self._attempts[item_id] = self._attempts.get(item_id, 0) + 1
        return self._attempts[item_id]

    def _transcribe(self, item_id: str, audio: bytes) -> None:
        attempt = self._next_attempt(item_id)
        self._jobs.append(Transcribe(item_id, attempt, audio, self._input["format"]))

    def receive_transcript(self, item_id: str, attempt: int, text: str) -> None:
        """Takes the text of a :class:`Transcribe` job."""
        if self._attempts.get(item_id) != attempt:
            return
        ahead = self._ahead
        if ahead is not None and (ahead.item_id, ahead.attempt) == (item_id, attempt):
            ahead.text = text
        elif item_id != self._announced:
            self._transcribed(item_id, text)

    def receive_transcript_failure(self, item_id: str, attempt: int, message: str) -> None:
        """Takes the failure of a :class:`Transcribe` job; the response goes on without the text."""
        if self._attempts.get(item_id) != attempt:
            return
        if self._ahead is not None and self._ahead.item_id == item_id:
            self._ahead = None
            return
        self._items.heard[item_id] = ""
        if self._input["transcription"] is not None and item_id in self.conversation.items:
            error = {
                "type": "transcription_error",
                "code": "audio_unintelligible",
                "message": message,
                "param": None,
            }
            self._emit(
                {
                    "type": "conversation.item.input_audio_transcription.failed",
                    "item_id": item_id,
                    "content_index": 0,
                    "error": error,
                }
            )
        self._release_waiting()

    def _transcribed(self, item_id: str, text: str) -> None:
        del self._attempts[item_id]
        self._items.heard[item_id] = text
        item = self.conversation.items.get(item_id)
        if self._input["transcription"] is not None and item is not None:
            index = self._items.audio_part_index(item_id)
            ids = {"item_id": item_id, "content_index": index}
            name = "conversation.item.input_audio_transcription"
            if text:
                self._emit({"type": f"{name}.delta", **ids, "delta": text})
            usage = {"type": "duration", "seconds": round(item.audio_ms / 1000, 3)}
            self._emit({"type": f"{name}.completed", **ids, "transcript": text, "usage": usage})
        self._release_waiting()

    # --- items ---

    def _create_item(self, event: ev.ItemCreate) -> None:
        wire, audio = self._items.checked(event.item, self._new_id)
        previous = self._items.position(event.previous_item_id)
        if event.previous_item_id == "root":
            self.conversation.first_ids.add(wire["id"])
        self._items.add(wire, audio, self._ms_of(audio))
        self.conversation.apply(ev.ItemCreate(item=wire, previous_item_id=event.previous_item_id))
        self._announce_item(wire, previous)
        if audio:
            self._transcribe(wire["id"], audio)

    def _ms_of(self, audio: bytes) -> int:
        return len(audio) // (48 if self._input["format"]["type"] == "audio/pcm" else 8)

    # --- responses ---

    def _active_run(self) -> ResponseRun | None:
        return next((run for run in self._runs.values() if run.in_conversation), None)

    def _create_response(self, params: JsonObject) -> None:
        if self._session["type"] != "realtime":
            message = "A transcription session creates no responses."
            raise Refused(Problem("invalid_value", message, "type"))
        try:
            check_response(params)
        except msgspec.ValidationError as error:
            raise Refused(problem_from(error, params, "response")) from None
        _check_modalities(params.get("output_modalities"), "response.output_modalities")
        self._check_voice(params.get("audio", {}).get("output", {}).get("voice"))
        if params.get("conversation") != "none":
            active = self._active_run()
            if active is not None:
                raise Refused(_already_active(active.id))
        elif len(self._runs) >= MAX_PARALLEL_RESPONSES:
            message = f"{MAX_PARALLEL_RESPONSES} responses are running. Wait until one is done."
            raise Refused(Problem("rate_limit_exceeded", message))
        self._run_response(params)

    def _run_response(self, params: JsonObject) -> None:
        settings = self._response_settings(params)
        items = self._items.context(settings.input_items)
        session = self._session
        tokens = count_input(self.conversation.in_order(), settings.instructions, settings.tools)
        run = ResponseRun(
            id=self._new_id("resp"),
            settings=settings,
            emit=self._emit,
            new_id=self._new_id,
            last_item_id=lambda: self._items.last_id,
            bytes_per_ms=48 if settings.output_format["type"] == "audio/pcm" else 8,
            input_tokens=tokens,
            cached_tokens=tokens.cached_of(self._cache_of),
        )
        if run.in_conversation:
            self._cache_of = tokens
        self._runs[run.id] = run
        self._idle_from_ms = None
        run.start()
        self._waiting.append(
            Respond(run.id, items, settings, speed=session["audio"]["output"]["speed"])
        )
        self._release_waiting()

    def _response_settings(self, params: JsonObject) -> ResponseSettings:
        asked: JsonObject = {**self._session, **params}
        chosen = {
            **self._session["audio"]["output"],
            **params.get("audio", {}).get("output", {}),
        }
        apart = params.get("conversation") == "none"
        return ResponseSettings(
            instructions=asked["instructions"],
            tools=[tool for tool in asked["tools"] if tool.get("type") == "function"],
            tool_choice=asked["tool_choice"],
            output_modalities=asked["output_modalities"],
            output_format=chosen["format"],
            voice=chosen["voice"],
            max_output_tokens=asked["max_output_tokens"],
            metadata=params.get("metadata"),
            conversation_id=None if apart else self._conversation_id,
            input_items=self._items.checked_input(params.get("input"), self._new_id),
        )

    def _release_waiting(self) -> None:
        """Hands out the responses whose user items are all transcribed by now."""
        still_waiting = []
        for job in self._waiting:
            if job.response_id not in self._runs:
                continue
            if self._items.unheard(job.items):
                still_waiting.append(job)
            else:
                self._jobs.append(
                    Respond(
                        job.response_id, self._items.with_text(job.items), job.settings, job.speed
                    )
                )
        self._waiting = still_waiting

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
        if status != "completed":
            self._jobs.append(CancelResponse(run.id))
        run.finish(status, reason, error)
        if run.in_conversation:
            now_ms = self.conversation.input_ms
            played_ms = (run.audio_began_ms or now_ms) + run.audio_ms
            self._idle_from_ms = max(now_ms, played_ms)
        usage = run.usage or {}
        if not usage.get("total_tokens"):
            return
        self._tokens_left = max(0, self._tokens_left - usage["total_tokens"])
        limit = {
            "name": "tokens",
            "limit": 15_000_000,
            "remaining": self._tokens_left,
            "reset_seconds": 0.0,
        }
        self._emit({"type": "rate_limits.updated", "rate_limits": [limit]})

    # --- what the engines made ---

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
        if run.audio_began_ms is None:
            run.audio_began_ms = self.conversation.input_ms
        run.add_speech(text, audio)
        if audio and run.output:
            self._items.keep_audio(run.output[-1]["id"], audio)
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

    def _emit(self, event: JsonObject) -> None:
        raw = {"type": event["type"], "event_id": self._new_id("event"), **event}
        self.conversation.apply(ev.parse_server(raw))
        if raw["type"] == "conversation.item.done":
            self._items.update(raw["item"])
        self._outgoing.append(raw)

    def _refuse(self, problem: Problem, cause: str | None) -> None:
        error = {
            "type": problem.type,
            "code": problem.code,
            "message": problem.message,
            "param": problem.param,
            "event_id": cause,
        }
        self._emit({"type": "error", "error": error})


def _checked(raw: JsonObject) -> ev.ClientEvent:
    name = raw.get("type")
    if name is None:
        raise Refused(Problem("invalid_event", "The 'type' field is missing."))
    if not isinstance(name, str) or name not in ev.CLIENT_EVENTS:
        names = [f"'{known}'" for known in ev.CLIENT_EVENTS]
        supported = f"{', '.join(names[:-1])} and {names[-1]}"
        shown = str(name)[:100]
        message = f"Invalid value: '{shown}'. Supported values are: {supported}."
        raise Refused(Problem("invalid_value", message, "type"))
    event_id = raw.get("event_id")
    if isinstance(event_id, str) and len(event_id) > 512:
        message = "Invalid 'event_id': string too long. Expected a length <= 512."
        raise Refused(Problem("string_above_max_length", message, "event_id"))
    try:
        event = ev.parse_client(raw)
    except msgspec.ValidationError as error:
        raise Refused(problem_from(error, raw, "")) from None
    assert isinstance(event, ev.ClientEvent)
    return event


def _decoded(payload: ev.Payload) -> bytes:
    if not isinstance(payload, str):
        raise Refused(Problem("invalid_type", "Invalid type for 'audio'.", "audio"))
    if len(payload) > MAX_APPEND_BYTES:
        message = "Invalid 'audio': one event can carry 15 MiB of audio at most."
        raise Refused(Problem("string_above_max_length", message, "audio"))
    return decode_audio(payload, "audio")


def _check_modalities(modalities: list[str] | None, param: str) -> None:
    if modalities is None or modalities in (["text"], ["audio"]):
        return
    message = (
        f"Invalid modalities: {modalities}. Supported combinations are: ['text'] and ['audio']."
    )
    raise Refused(Problem("invalid_value", message, param))


def _already_active(response_id: str) -> Problem:
    message = (
        f"Conversation already has an active response in progress: {response_id}. "
        "Wait until the response is finished before creating a new one."
    )
    return Problem("conversation_already_has_active_response", message)


_DANGLING = frozenset(
    """a an the and or but so because if um uh er to of for with at in on my your is are was that
    """.split()  # noqa: SIM905 - a list of words reads better as words
)


def _is_whole(text: str | None) -> bool:
    """Whether a transcript reads like a finished sentence: no open ending, no trailing filler."""
    words = (text or "").lower().split()
    if not words or words[-1].endswith((",", "-", "…", "...")):
        return False
    return words[-1].rstrip(".?!") not in _DANGLING


def _new_session(
    session_type: Literal["realtime", "transcription"], model: str, session_id: str, expires_at: int
) -> JsonObject:
    """The session that ``session.created`` shows, with the defaults seen on the wire."""
    pcm = {"type": "audio/pcm", "rate": 24_000}
    audio_input = {
        "format": pcm,
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": {"type": "server_vad"},
    }
    if session_type == "transcription":
        session: JsonObject = {
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": session_id,
            "expires_at": expires_at,
            "include": None,
            "audio": {"input": audio_input},
        }
    else:
        session = {
            "type": "realtime",
            "object": "realtime.session",
            "id": session_id,
            "model": model,
            "output_modalities": ["audio"],
            "instructions": _DEFAULT_INSTRUCTIONS,
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": None,
            "truncation": "auto",
            "prompt": None,
            "expires_at": expires_at,
            "include": None,
            "audio": {
                "input": audio_input,
                "output": {"format": dict(pcm), "voice": "alloy", "speed": 1.0},
            },
        }
    return merge_session(session, {})
