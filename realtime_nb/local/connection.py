"""One client of the local server: its socket, its protocol state and the work it asked for."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from realtime_nb.audio import decode, format_sample_rate
from realtime_nb.errors import RealtimeError
from realtime_nb.local.llm import LLM
from realtime_nb.local.speaking import Pace, respond
from realtime_nb.local.stt import STT
from realtime_nb.local.tts import TTS
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.input_buffer import SpeechDetector
from realtime_nb.protocol.items import decode_audio
from realtime_nb.protocol.problems import Refused
from realtime_nb.protocol.server import CancelResponse, Job, Respond, ServerProtocol, Transcribe

__all__ = ["Connection", "DetectorFactory", "Engines", "new_id"]

logger = logging.getLogger(__name__)

MAX_UNSENT_BYTES = 64 * 1024 * 1024
"""What a client may leave unread before its connection is closed."""

_PIECE_CHARS = 64_000
"""Base64 of one second; a long append is taken in pieces, so that others are served between."""


class DetectorFactory(Protocol):
    """Makes a speech detector for an audio format."""

    def __call__(self, audio_format: JsonObject) -> SpeechDetector:
        """A fresh detector."""
        ...


@dataclass(frozen=True, slots=True)
class Engines:
    """What a server hears, thinks and speaks with.

    ``hearing`` and ``voicing`` are the threads that the blocking engines run in; their sizes bound
    how much of it happens at once.
    """

    stt: STT
    llm: LLM
    tts: TTS
    detector_for: DetectorFactory
    hearing: Executor = field(repr=False)
    voicing: Executor = field(repr=False)


def new_id(prefix: str) -> str:
    """A fresh id in the shape that the hosted server's ids have."""
    return f"{prefix}_{secrets.token_hex(10)}"


class Connection:
    """Serves one WebSocket until it closes.

    Args:
        socket: accepted and authorised.
        engines: shared with the other connections.
        pace: of spoken answers.
        session_s: the session's maximum duration; then CLOSE 1001.
    """

    def __init__(
        self,
        socket: ServerConnection,
        engines: Engines,
        pace: Pace,
        *,
        model: str,
        session_s: float,
        dialect: Literal["ga", "beta"],
        session_type: Literal["realtime", "transcription"],
    ) -> None:
        self._socket = socket
        self._engines = engines
        self._pace = pace
        self._session_s = session_s
        self._unsent: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._unsent_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._responses: dict[str, asyncio.Task[None]] = {}
        self.core = ServerProtocol(
            model=model,
            new_id=new_id,
            detector_for=engines.detector_for,
            expires_at=int(time.time() + session_s),
            dialect=dialect,
            session_type=session_type,
        )

    async def serve(self) -> None:
        """Runs the session; returns when the socket is closed. Owns and ends all of its tasks."""
        writer = asyncio.create_task(self._write())
        expiry = asyncio.create_task(self._expire())
        try:
            self.core.start()
            self._pump()
            async for frame in self._socket:
                await self._receive(frame)
        except ConnectionClosed:
            pass  # the client is gone, by CLOSE or without one
        finally:
            tasks = [writer, expiry, *self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- in ---

    async def _receive(self, frame: str | bytes) -> None:
        for piece in self._pieces(frame):
            if isinstance(piece, dict):
                self.core.receive(piece)
            else:
                self.core.receive_frame(piece)
            self._pump()
            await asyncio.sleep(0)

    def _pieces(self, frame: str | bytes) -> list[str | bytes | JsonObject]:
        """The frame, or a long append as several: what is heard doesn't depend on the cuts."""
        if isinstance(frame, bytes) or len(frame) <= 2 * _PIECE_CHARS:
            return [frame]
        try:
            raw = msgspec.json.decode(frame)
            if not isinstance(raw, dict) or set(raw) - {"event_id"} != {"type", "audio"}:
                return [frame]
            audio = raw["audio"]
            if raw["type"] != "input_audio_buffer.append" or not isinstance(audio, str):
                return [frame]
            decode_audio(audio, "audio")
        except (msgspec.DecodeError, RecursionError, UnicodeError, Refused):
            return [frame]
        cuts = range(0, len(audio), _PIECE_CHARS)
        return [{**raw, "audio": audio[start : start + _PIECE_CHARS]} for start in cuts]

    # --- out ---

    def _pump(self) -> None:
        """Sends what the core wants sent and starts what it wants done."""
        for event in self.core.events_to_send():
            frame = msgspec.json.encode(event)
            self._unsent_bytes += len(frame)
            self._unsent.put_nowait(frame)
        for job in self.core.jobs_to_run():
            self._run(job)
        if self._unsent_bytes > MAX_UNSENT_BYTES:
            self._start(self._socket.close(1013, "The client does not read what it is sent."))
            self._unsent_bytes = 0

    async def _write(self) -> None:
        while (frame := await self._unsent.get()) is not None:
            try:
                await self._socket.send(frame, text=True)
            except ConnectionClosed:
                return
            self._unsent_bytes -= len(frame)

    async def _expire(self) -> None:
        await asyncio.sleep(self._session_s)
        minutes = self._session_s / 60
        reason = f"Your session hit the maximum duration of {minutes:g} minutes."
        await self._socket.close(1001, reason)

    # --- jobs ---

    def _run(self, job: Job) -> None:
        match job:
            case Transcribe():
                self._start(self._transcribe(job))
            case Respond():
                self._responses[job.response_id] = self._start(self._respond(job))
            case CancelResponse():
                task = self._responses.pop(job.response_id, None)
                if task is not None:
                    task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _transcribe(self, job: Transcribe) -> None:
        format_type = job.audio_format["type"]
        odd = len(job.audio) % 2 if format_type == "audio/pcm" else 0
        pcm = decode(format_type, job.audio[: len(job.audio) - odd])
        rate = format_sample_rate(format_type)
        loop = asyncio.get_running_loop()
        try:
            text = await loop.run_in_executor(
                self._engines.hearing, self._engines.stt.transcribe, pcm, rate
            )
        except Exception as error:  # an engine may fail in any way; the session goes on
            logger.exception("Transcription of %s failed", job.item_id)
            self.core.receive_transcript_failure(job.item_id, job.attempt, _words(error))
        else:
            self.core.receive_transcript(job.item_id, job.attempt, text)
        self._pump()

    async def _respond(self, job: Respond) -> None:
        engines = self._engines
        try:
            await respond(
                job, self.core, self._pump, engines.llm, engines.tts, engines.voicing, self._pace
            )
        except Exception as error:  # as above: the client learns it from response.done
            logger.exception("Response %s failed", job.response_id)
            self.core.receive_response_failure(job.response_id, "server_error", _words(error))
            self._pump()
        finally:
            self._responses.pop(job.response_id, None)


def _words(error: Exception) -> str:
    """What a client may know of a failure: our own words, or just the kind of error."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, RealtimeError):
        return str(error)
    return f"The local server's engine failed ({type(error).__name__})."
