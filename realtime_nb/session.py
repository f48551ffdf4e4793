"""A live session: ``async with rt.connect(…) as session``.

One task reads: it stamps the time, records, folds and hands on, and does nothing else, so that no
tool and no reader of events can hold it up. One task writes, in order. Tools run as tasks of their
own. :meth:`Session.close` ends everything that :func:`connect` started, the local server included.
"""

from __future__ import annotations

import asyncio
import base64
import math
import secrets
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from realtime_nb import tools as tool_set
from realtime_nb.audio import load_audio, pcm_from_samples
from realtime_nb.devices import SimulatedMicrophone, SimulatedSpeaker, Speaker
from realtime_nb.endpoints import Endpoint, local, resolve
from realtime_nb.errors import (
    ConfigurationError,
    ConnectionFailedError,
    RealtimeError,
    RecordingError,
    ServerError,
    SessionClosedError,
)
from realtime_nb.protocol import client as core
from realtime_nb.protocol.config import SESSION_OPTIONS, refuse_unknown, session_config
from realtime_nb.protocol.conversation import Conversation, FunctionCall, PlaybackReport
from realtime_nb.protocol.events import ErrorEvent, JsonObject, ServerEvent, UnknownEvent
from realtime_nb.recorder import Recorder
from realtime_nb.transport import Transport, open_websocket
from realtime_nb.wire_audio import WireDecoder, WireEncoder

__all__ = ["Session", "connect"]

Received = ServerEvent | UnknownEvent
ToolSource = Iterable[Callable[..., object] | tool_set.Tool | Mapping[str, Any]]

MAX_UNREAD_EVENTS = 4_000
"""Events kept for ``async for`` while nobody reads; older ones are dropped from it with a warning.
They are still in the conversation and the recording."""

MAX_UNSENT_APPENDS = 250
"""Microphone chunks that may wait for a slow connection; then :meth:`Session.append` waits."""

ANSWER_DUE_S = 5.0
"""Wall-clock time in which a server announces the response to a turn that it has heard."""


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(8)}"


class connect:
    """Opens a session with a Realtime server.

    Use it as ``async with rt.connect(…) as session:`` or, when you will call
    :meth:`Session.close` yourself, as ``session = await rt.connect(…)``.

    Args:
        endpoint: ``"local"`` (starts the local server, needs nothing), ``"openai"``, a ``ws://`` or
            ``wss://`` URL, ``rt.azure(…)`` or an ``rt.Endpoint``.
        model: the model's id; the endpoint's default if None.
        api_key: for ``"openai"`` instead of ``OPENAI_API_KEY``, for a URL as bearer token.
        tools: functions, ``rt.tool`` objects or definitions. Calls of functions are run and
            answered; those of bare definitions are yours to answer.
        record: folder that the recording goes into; None records nothing.
        speed: session seconds per wall second, for ``"local"`` only: conversations with files
            can run faster than life.
        speaker: what plays the agent's voice; None: a simulated one that plays by the clock.
        transport: an open transport, instead of connecting to ``endpoint``.
        options: session settings: ``instructions``, ``voice``, ``turn_detection``,
            ``transcription``, ``input_format``… (``SESSION_OPTIONS``).

    Raises:
        ConfigurationError: at once, for an unknown or impossible option.
        ConnectionFailedError: when it is entered: unreachable, refused, wrong key.
    """

    def __init__(
        self,
        endpoint: str | Endpoint = "local",
        *,
        model: str | None = None,
        api_key: str | None = None,
        tools: ToolSource = (),
        record: str | Path | None = None,
        speed: float = 1.0,
        speaker: Callable[[Session], Speaker] | None = None,
        transport: Transport | None = None,
        **options: Any,
    ) -> None:
        refuse_unknown(options, SESSION_OPTIONS)
        if not 0 < speed < math.inf:
            raise ConfigurationError(f"speed is {speed}; give a number greater than 0.")
        if speed != 1.0 and endpoint != "local" and transport is None:
            raise ConfigurationError("speed works on the local server only; others run in life's.")
        self._endpoint = resolve(endpoint, model, api_key)
        self._model = model
        self._tools = tool_set.collect(tools)
        self._record = record
        self._speed = speed
        self._speaker = speaker
        self._transport = transport
        self._options = options
        session_config(**options)
        self._session: Session | None = None

    async def __aenter__(self) -> Session:
        self._session = await self._open()
        return self._session

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close(complete=error is None)

    def __await__(self) -> Generator[Any, None, Session]:
        return self._open().__await__()

    async def _open(self) -> Session:
        server = None
        endpoint = self._endpoint
        try:
            if endpoint is None and self._transport is None:
                from realtime_nb.local.server import serve

                server = await serve(speed=self._speed).__aenter__()
                endpoint = local(server.url, server.token, self._model)
            transport = self._transport
            if transport is None:
                assert endpoint is not None
                transport = await open_websocket(endpoint)
        except BaseException:
            if server is not None:
                await server.__aexit__(None, None, None)
            raise
        owned = [server] if server is not None else []
        session = Session(
            transport,
            endpoint or Endpoint("ws://memory", kind="local"),
            tools=self._tools,
            record=self._record,
            speed=self._speed,
            speaker=self._speaker,
            owned=owned,
        )
        try:
            await session.start(self._options)
        except BaseException:
            await session.close()
            raise
        return session


class Session:
    """A conversation with a Realtime server. Made by :func:`connect`.

    ``async for event in session`` yields every server event, typed, from the first on;
    ``session.conversation`` is what they add up to.
    """

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        *,
        tools: dict[str, tool_set.Tool | dict[str, Any]],
        record: str | Path | None,
        speed: float,
        speaker: Callable[[Session], Speaker] | None,
        owned: list[Any],
    ) -> None:
        self.endpoint = endpoint
        self.tools = tools
        self.speed = speed
        self._transport = transport
        self._owned = owned
        answers = [name for name, tool in tools.items() if isinstance(tool, tool_set.Tool)]
        self._core = core.ClientProtocol(_new_id, endpoint.dialect, answers)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._recorder = Recorder(record, self._header()) if record is not None else None
        self._encoder = WireEncoder("audio/pcm")
        self._decoder = WireDecoder("audio/pcm")
        self._formats = ("audio/pcm", "audio/pcm")
        self._outbox: deque[JsonObject] = deque()
        self._unsent_appends = 0
        self._outbox_ready = asyncio.Event()
        self._outbox_changed = asyncio.Condition()
        self._unread: deque[Received] = deque(maxlen=MAX_UNREAD_EVENTS)
        self._unread_dropped = 0
        self._arrived = asyncio.Event()
        self._waiters: set[_Waiter] = set()
        self._updates: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._microphone: SimulatedMicrophone | None = None
        self._closing = False
        self._ended: SessionClosedError | None = None
        self._failure: RealtimeError | None = None
        self.speaker: Speaker = (
            speaker(self)
            if speaker is not None
            else SimulatedSpeaker(self.clock, speed, self.playback_report, self.audio_played)
        )
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = "closed" if self._ended is not None else "open"
        return f"<Session {self.endpoint.kind} {self.endpoint.shown_url} {state}>"

    # --- what is known ---

    @property
    def conversation(self) -> Conversation:
        """Everything that the events so far have said."""
        return self._core.conversation

    @property
    def recording(self) -> Path | None:
        """Where the recording is being written, None when nothing is recorded."""
        return self._recorder.path if self._recorder is not None else None

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self._ended is not None

    def clock(self) -> float:
        """Seconds since the session began (session time: ``speed`` times the wall clock's)."""
        return round((self._loop.time() - self._began) * self.speed, 6)

    # --- talking ---

    async def say(self, text: str) -> None:
        """Sends a typed user message and asks for a response to it."""
        self._check_open()
        self._core.say(text)
        self._pump()

    async def play(self, path: str | Path, *, raw_sample_rate: int = 24_000) -> None:
        """Speaks an audio file into the session's microphone, at the pace of life.

        Any format that soundfile reads; headerless ``.raw``/``.pcm`` are PCM16 at
        ``raw_sample_rate``. With turn detection on, the microphone goes on with silence, as a real
        one does; this returns when the server heard the end of the words, or heard none. Without,
        the audio is committed and a response asked for.

        Raises:
            AudioError: the file is missing, empty or not audio.
        """
        samples = await asyncio.to_thread(load_audio, path, 24_000, raw_sample_rate=raw_sample_rate)
        await self.speak(pcm_from_samples(samples))

    async def speak(self, pcm: bytes) -> None:
        """Like :meth:`play`, with PCM16 mono at 24 kHz."""
        self._check_open()
        detection = self.conversation.turn_detection
        if self._microphone is None:
            self._microphone = SimulatedMicrophone(self.clock, self.speed, self.append)
        heard_before = self._turns_heard()
        await self._microphone.speak(pcm)
        if detection is None:
            await self.close_microphone()
            await self.commit()
            self._core.create_response()
            self._pump()
            return
        silence_ms = detection.get("silence_duration_ms") or 8_000
        await self._until(
            lambda: self._turns_heard() > heard_before and not self._user_speaks(),
            (silence_ms + 1_000) / 1000,
        )

    def _turns_heard(self) -> int:
        """How many times the server has heard the end of what it took for speech."""
        return sum(speech.audio_end_ms is not None for speech in self.conversation.speech)

    async def close_microphone(self) -> None:
        """Stops the silence that :meth:`play` leaves running."""
        microphone, self._microphone = self._microphone, None
        if microphone is not None:
            await microphone.close()

    async def append(self, pcm: bytes) -> None:
        """Sends microphone audio (PCM16 mono, 24 kHz, any length).

        Waits while more than ``MAX_UNSENT_APPENDS`` chunks are unsent, so audio is never dropped.
        """
        self._check_open()
        payload = self._encoder.encode(pcm)
        if not payload:
            return
        audio = base64.b64encode(payload).decode("ascii")
        self._core.send({"type": "input_audio_buffer.append", "audio": audio})
        self._pump(pcm)
        if self._unsent_appends > MAX_UNSENT_APPENDS:
            async with self._outbox_changed:
                await self._outbox_changed.wait_for(
                    lambda: self._unsent_appends <= MAX_UNSENT_APPENDS or self.closed
                )

    async def commit(self) -> None:
        """Makes a user item of the appended audio (push-to-talk)."""
        await self.send({"type": "input_audio_buffer.commit"})

    async def clear(self) -> None:
        """Drops appended audio that is not committed."""
        await self.send({"type": "input_audio_buffer.clear"})

    async def interrupt(self) -> None:
        """Stops the agent: its response, its voice, and its memory of what was not heard."""
        self._check_open()
        self._core.interrupt()
        self._pump()

    async def create_response(self, **response: Any) -> None:
        """Asks for a response, as soon as the running one is done; fields as on the wire."""
        self._check_open()
        self._core.create_response(response or None)
        self._pump()

    async def update(self, **options: Any) -> None:
        """Changes session settings; returns when the server confirmed them.

        Takes the options of :func:`connect`, and ``tools``.

        Raises:
            ConfigurationError: an unknown or impossible option.
            ServerError: the server refused; nothing was changed.
        """
        self._check_open()
        definitions = None
        if "tools" in options:
            collected = tool_set.collect(options.pop("tools"))
            definitions = tool_set.definitions(collected)
        patch = session_config(definitions, **options)
        if definitions is not None:
            self.tools = collected
            self._core.answers = {
                name for name, tool in collected.items() if isinstance(tool, tool_set.Tool)
            }
        await self._update(patch)

    async def send(self, event: JsonObject) -> str:
        """Sends any event of the protocol, as it is; returns its ``event_id``."""
        self._check_open()
        event_id = self._core.send(event)
        self._pump()
        return event_id

    # --- listening ---

    async def __aiter__(self) -> AsyncIterator[Received]:
        """Every server event since the session began; ends when the session is closed.

        Raises:
            SessionClosedError: the server or the network ended the session.
        """
        if self._unread_dropped:
            warnings.warn(
                f"{self._unread_dropped} events that nobody read are not repeated here; they are "
                "in session.conversation and in the recording.",
                stacklevel=2,
            )
            self._unread_dropped = 0
        while True:
            while self._unread:
                yield self._unread.popleft()
            if self._ended is not None:
                if self._closing or self._ended.close_code == 1000:
                    return
                raise self._failure or self._ended
            self._arrived.clear()
            await self._arrived.wait()

    async def wait_for(
        self, event: str | Callable[[Received], bool], timeout_s: float = 30.0
    ) -> Received:
        """The next event of that type, or for which the function is true.

        Raises:
            TimeoutError: none came in time.
            SessionClosedError: the session ended first.
        """
        wanted = (lambda e: e.type == event) if isinstance(event, str) else event
        waiter = _Waiter(wanted, self._loop.create_future())
        self._check_open()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter.found
        except TimeoutError:
            name = event if isinstance(event, str) else "such an event"
            raise TimeoutError(f"No {name} within {timeout_s:g} s.") from None
        finally:
            self._waiters.discard(waiter)

    async def settled(self, timeout_s: float = 60.0) -> bool:
        """Waits until nothing is left to be answered, run or heard; False after ``timeout_s``."""
        return await self._until(
            lambda: (
                not (
                    self._core.busy
                    or self.speaker.playing
                    or self._user_speaks()
                    or self._answer_is_due()
                )
            ),
            timeout_s,
        )

    def _answer_is_due(self) -> bool:
        """Whether the server has ended a turn and is about to announce its response to it."""
        detection = self.conversation.turn_detection
        speech = self.conversation.speech
        if not detection or not detection.get("create_response", True) or not speech:
            return False
        stopped_s = speech[-1].stopped_s
        if stopped_s is None or self.conversation.session.get("type") == "transcription":
            return False
        if (self.clock() - stopped_s) / self.speed > ANSWER_DUE_S:
            return False
        responses = self.conversation.responses.values()
        return all(r.created_s is None or r.created_s < stopped_s for r in responses)

    def _user_speaks(self) -> bool:
        speech = self.conversation.speech
        return bool(speech) and speech[-1].audio_end_ms is None

    async def _until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Polls a condition in session time; the session's end ends the wait."""
        end = self.clock() + timeout_s
        while not condition():
            if self.closed:
                self._check_open()
            if self.clock() >= end:
                return False
            await asyncio.sleep(0.02 / self.speed)
        return True

    # --- beginning and end ---

    async def start(self, options: dict[str, Any]) -> None:
        """Waits for the server's greeting and configures the session. Called by :func:`connect`."""
        self._reader = asyncio.create_task(self._read())
        self._writer = asyncio.create_task(self._write())
        first = await self._greeting()
        if isinstance(first, ErrorEvent):
            raise ConnectionFailedError(
                f"{self.endpoint.shown_url} refused the session: {first.message}", first.code
            )
        if "transcription" not in options and self.endpoint.transcription_model is not None:
            options = {**options, "transcription": self.endpoint.transcription_model}
        definitions = tool_set.definitions(self.tools) if self.tools else None
        await self._update(session_config(definitions, **options))

    async def _greeting(self) -> Received:
        try:
            return await self.wait_for(
                lambda event: event.type in ("session.created", "error"), timeout_s=15.0
            )
        except TimeoutError:
            raise ConnectionFailedError(
                f"{self.endpoint.shown_url} accepted the connection but sent no session.created. "
                "Does it speak the Realtime protocol?"
            ) from None
        except SessionClosedError as closed:
            raise ConnectionFailedError(
                f"{self.endpoint.shown_url} ended the session at once ({closed})."
            ) from None

    async def _update(self, patch: JsonObject) -> None:
        event_id = self._core.update(patch)
        done = self._loop.create_future()
        self._updates[event_id] = done
        self._pump()
        try:
            async with asyncio.timeout(15.0):
                await done
        except TimeoutError:
            raise ServerError(
                "The server did not confirm the session's settings in 15 s."
            ) from None
        finally:
            self._updates.pop(event_id, None)

    async def close(self, *, complete: bool = True) -> None:
        """Ends the session and everything that belongs to it; may be called twice.

        Args:
            complete: False leaves the recording marked as incomplete, as an ``async with`` block
                does that ends in an exception.

        Raises:
            RecordingError: the recording could not be completed; everything else is ended.
        """
        if self._closing:
            return
        self._closing = True
        await self.close_microphone()
        await self.speaker.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self.closed:
            await self._drain()
        await self._transport.close()
        running = [task for task in (self._reader, self._writer) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._end(SessionClosedError("The session was closed here.", 1000))
        for owned in self._owned:
            await owned.__aexit__(None, None, None)
        if self._recorder is not None:
            ended = self._ended
            await asyncio.to_thread(
                self._recorder.close,
                complete,
                duration_s=self.clock(),
                close_code=ended.close_code if ended is not None else None,
                close_reason=ended.reason if ended is not None else "",
            )

    async def _drain(self) -> None:
        """Gives what is still unsent a moment to leave."""
        try:
            async with asyncio.timeout(2.0), self._outbox_changed:
                await self._outbox_changed.wait_for(lambda: not self._outbox or self.closed)
        except TimeoutError:
            pass

    def _check_open(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._ended is not None:
            raise self._ended

    def _end(self, ended: SessionClosedError) -> None:
        """The connection is over: everybody who waits learns it."""
        if self._ended is not None:
            return
        self._ended = ended
        for waiter in self._waiters:
            if not waiter.found.done():
                waiter.found.set_exception(ended)
        for future in self._updates.values():
            if not future.done():
                future.set_exception(ended)
        self._arrived.set()

    def _header(self) -> JsonObject:
        return {
            "endpoint": {"kind": self.endpoint.kind, "url": self.endpoint.shown_url},
            "model": self.endpoint.model,
            "dialect": self.endpoint.dialect,
            "speed": self.speed,
        }

    # --- what the devices say ---

    def playback_report(self, report: PlaybackReport) -> None:
        """Takes a report of the speaker: folds it in and records it."""
        self._core.receive_playback(report)
        if self._recorder is not None:
            self._recording(lambda recorder: recorder.playback(report))

    def audio_played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        """Takes audio that the speaker played from ``t_s`` on, for the recording."""
        self._recording(lambda recorder: recorder.played(item_id, pcm, t_s))

    def _recording(self, write: Callable[[Recorder], None]) -> None:
        """Records; a recording that fails ends the session, rather than leaving a silent gap."""
        if self._recorder is None or self._failure is not None:
            return
        try:
            write(self._recorder)
        except RecordingError as error:
            self._failure = error
            self._end(SessionClosedError(f"The session was ended: {error}"))
            self._start(self._transport.close())

    # --- the tasks ---

    async def _read(self) -> None:
        while True:
            try:
                raw = await self._transport.receive()
            except SessionClosedError as ended:
                self._end(ended)
                async with self._outbox_changed:
                    self._outbox_changed.notify_all()
                return
            self._received(raw, self.clock())

    def _received(self, raw: JsonObject, t_s: float) -> None:
        pcm = self._audio_of(raw)
        self._recording(lambda recorder: recorder.event("received", raw, t_s, pcm))
        events = self._core.receive(raw, t_s)
        self._follow_formats()
        for event in events:
            if len(self._unread) == MAX_UNREAD_EVENTS:
                self._unread_dropped += 1
            self._unread.append(event)
            for waiter in list(self._waiters):
                waiter.offer(event)
        self._arrived.set()
        self._act(pcm)
        self._pump()

    def _audio_of(self, raw: JsonObject) -> bytes | None:
        """The PCM16 (24 kHz) in an audio delta, None for everything else."""
        if raw.get("type") not in ("response.output_audio.delta", "response.audio.delta"):
            return None
        try:
            return self._decoder.decode(base64.b64decode(raw.get("delta", "")))
        except (ValueError, TypeError):
            return b""

    def _follow_formats(self) -> None:
        audio = self.conversation.session.get("audio")
        sides = audio if isinstance(audio, dict) else {}
        formats = tuple(
            ((sides.get(side) or {}).get("format") or {}).get("type", "audio/pcm")
            for side in ("input", "output")
        )
        if formats != self._formats:
            self._formats = (formats[0], formats[1])
            self._encoder, self._decoder = WireEncoder(formats[0]), WireDecoder(formats[1])

    def _act(self, pcm: bytes | None) -> None:
        for action in self._core.actions_to_run():
            match action:
                case core.PlayAudio(item_id):
                    self.speaker.write(item_id, pcm or b"")
                case core.EndAudio(item_id):
                    self.speaker.end(item_id)
                case core.FlushPlayback():
                    self._start(self._flush())
                case core.CallTool(call):
                    self._start(self._run_tool(call))
                case core.UpdateAccepted(event_id):
                    self._settle_update(event_id, None)
                case core.UpdateRefused(event_id, error):
                    self._settle_update(event_id, error)

    def _settle_update(self, event_id: str, error: ErrorEvent | None) -> None:
        future = self._updates.get(event_id)
        if future is None or future.done():
            return
        if error is None:
            future.set_result(None)
            return
        param = error.error.get("param")
        future.set_exception(
            ServerError(
                f"The server refused the settings: {error.message}", error.code, param, event_id
            )
        )

    async def _flush(self) -> None:
        for item_id, played_ms in await self.speaker.flush():
            self._core.receive_flushed(item_id, played_ms)
        self._pump()

    async def _run_tool(self, call: FunctionCall) -> None:
        tool = self.tools[call.name]
        assert isinstance(tool, tool_set.Tool)
        result = await tool.call(call.arguments)
        self._core.receive_tool_output(call.call_id, result.output)
        self._pump()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _pump(self, pcm: bytes | None = None) -> None:
        """Stamps, records and folds what goes out, and queues it for the writer."""
        for event in self._core.events_to_send():
            t_s = self.clock()
            self._core.sent(event, t_s)
            for wire in self._core.on_wire(event):
                self._queue(wire, t_s, pcm)
        if self._outbox:
            self._outbox_ready.set()

    def _queue(self, wire: JsonObject, t_s: float, pcm: bytes | None) -> None:
        self._recording(lambda recorder: recorder.event("sent", wire, t_s, pcm))
        self._outbox.append(wire)
        if wire["type"] == "input_audio_buffer.append":
            self._unsent_appends += 1

    async def _write(self) -> None:
        while True:
            await self._outbox_ready.wait()
            self._outbox_ready.clear()
            while self._outbox:
                event = self._outbox[0]
                try:
                    await self._transport.send(event)
                except SessionClosedError:
                    return  # the reader tells everybody
                self._outbox.popleft()
                if event["type"] == "input_audio_buffer.append":
                    self._unsent_appends -= 1
            async with self._outbox_changed:
                self._outbox_changed.notify_all()


class _Waiter:
    """Somebody who waits for an event."""

    def __init__(self, wanted: Callable[[Received], bool], found: asyncio.Future[Received]) -> None:
        self._wanted = wanted
        self.found = found

    def offer(self, event: Received) -> None:
        """Ends the wait if this is the event; an error in the condition belongs to who waits."""
        if self.found.done():
            return
        try:
            if self._wanted(event):
                self.found.set_result(event)
        except Exception as error:
            self.found.set_exception(error)
