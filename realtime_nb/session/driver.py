"""What keeps a session going: the client protocol, driven over a transport.

One task reads: it stamps the time, records, folds and hands on. One writes. Whatever the protocol
wants done (a tool run, audio played, playback stopped) is started here, as tasks where it can take
time. A failure in any of them ends the session, so that nobody waits for what won't come.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol

from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.wire import WireAudio
from realtime_nb.devices.simulated import Speaker
from realtime_nb.errors import (
    ConnectionFailedError,
    RealtimeError,
    RecordingError,
    ServerError,
    SessionClosedError,
)
from realtime_nb.protocol import client as core
from realtime_nb.protocol.conversation import FunctionCall, PlaybackReport, ToolReport
from realtime_nb.protocol.events import ErrorEvent, JsonObject
from realtime_nb.protocol.records import RunOutcome
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.endpoints import Endpoint
from realtime_nb.session.inbox import Inbox, Received
from realtime_nb.session.outbox import Outbox
from realtime_nb.session.transport import Transport
from realtime_nb.tools import Definition, Tool

__all__ = ["Driver", "Observer"]

logger = logging.getLogger(__name__)

GREETING_TIMEOUT_S = 15.0
UPDATE_TIMEOUT_S = 15.0
_DRAIN_TIMEOUT_S = 2.0
_EVENTS_AT_ONCE = 16
"""Events taken without letting other tasks run, however many are there."""


def _is_greeting(event: Received) -> bool:
    return event.type in ("session.created", "error")


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(8)}"


class Observer(Protocol):
    """Somebody who is shown what a session does, as its recorder is: a widget, a meter.

    Calls come on the session's loop and must return at once.
    """

    def event(self, event: WireEvent) -> None:
        """Takes an event that crossed the wire."""

    def playback(self, report: PlaybackReport) -> None:
        """Takes what the speaker reported."""

    def tool(self, report: ToolReport) -> None:
        """Takes that a function began to run, or ended."""


class Driver:
    """Runs one session over an open transport.

    Args:
        transport: open; it is closed with the session.
        endpoint: what is at its other end.
        tools: what the model may call.
        recorder: None records nothing.
        speed: session seconds per wall second.
        main_loop: where tools of ``main_thread=True`` run; None: on the session's loop.
        owned: what else ends with the session.

    Attributes:
        protocol: the client's side of the protocol.
        inbox: the server's events, for whoever waits for them.
        outbox: what is on its way to the server.
        audio: the session's audio formats.
        speaker: plays the agent's voice; to be set before :meth:`start`.
        observers: are shown every event and report, after the recorder and the fold.
    """

    speaker: Speaker

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        *,
        tools: Mapping[str, Tool | Definition],
        recorder: Recorder | None,
        speed: float,
        main_loop: asyncio.AbstractEventLoop | None,
        owned: AsyncExitStack,
    ) -> None:
        self.protocol = core.ClientProtocol(_new_id, endpoint.dialect)
        self.inbox = Inbox()
        self.outbox = Outbox(transport.send, self.inbox.changed)
        self.audio = WireAudio()
        self.recorder = recorder
        self.observers: list[Observer] = []
        self.tools = tools
        self._transport = transport
        self._endpoint = endpoint
        self._speed = speed
        self._main_loop = main_loop
        self._owned = owned
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._updates: dict[str, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wire_tasks: list[asyncio.Task[None]] = []
        self._closing: asyncio.Task[None] | None = None
        self._ended: SessionClosedError | None = None
        self._failure: RealtimeError | None = None

    @property
    def tools(self) -> Mapping[str, Tool | Definition]:
        """What the model may call; functions are run and answered."""
        return self._tools

    @tools.setter
    def tools(self, tools: Mapping[str, Tool | Definition]) -> None:
        self._tools = tools
        self.protocol.answers = {name for name, tool in tools.items() if isinstance(tool, Tool)}

    @property
    def ended(self) -> SessionClosedError | None:
        """How the connection ended, None while it is open."""
        return self._ended

    def clock(self) -> float:
        """Seconds of session time since the session began."""
        return round((self._loop.time() - self._began) * self._speed, 6)

    def check_open(self) -> None:
        """Raises what ended the session, if anything has."""
        if self._ended is not None:
            raise self._failure or self._ended

    # --- beginning and end ---

    async def start(self) -> None:
        """Starts to read and write, and waits for the server's greeting.

        Raises:
            ConnectionFailedError: the server refused the session, or said nothing of the kind.
        """
        self._wire_tasks = [asyncio.create_task(work) for work in (self._read(), self._write())]
        where = self._endpoint.shown_url
        try:
            first = await self.inbox.wait_for(_is_greeting, GREETING_TIMEOUT_S)
        except TimeoutError:
            raise ConnectionFailedError(
                f"{where} accepted the connection but sent no session.created. "
                "Does it speak the Realtime protocol?"
            ) from None
        except SessionClosedError as closed:
            words = self._endpoint.without_secrets(str(closed))
            raise ConnectionFailedError(f"{where} ended the session at once. {words}") from None
        if isinstance(first, ErrorEvent):
            message = self._endpoint.without_secrets(first.message)
            raise ConnectionFailedError(f"{where} refused the session: {message}", first.code)

    async def close(self, first: Callable[[], Awaitable[None]], complete: bool) -> None:
        """Ends the session and everything that belongs to it, even when it is cancelled meanwhile.

        Args:
            first: what is to be ended before the rest.
            complete: whether the recording is whole; the first call decides.

        Raises:
            RecordingError: the recording could not be completed; everything else is ended.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(first, complete))
        try:
            await asyncio.shield(self._closing)
        except asyncio.CancelledError:
            while not self._closing.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([self._closing])
            raise

    async def _close(self, first: Callable[[], Awaitable[None]], complete: bool) -> None:
        async with AsyncExitStack() as steps:  # the last one first, each whatever the others raise
            steps.push_async_callback(self._owned.aclose)
            steps.push_async_callback(self._close_recorder, complete)
            steps.push_async_callback(self._end_tasks)
            steps.push_async_callback(self._transport.close)
            steps.push_async_callback(self._drain)
            steps.push_async_callback(self.speaker.close)
            steps.push_async_callback(first)

    async def _drain(self) -> None:
        """Gives what is still unsent a moment to leave."""
        for task in self._tasks:
            task.cancel()
        await self.inbox.until(lambda: self.outbox.empty, _DRAIN_TIMEOUT_S)

    async def _end_tasks(self) -> None:
        tasks = [*self._tasks, *self._wire_tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._end(SessionClosedError("The session was closed here.", 1000))

    async def _close_recorder(self, complete: bool) -> None:
        if self.recorder is None:
            return
        ended = self._ended or SessionClosedError("")
        await asyncio.to_thread(
            self.recorder.close,
            complete,
            duration_s=self.clock(),
            close_code=ended.close_code,
            close_reason=ended.reason,
        )

    def _end(self, ended: SessionClosedError) -> None:
        """The connection is over: everybody who waits learns it."""
        if self._ended is not None:
            return
        self._ended = ended
        error = self._failure or ended
        self.inbox.end(error, expected=self._failure is None and self._expected(ended))
        for future in self._updates.values():
            if not future.done():
                future.set_exception(error)

    def _expected(self, ended: SessionClosedError) -> bool:
        return self._closing is not None or ended.close_code == 1000

    def _fail(self, failure: RealtimeError) -> None:
        """Something here can't go on, so the session doesn't."""
        if self._ended is None:
            self._failure = failure
            self._end(SessionClosedError(str(failure)))
            self._start(self._transport.close())

    # --- in ---

    async def _read(self) -> None:
        taken = 0
        try:
            while True:
                raw = await self._transport.receive()
                self._received(raw, self.clock())
                taken += 1
                if taken % _EVENTS_AT_ONCE == 0:
                    await asyncio.sleep(0)
        except SessionClosedError as ended:
            self._end(ended)
        except Exception as error:
            self._broken(error)

    def _broken(self, error: Exception) -> None:
        logger.exception("The session ends", exc_info=error)
        failure = error if isinstance(error, RealtimeError) else None
        self._fail(failure or RealtimeError(f"The session was ended by an error: {error!r}"))

    def _received(self, raw: JsonObject, t_s: float) -> None:
        if self._ended is not None:
            return
        pcm = self.audio.decode_delta(raw)
        crossed = WireEvent("received", raw, t_s, pcm)
        self._recording(lambda recorder: recorder.event(crossed))
        events = self.protocol.receive(raw, t_s, pcm)
        self.audio.follow(self.protocol.conversation.session)
        self._observe(lambda observer: observer.event(crossed))
        for event in events:
            self.inbox.put(event)
        self.act()
        self.pump()

    # --- out ---

    def pump(self, pcm: bytes | None = None, captured_s: float | None = None) -> None:
        """Stamps, records and folds what goes out, and queues it.

        Args:
            pcm: the audio of an append that is among it.
            captured_s: when the last sample of that was captured, where it is known.
        """
        for event in self.protocol.events_to_send():
            t_s = self.clock()
            self.protocol.sent(event, t_s)
            appended = event.get("type") == "input_audio_buffer.append"
            audio = (pcm, captured_s) if appended else (None, None)
            for wire in self.protocol.on_wire(event):
                self._record_sent(WireEvent("sent", wire, t_s, *audio))
                self.outbox.put(wire)
        self.inbox.changed()

    def _record_sent(self, crossed: WireEvent) -> None:
        self._recording(lambda recorder: recorder.event(crossed))
        self._observe(lambda observer: observer.event(crossed))

    async def _write(self) -> None:
        try:
            await self.outbox.run()
        except SessionClosedError:
            pass  # the reader tells everybody
        except Exception as error:
            self._broken(error)

    async def update(self, patch: JsonObject) -> None:
        """Changes the session; returns when the server confirmed it, raises when it refused."""
        event_id = self.protocol.update(patch)
        done = self._loop.create_future()
        self._updates[event_id] = done
        self.pump()
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT_S):
                await done
        except TimeoutError:
            raise ServerError(
                "The server did not confirm the session's settings in "
                f"{UPDATE_TIMEOUT_S:g} s. Check the connection and try again."
            ) from None
        finally:
            self._updates.pop(event_id, None)

    # --- what the protocol wants done ---

    def act(self) -> None:
        """Does what the protocol wants done."""
        for action in self.protocol.actions_to_run():
            match action:
                case core.PlayAudio(item_id, pcm):
                    self.speaker.write(item_id, pcm)
                case core.EndAudio(item_id):
                    self.speaker.end(item_id)
                case core.FlushPlayback():
                    self._start(self._flushed(self.speaker.flush()))
                case core.CallTool(call):
                    tool = self.tools[call.name]
                    assert isinstance(tool, Tool)
                    self._start(self._run_tool(tool, call))
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
        message = f"The server refused the settings: {error.message}"
        future.set_exception(ServerError(message, error.code, param, event_id))

    async def _flushed(self, flush: Awaitable[list[tuple[str, float]]]) -> None:
        for item_id, played_ms in await flush:
            self.protocol.receive_flushed(item_id, played_ms)
        self.pump()

    async def _run_tool(self, tool: Tool, call: FunctionCall) -> None:
        def started() -> None:
            self._tool_report(ToolReport(call.call_id, "started", self.clock()))

        outcome: RunOutcome = "cancelled"
        try:
            result = await tool.call(call.arguments, started, self._main_loop)
            outcome = result.outcome
        finally:
            self._tool_report(ToolReport(call.call_id, "ended", self.clock(), outcome))
        self.protocol.receive_tool_output(call, result.output)
        self.pump()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._broken(error)

    # --- what is written down ---

    def playback_report(self, report: PlaybackReport) -> None:
        """Takes a report of the speaker: folds it in and records it."""
        self.protocol.receive_playback(report)
        self._recording(lambda recorder: recorder.playback(report))
        self._observe(lambda observer: observer.playback(report))
        self.inbox.changed()

    def _tool_report(self, report: ToolReport) -> None:
        """Folds in and records when a function began to run, or how it ended."""
        self.protocol.receive_tool_report(report)
        self._recording(lambda recorder: recorder.tool(report))
        self._observe(lambda observer: observer.tool(report))

    def audio_played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        """Takes audio that the speaker played from ``t_s`` on, for the recording."""
        self._recording(lambda recorder: recorder.played(item_id, pcm, t_s))

    def note(self, **facts: object) -> None:
        """Adds facts to the recording's ``session.json``."""
        self._recording(lambda recorder: recorder.note(**facts))

    def label(self, t_s: float, text: str) -> None:
        """Adds a person's mark to the recording."""
        self._recording(lambda recorder: recorder.label(t_s, text))

    def _observe(self, show: Callable[[Observer], None]) -> None:
        """Shows something to the observers; one that fails is dropped, the session goes on."""
        for observer in list(self.observers):
            try:
                show(observer)
            except Exception:
                logger.exception("%r failed and is shown nothing more", observer)
                self.observers.remove(observer)

    def _recording(self, write: Callable[[Recorder], None]) -> None:
        """Records; a recording that fails ends the session, rather than leaving a silent gap."""
        if self.recorder is None or self._failure is not None:
            return
        try:
            write(self.recorder)
        except RecordingError as error:
            self._fail(error)
