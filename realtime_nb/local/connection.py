"""One client of the local server: its socket, its protocol state and the work it asked for."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Coroutine, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any, Literal

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from realtime_nb.audio.turn_model import NO_TURN_MODEL
from realtime_nb.errors import RealtimeError
from realtime_nb.local.client_socket import CLOSE_S, ClientSocket, Received
from realtime_nb.local.engines import Backlog, Engines, patience
from realtime_nb.local.hearing import heard
from realtime_nb.local.messages import LongAppend
from realtime_nb.local.sharing import LoopShare, Sharing
from realtime_nb.local.speaking import SpeechPace, respond
from realtime_nb.local.stage_times import ResponseTimes, StageTimes, stages_of
from realtime_nb.local.stt import WaitingSTT
from realtime_nb.protocol.dialect import BETA_CLIENT
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.problems import Refused
from realtime_nb.protocol.server import (
    CancelResponse,
    Job,
    JudgeTurn,
    Respond,
    ServerProtocol,
    Transcribe,
)
from realtime_nb.protocol.wire import encodable

__all__ = ["Connection", "close_socket", "cut", "new_id"]

logger = logging.getLogger(__name__)

MAX_UNSENT_BYTES = 64 * 1024 * 1024
"""A client that leaves more than this unread is closed."""

UNSENT_PAUSE_BYTES = 8 * 1024 * 1024
"""While more than this is unread, nothing more is taken from the client."""

ANSWERS_UNSENT_BYTES = 512 * 1024
"""While more than this is unread, answers are not spoken on: it is some eight seconds of PCM, so
that a client that reads waits for nothing."""

UNREAD_S = 15.0
"""A client that takes longer than this to read one event is closed."""

MAX_KEPT_BYTES = 48 * 1024 * 1024
"""Of items, responses and settings, those of the past included; a session with more is closed."""

CHOSE_BETA = (
    "A client that did not ask for the beta dialect speaks it; it is answered in beta, as "
    "dialect='auto' says. OpenAI refuses such events since May 2026: a session.update needs "
    "session.type, and the fields of GA."
)

JUDGING_S = 5.0
"""A turn model that takes longer than this has failed: the speaker is taken not to have finished.
The client isn't listened to meanwhile."""

_MOST_REASON_BYTES = 123
_UNHEARD_PAUSE_BYTES = 16 * 1024 * 1024
_JOB_BYTES = 64 * 1024  # what work that waits counts beyond its audio


def new_id(prefix: str) -> str:
    """Returns a fresh id in the shape that the hosted server's ids have."""
    return f"{prefix}_{secrets.token_hex(10)}"


async def close_socket(socket: ClientSocket, code: int, reason: str) -> None:
    """Closes a connection in bounded time, also when the client doesn't read.

    The CLOSE frame waits behind unread data without a limit of its own, so one is set here. The
    client's answer to it comes behind all that it sent before, which is dropped.
    """
    socket.drop_input()
    try:
        async with asyncio.timeout(CLOSE_S):
            await socket.close(code, reason)
    except TimeoutError:
        cut(socket)
        await socket.wait_closed()


def cut(socket: ServerConnection) -> None:
    """Ends a connection at once, whatever was still to be sent."""
    transport = getattr(socket, "transport", None)  # there is none before TLS is agreed upon
    if transport is not None and socket.protocol.state is not State.CLOSED:
        transport.abort()  # of one that is gone, it can fail


class Connection:
    """Serves one WebSocket until it closes.

    Args:
        socket: accepted and authorised.
        engines: shared with the other connections.
        pace: of spoken answers.
        session_s: the session's maximum duration; then CLOSE 1001.
        sharing: with the other connections of the server.
        begins_as: settings that the session begins with.
        tells_stages: whether the client asked for :class:`~realtime_nb.protocol.stages.Stages`.
    """

    def __init__(
        self,
        socket: ClientSocket,
        engines: Engines,
        pace: SpeechPace,
        *,
        model: str,
        session_s: float,
        dialect: Literal["ga", "beta", "auto"],
        session_type: Literal["realtime", "transcription"],
        sharing: Sharing | None = None,
        begins_as: JsonObject | None = None,
        tells_stages: bool = False,
    ) -> None:
        self._socket = socket
        self._engines = engines
        self._pace = pace
        self._session_s = session_s
        self._end: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()  # bounded by its bytes
        self._unsent = Backlog(UNSENT_PAUSE_BYTES)
        self._unsent_answers = Backlog(ANSWERS_UNSENT_BYTES)  # the same, for those who add to it
        self._unheard = Backlog(_UNHEARD_PAUSE_BYTES)
        self._told_no_turn_model = False
        self._guesses = dialect == "auto"
        self._told_beta = False
        self._hearing = asyncio.Lock()  # one transcription at a time: the threads are for everybody
        self._judging = asyncio.Lock()  # one question at a time, likewise
        self._judged: asyncio.Task[None] | None = None  # the last one
        sharing = sharing or Sharing()
        self._share = LoopShare(sharing.line)
        self._memory = sharing.memory
        self._tasks: set[asyncio.Task[None]] = set()
        self._responses: dict[str, asyncio.Task[None]] = {}
        self._times = StageTimes()
        self._tells_stages = tells_stages
        self._attempts: dict[str, int] = {}  # the latest transcription of each item that waits
        self._asking: dict[str, asyncio.Task[None]] = {}  # by item, what another machine is asked
        self.core = ServerProtocol(
            model=model,
            new_id=new_id,
            detector_for=engines.detector_for,
            expires_at=int(time.time() + session_s),
            dialect=dialect,
            session_type=session_type,
            turn_model=engines.turn_model is not None,
        )
        if begins_as is not None:
            self.core.begin_as(begins_as)

    async def serve(self) -> None:
        """Runs the session; returns when the socket is closed. Owns and ends all of its tasks."""
        minutes = self._session_s / 60
        expired = f"Your session hit the maximum duration of {minutes:g} minutes."
        expiry = asyncio.get_running_loop().call_later(self._session_s, self.finish, 1001, expired)
        self.core.start(self._engines.names)
        self._pump()
        ends: list[asyncio.Future[Any]] = [
            self._start(self._read()),
            self._start(self._write()),
            self._start(self._socket.wait_closed()),  # while both of them wait for something else
            self._end,
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            expiry.cancel()
            closing = self._end.result() if self._end.done() else None
            self.finish(1000, "")
            tasks = [*self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.core.forget()  # now: to close takes as long as the client likes
            self._outgoing = asyncio.Queue()
            self._memory.forget(self._hold_less)
        if closing is not None:
            await close_socket(self._socket, *closing)

    def finish(self, code: int, reason: str) -> None:
        """Ends the session from the server's side; the first reason counts."""
        if not self._end.done():
            self._end.set_result((code, reason))

    # --- in ---

    async def _read(self) -> None:
        try:
            async with aclosing(aiter(self._socket)) as messages:  # type: ignore[type-var]
                async for message in messages:
                    await self._take(message)
                    await self._unsent.room()
                    await self._unheard.room()
        except ConnectionClosed:
            pass  # the client is gone, by CLOSE or without one

    async def _take(self, message: Received) -> None:
        for piece in _pieces(message):
            async with self._share.turn():
                match piece:
                    case Refused():
                        self.core.refuse(piece)
                    case dict():
                        self.core.receive(piece)
                    case _:
                        self.core.receive_frame(piece)
                refused = self._pump()
                self._note_memory()
            await asyncio.sleep(0)
            await self._decided()
            if "input_audio_buffer_full" in refused:
                break  # once for the whole append

    async def _decided(self) -> None:
        """Waits for the turn model where audio is held back for it: the client's next word may be
        about what comes of it."""
        while self.core.waits_for_turn_model and self._judged and not self._judged.done():
            await asyncio.wait({self._judged})

    def _note_memory(self) -> None:
        """Counts what the session holds now that it took something."""
        if self.core.kept_bytes > MAX_KEPT_BYTES:
            self.finish(1013, "This session holds all it can. Open another one.")
        waiting = self._unsent.amount + self._unheard.amount
        self._memory.note(self._hold_less, self.core.kept_bytes + self.core.audio_bytes + waiting)

    def _hold_less(self) -> None:
        self.finish(1013, "The server is short of memory, and this session holds most of it.")

    # --- out ---

    def _pump(self) -> list[str | None]:
        """Sends what the core wants sent and starts what it wants done.

        Returns:
            The codes of the errors among what was sent.
        """
        events, jobs = self.core.events_to_send(), self.core.jobs_to_run()
        if self._end.done():
            return []
        self._note_beta()
        for event in events:
            self._note_detection(event)
            if event["type"] == "input_audio_buffer.committed":
                self._times.committed(event["item_id"])
            frame = msgspec.json.encode(event)
            for backlog in (self._unsent, self._unsent_answers):
                backlog.add(len(frame))
            self._outgoing.put_nowait(frame)
        if self._unsent.amount > MAX_UNSENT_BYTES:
            self.finish(1013, "The client does not read what it is sent.")
        for job in jobs:
            self._run(job)
        return [event["error"]["code"] for event in events if event["type"] == "error"]

    def _note_beta(self) -> None:
        """Says once in the log what a client of the beta would meet at OpenAI."""
        if self.core.dialect == "beta" and not self._told_beta:
            self._told_beta = True
            logger.warning(CHOSE_BETA if self._guesses else BETA_CLIENT)

    def _note_detection(self, event: JsonObject) -> None:
        """Says once in the log what ``semantic_vad`` is without its model."""
        if (
            event["type"] != "session.updated"
            or self._told_no_turn_model
            or self._engines.turn_model
        ):
            return
        detection = self.core.session["audio"]["input"]["turn_detection"] or {}
        if detection.get("type") == "semantic_vad":
            self._told_no_turn_model = True
            logger.warning(NO_TURN_MODEL)

    async def _write(self) -> None:
        try:
            while True:
                frame = await self._outgoing.get()
                async with asyncio.timeout(UNREAD_S):
                    await self._socket.send(frame, text=True)
                for backlog in (self._unsent, self._unsent_answers):
                    backlog.remove(len(frame))
        except ConnectionClosed:
            pass  # the reader learns it, too
        except TimeoutError:
            self.finish(1013, "The client does not read what it is sent.")

    # --- jobs ---

    def _run(self, job: Job) -> None:
        match job:
            case Transcribe():
                self._start_transcription(job)
            case JudgeTurn():
                self._start_judging(job)
            case Respond():
                self._responses[job.response_id] = self._start(self._respond(job))
            case CancelResponse():
                task = self._responses.pop(job.response_id, None)
                if task is not None:
                    task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("A session ends by a fault of the server", exc_info=error)
            ours = isinstance(error, RealtimeError)  # a speech detector that gives nonsense
            self.finish(1011, _reason(error) if ours else "The server failed; its log says why.")

    def _start_transcription(self, job: Transcribe) -> None:
        size = len(job.audio) + _JOB_BYTES
        self._unheard.add(size)
        self._attempts[job.item_id] = job.attempt
        task = self._start(self._transcribe(job))
        task.add_done_callback(lambda _: self._unheard.remove(size))
        if isinstance(self._engines.stt, WaitingSTT):
            self._ask_once(job.item_id, task)

    def _ask_once(self, item_id: str, task: asyncio.Task[None]) -> None:
        """Stops what the task makes void; in a thread it could not be stopped."""
        earlier, self._asking[item_id] = self._asking.get(item_id), task
        if earlier is not None:
            earlier.cancel()

        def forget(_: asyncio.Task[None]) -> None:
            if self._asking.get(item_id) is task:
                del self._asking[item_id]

        task.add_done_callback(forget)

    async def _transcribe(self, job: Transcribe) -> None:
        engines = self._engines
        try:
            async with self._hearing:
                if self._attempts.get(job.item_id) != job.attempt:
                    return  # speech went on meanwhile, and the longer turn is to be heard
                self._times.hears(job)
                async with patience("speech recognition", engines.timeout_s):
                    text = await heard(job, engines)
        except Exception as error:  # an engine may fail in any way; the session goes on
            _log("Transcription of", job.item_id, error)
            self.core.receive_transcript_failure(job.item_id, job.attempt, _words(error))
        else:
            self._times.has_heard(job)
            self.core.receive_transcript(job.item_id, job.attempt, text)
        if self._attempts.get(job.item_id) == job.attempt:
            del self._attempts[job.item_id]
        self._pump()

    def _start_judging(self, job: JudgeTurn) -> None:
        size = len(job.audio) + _JOB_BYTES
        self._unheard.add(size)
        self._judged = self._start(self._judge(job))
        self._judged.add_done_callback(lambda _: self._unheard.remove(size))

    async def _judge(self, job: JudgeTurn) -> None:
        async with self._judging:
            if self.core.question != job.question:
                return  # speech went on meanwhile
            try:
                probability = await self._completeness(job)
            except Exception:  # as above; the longest wait ends the turn
                logger.exception("The turn model failed")
                probability = math.nan
        self.core.receive_completeness(job.question, probability)
        self._pump()

    async def _completeness(self, job: JudgeTurn) -> float:
        engines, model = self._engines, self._engines.turn_model
        assert model is not None
        loop = asyncio.get_running_loop()
        format_type = job.audio_format["type"]
        async with patience("turn model", JUDGING_S):
            return await loop.run_in_executor(
                engines.judging, model.completeness_of, job.audio, format_type
            )

    async def _room_for_answers(self, plays_until_s: float) -> None:
        """Counts what the session holds, and waits until the client has taken enough of it."""
        self._socket.plays_until(plays_until_s)
        self._note_memory()
        await self._unsent_answers.room()

    async def _respond(self, job: Respond) -> None:
        times = self._times.answers(job, partial(self._tell_stages, job.response_id))
        try:
            await respond(
                job,
                self.core,
                self._pump,
                self._engines,
                self._pace,
                self._room_for_answers,
                times,
            )
        except Exception as error:  # as above: the client learns it from response.done
            _log("Response", job.response_id, error)
            self.core.receive_response_failure(job.response_id, "server_error", _words(error))
            self._pump()
        finally:
            self._responses.pop(job.response_id, None)
            times.end()

    def _tell_stages(self, response_id: str, times: ResponseTimes) -> None:
        if self._tells_stages and not self._end.done():
            self.core.tell(stages_of(response_id, times, self._engines))
            self._pump()


def _pieces(message: Received) -> Iterator[str | bytes | JsonObject | Refused]:
    """Yields a message, or a long append as several: what is heard doesn't depend on the cuts."""
    if not isinstance(message, LongAppend):
        yield message
        return
    for audio in message.audio:
        yield {**message.event, "audio": audio}


def _reason(error: BaseException) -> str:
    """Returns as much of an error as a CLOSE frame holds."""
    return str(error).encode(errors="replace")[:_MOST_REASON_BYTES].decode(errors="ignore")


def _log(what: str, of_id: str, error: Exception) -> None:
    """Notes what a client is told of, with the stack where it is no error of ours, which has told
    what to do."""
    cause = _cause(error)
    stack = None if isinstance(cause, RealtimeError) else error
    told = encodable(str(cause))  # half a letter can't be written into a log, either
    logger.error("%s %s failed: %s", what, of_id, told, exc_info=stack)


def _cause(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _words(error: Exception) -> str:
    """Returns what a client may know of a failure: our own words, or just the kind of error."""
    error = _cause(error)
    if isinstance(error, RealtimeError):
        return str(encodable(str(error)))
    return f"The local server's engine failed ({type(error).__name__})."
