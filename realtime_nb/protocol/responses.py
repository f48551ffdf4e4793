"""The responses of one connection: announced, waiting for words, running, ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from realtime_nb.protocol.audio_formats import format_of, whole_samples
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.items import ItemStore
from realtime_nb.protocol.listening import JudgeTurn, Listening
from realtime_nb.protocol.problems import Problem, Refused
from realtime_nb.protocol.response import ResponseRun, ResponseSettings, RunStep
from realtime_nb.protocol.sessions import response_settings
from realtime_nb.protocol.transcripts import Transcribe, Transcripts
from realtime_nb.protocol.usage import InputTokens, count_input

__all__ = ["CancelResponse", "Job", "Respond", "Responses"]

MAX_PARALLEL_RESPONSES = 8
_TOKENS_PER_MINUTE = 15_000_000


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


Job = Transcribe | Respond | CancelResponse | JudgeTurn


class Responses:
    """Runs at most one response of the conversation, and some beside it.

    Args:
        conversation: what the responses add to.
        conversation_id: its id.
        items: the context of responses.
        transcripts: tells which items' words are still to come.
        listening: told when the agent speaks, for its idle timeout.
        new_id: makes ids: ``new_id("resp")``.
        emit: takes the events for the client.
        start: takes the jobs.
    """

    def __init__(
        self,
        conversation: Conversation,
        conversation_id: str,
        *,
        items: ItemStore,
        transcripts: Transcripts,
        listening: Listening,
        new_id: Callable[[str], str],
        emit: Callable[[JsonObject], None],
        start: Callable[[Job], None],
    ) -> None:
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._items = items
        self._transcripts = transcripts
        self._listening = listening
        self._new_id = new_id
        self._emit = emit
        self._start = start
        self._runs: dict[str, ResponseRun] = {}
        self._waiting: list[Respond] = []
        self._cache_of = InputTokens()
        self._tokens_left = _TOKENS_PER_MINUTE

    @property
    def active(self) -> ResponseRun | None:
        """The running response of the conversation."""
        return next((run for run in self._runs.values() if run.in_conversation), None)

    def check_room(self, *, apart: bool) -> None:
        """Refuses a second response of the conversation, and too many beside it."""
        active = self.active
        if not apart and active is not None:
            message = (
                f"Conversation already has an active response in progress: {active.id}. "
                "Wait until the response is finished before creating a new one."
            )
            raise Refused(Problem("conversation_already_has_active_response", message))
        if apart and len(self._runs) >= MAX_PARALLEL_RESPONSES:
            message = f"{MAX_PARALLEL_RESPONSES} responses are running. Wait until one is done."
            raise Refused(Problem("rate_limit_exceeded", message))

    def begin(self, session: JsonObject, params: JsonObject) -> None:
        """Announces a response with checked ``params``; it starts once all words are known."""
        items, audio = self._items.context(), dict[str, bytes]()
        own = params.get("input")
        if own is not None:
            items, audio = self._items.checked_input(own, self._new_id)
        apart = params.get("conversation") == "none"
        settings = response_settings(
            session,
            params,
            None if apart else self._conversation_id,
            None if own is None else items,
        )
        input_format = session["audio"]["input"]["format"]
        tokens = self._count_input(items, audio, input_format, settings)
        run = ResponseRun(
            id=self._new_id("resp"),
            settings=settings,
            emit=self._emit,
            new_id=self._new_id,
            order=self._conversation.order,
            bytes_per_ms=format_of(settings.output_format).bytes_per_ms,
            call_ids=self._conversation.calls,
            input_tokens=tokens,
            cached_tokens=tokens.cached_of(self._cache_of),
        )
        if run.in_conversation:
            self._cache_of = tokens
            self._listening.pause_idle()
        self._runs[run.id] = run
        run.announce()
        for item_id, sound in audio.items():
            self._transcripts.request(item_id, whole_samples(sound, input_format), input_format)
        speed = session["audio"]["output"]["speed"]
        self._waiting.append(Respond(run.id, items, settings, speed))
        self.release()

    def _count_input(
        self,
        items: list[JsonObject],
        audio: dict[str, bytes],
        input_format: JsonObject,
        settings: ResponseSettings,
    ) -> InputTokens:
        records = self._items.records(items)
        for record in records:
            if record.id in audio:
                record.audio_ms = len(audio[record.id]) / format_of(input_format).bytes_per_ms
        return count_input(records, settings.instructions, settings.tools)

    def release(self) -> None:
        """Hands out the responses whose user items are all transcribed by now."""
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            if job.response_id not in self._runs:
                continue
            if any(self._transcripts.awaited(wire["id"]) for wire in job.items):
                self._waiting.append(job)
            else:
                self._runs[job.response_id].start()
                self._start(replace(job, items=self._items.with_text(job.items)))
        self._items.forget_unheard_of({wire["id"] for job in self._waiting for wire in job.items})

    def cancel(self, response_id: str | None) -> None:
        """Stops a response for the client; without an id, the one of the conversation."""
        run = self.active if response_id is None else self._runs.get(response_id)
        if run is None:
            message = "Cancellation failed: no active response found"
            raise Refused(Problem("response_cancel_not_active", message))
        self._end_run(run, "cancel", "client_cancelled")

    def interrupt(self) -> None:
        """Ends the conversation's response, if there is one, because the user speaks."""
        active = self.active
        if active is not None:
            self._end_run(active, "cancel", "turn_detected")

    # --- what the engines made ---

    def _working(self, response_id: str) -> ResponseRun | None:
        """Returns the run whose job was handed out; whatever else an engine speaks of is over."""
        run = self._runs.get(response_id)
        return run if run is not None and run.state == "running" else None

    def add_text(self, response_id: str, delta: str) -> None:
        """Takes a piece of a text answer."""
        run = self._working(response_id)
        if run is not None:
            run.add_text(delta)
            self._check_budget(run)

    def add_speech(self, response_id: str, text: str, audio: bytes) -> None:
        """Takes speech in the response's output format, with the words that begin in it."""
        run = self._working(response_id)
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

    def add_call(
        self, response_id: str, name: str, arguments: str, call_id: str | None = None
    ) -> None:
        """Takes a function call of the model."""
        run = self._working(response_id)
        if run is not None:
            run.add_call(name, arguments, call_id)
            self._check_budget(run)

    def end(self, response_id: str) -> None:
        """Ends a response whose model and voice are done."""
        run = self._working(response_id)
        if run is not None:
            run.settle()
            self._check_budget(run)
        if run is not None and not run.cut_off:
            self._end_run(run, "end")

    def fail(self, response_id: str, code: str, message: str) -> None:
        """Ends a response whose model or voice failed; the session goes on."""
        run = self._working(response_id)
        if run is not None:
            error = {"type": "server_error", "code": code, "message": message}
            self._end_run(run, "fail", error=error)

    def _check_budget(self, run: ResponseRun) -> None:
        if run.cut_off:
            self._end_run(run, "run out", "max_output_tokens")

    def _end_run(
        self,
        run: ResponseRun,
        step: RunStep,
        reason: str | None = None,
        error: JsonObject | None = None,
    ) -> None:
        del self._runs[run.id]
        if step in ("cancel", "run out"):
            self._start(CancelResponse(run.id))
        run.finish(step, reason, error)
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
