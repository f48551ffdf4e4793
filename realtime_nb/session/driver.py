"""What keeps a session going: the client protocol, driven over a transport.

A connection reads and writes (:mod:`realtime_nb.session.open_connection`): what it reads is stamped
with the time, recorded, folded and handed on. One that is lost is replaced, and the next one told
what the conversation was (:mod:`realtime_nb.session.returning`). Whatever the protocol wants done
(a tool run, audio played, playback stopped) is started here, as tasks where it can take time. A
failure in any of them ends the session, so that nobody waits for what won't come. All of it happens
on one loop, and between two awaits nothing else does: what an event leads to is queued before the
next one is read, so that the server gets it in the order in which it was decided.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import ParamSpec, TypeVar

from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.wire import WireAudio
from realtime_nb.devices.simulated import Speaker
from realtime_nb.errors import RealtimeError, SessionClosedError
from realtime_nb.protocol import client as core
from realtime_nb.protocol import client_actions as actions
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation, FunctionCall, PlaybackReport, ToolReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.audio_in import AudioIn
from realtime_nb.session.calls import CallRunner
from realtime_nb.session.cleaning import Cleaning
from realtime_nb.session.closing import Closing
from realtime_nb.session.endpoints import Endpoint
from realtime_nb.session.fillers import run_or_refuse
from realtime_nb.session.greeting import greeting_response
from realtime_nb.session.observers import Observers, show_connection
from realtime_nb.session.open_connection import OpenConnection, greeted
from realtime_nb.session.playback import Playback
from realtime_nb.session.queues import Inbox
from realtime_nb.session.readers import Received
from realtime_nb.session.reconnecting import Reconnect
from realtime_nb.session.returning import Dial, Returning
from realtime_nb.session.settings import SessionSettings
from realtime_nb.session.transport import Transport
from realtime_nb.session.updates import Updates
from realtime_nb.session.work import Work
from realtime_nb.session.writing import Writing
from realtime_nb.tools import Definition, Tool

__all__ = ["Driver"]

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_DRAIN_TIMEOUT_S = 2.0

_ANSWER_DUE_S = 5.0
"""How long a turn that the server answers by itself counts as busy without its response."""

_WORDS_DUE_S = 5.0
"""How long a server that transcribes may take for the words of what was committed."""


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(8)}"


class Driver:
    """Runs one session over an open transport.

    Args:
        transport: open; it is closed with the session.
        endpoint: what is at its other end.
        tools: what the model may call.
        recorder: None records nothing.
        pace: session seconds per wall second.
        main_loop: where tools of ``main_thread=True`` run; None: on the session's loop.
        owned: what else ends with the session.
        typing: what a typed message does to the answer that is being spoken.
        reconnect: how a lost connection is regained; None: it ends the session.
        dial: opens another transport to the same server; None: it can't be regained.

    Attributes:
        playback: of the agent's voice; its ``speaker`` is to be set before :meth:`start`.
        calls: runs the functions that the model calls; its ``session`` is to be set before, too.
        turn_audio: the user's latest audio.
        writing: writes the session down.
        ended: how the connection ended, None while it is open.
        hearing: whether a server gets the user's audio; what it does not get while a lost
            connection is being regained is folded and recorded all the same.
        start_work: starts what ends with the session; if it fails, the session does.
        until: waits for a condition, in seconds of the wall clock.
        observers: are shown every event and report, after the recorder and the fold.
    """

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        *,
        tools: Mapping[str, Tool | Definition],
        recorder: Recorder | None,
        pace: float,
        main_loop: asyncio.AbstractEventLoop | None,
        owned: AsyncExitStack,
        typing: core.Typing = "interrupts",
        reconnect: Reconnect | None = None,
        dial: Dial | None = None,
    ) -> None:
        self._protocol = core.ClientProtocol(_new_id, endpoint.dialect, typing=typing)
        self.turn_audio = self._protocol.turn_audio
        self._inbox = Inbox()
        self.until = self._inbox.until
        self._audio = WireAudio()
        self.audio_in = AudioIn(self._audio, self._append, self._has_room)
        self.last_append_s = -math.inf
        self.observers = Observers()
        self._cleaning = Cleaning(endpoint.secrets)
        self.writing = Writing(recorder, self._fail)
        self.calls = CallRunner(
            self.clock,
            main_loop,
            report=self._tool_report,
            answered=self._answered,
            failed=self._broken,
            cleaned=endpoint.without_own,
        )
        self._transport = transport
        self._endpoint = endpoint
        self._pace = pace
        self._owned = owned
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._updates = Updates(lambda: self.hearing)
        self._settings = SessionSettings(self._protocol, self.audio_in, tools, self._updates)
        self._work = Work(self._broken)
        self.start_work = self._work.start
        self.connection: OpenConnection | None = None
        self._returning = Returning(self, reconnect, dial) if reconnect and dial else None
        self.hearing = True
        self.playback = Playback(
            self._protocol,
            self.writing,
            self.observers,
            start=self.start_work,
            proceed=self._proceed,
        )
        self._closing = Closing()
        self.ended: SessionClosedError | None = None
        self._failure: RealtimeError | None = None

    # --- what is known ---

    @property
    def conversation(self) -> Conversation:
        """What the events so far add up to."""
        return self._protocol.conversation

    @property
    def speaker(self) -> Speaker:
        """What plays the agent's voice."""
        return self.playback.speaker

    @property
    def busy(self) -> bool:
        """Whether a response runs, is on its way, or waits for a tool."""
        return self._protocol.busy

    @property
    def user_speaking(self) -> bool:
        """Whether turn detection hears the user right now."""
        return self._protocol.user_speaking

    @property
    def idle(self) -> bool:
        """Whether nobody speaks, and nothing is on its way, asked for, or still to be heard."""
        return self._is_settled() and self.all_left() and not self._updates.waiting

    @property
    def tools(self) -> Mapping[str, Tool | Definition]:
        """What the model may call; functions are run and answered."""
        return self._settings.tools

    def clock(self) -> float:
        """Seconds of session time since the session began."""
        return round((self._loop.time() - self._began) * self._pace, 6)

    def check_open(self) -> None:
        """Raises what ended the session, if anything has."""
        if self.ended is not None:
            raise self._failure or self.ended

    # --- beginning and end ---

    async def start(self) -> None:
        """Starts to read and write, and waits for the server's greeting.

        Raises:
            ConnectionFailedError: the server refused the session, or said nothing of the kind.
        """
        self.attach(self._transport)
        await self.greeted()
        if self._returning is not None:
            self._returning.begun()

    def attach(self, transport: Transport) -> None:
        """Reads and writes a transport from now on."""
        self.connection = OpenConnection(
            transport,
            received=lambda raw: self._received(raw, self.clock()),
            ended=self._connection_ended,
            changed=self._inbox.changed,
            sent_ms=self.conversation.input_ms,
        )

    async def greeted(self) -> None:
        """Waits for the server's greeting; raises as `start`."""
        await greeted(self._inbox.wait_for, self._endpoint)

    async def close(self, first: Callable[[], Awaitable[None]], complete: bool) -> None:
        """Ends the session and everything that belongs to it, even when it is cancelled meanwhile.

        Args:
            first: what is to be ended before the rest.
            complete: whether the recording is whole; the first call decides.

        Raises:
            RecordingError: the recording could not be completed; everything else is ended.
        """
        # Once the microphone is silent, the speaker tells how much was heard; that leaves with the
        # rest, and only then the connection ends. What the tasks still report as they end is
        # recorded, so that the recorder ends after them; the local server goes last, which our end
        # of the connection must not outlive.
        await self._closing.close(
            [
                *(first, self.speaker.close, self._drain, self._end_connection, self._end_tasks),
                *(lambda: self._close_recorder(complete), self._owned.aclose),
            ]
        )

    async def _drain(self) -> None:
        """Gives what is still unsent a moment to leave."""
        self.calls.drop()
        self._work.cancel()
        await self._inbox.until(self.all_left, _DRAIN_TIMEOUT_S)

    def all_left(self) -> bool:
        """Tells whether nothing waits to be sent."""
        return self.connection is None or self.connection.outbox.empty

    async def _end_connection(self) -> None:
        if self.connection is not None:
            await self.connection.close()

    async def _end_tasks(self) -> None:
        await self._work.end()
        if self._returning is not None:
            await self._returning.over()
        await self.calls.close()
        self.end(SessionClosedError("The session was closed here.", 1000))

    async def _close_recorder(self, complete: bool) -> None:
        ended = self.ended or SessionClosedError("")
        await self.writing.close(complete, self.clock(), ended)

    def end(self, ended: SessionClosedError) -> None:
        """Ends what depends on the connection: everybody who waits learns that it is over."""
        if self.ended is not None:
            return
        closed_here = self._closing.begun
        cut_off = bool(self.conversation.running) and not closed_here
        if cut_off:
            words = f"{ended} An answer was under way; what had not come of it is lost."
            ended = SessionClosedError(words, ended.close_code, ended.reason)
        self.ended = ended
        self.calls.drop()
        if cut_off:
            self.tell(ConnectionReport("ended", self.clock(), ended.close_code, ended.reason))
        error = self._failure or ended
        expected = closed_here or (ended.close_code == 1000 and not cut_off)
        self._inbox.end(error, expected=expected and self._failure is None)
        self._updates.end(error)

    def _fail(self, failure: RealtimeError) -> None:
        """Ends the session, because something here can't go on."""
        if self.ended is None:
            self._failure = failure
            self.end(SessionClosedError(str(failure)))
            self.start_work(self._end_connection())

    def _connection_ended(self, connection: OpenConnection, error: Exception) -> None:
        """Ends the session with its connection, unless it comes back."""
        if connection is not self.connection:
            return
        if not isinstance(error, SessionClosedError):
            self._broken(error)
        elif not self._comes_back(connection, error):
            self.end(error)

    def _comes_back(self, connection: OpenConnection, error: SessionClosedError) -> bool:
        if self._returning is None or self._closing.begun or self.ended is not None:
            return False
        return self._returning.lost(connection, error)

    async def restore_settings(self, summary: str) -> None:
        """Has the settings of a new session be those that were asked for, with a summary added to
        the instructions.

        Raises:
            ServerError: it refuses them.
            ConnectionFailedError: it does not answer.
        """
        await self._settings.restore(summary, self._send, self._endpoint.shown_url)

    def resume(self, items: list[JsonObject], spoken: str | None) -> None:
        """Tells a new session what was said, and lets it hear the user.

        Args:
            items: of the conversation.
            spoken: what the agent says first, word for word.
        """
        self.hearing = True
        self.tell(ConnectionReport("resumed", self.clock()))
        if spoken is not None:
            self._protocol.create_response(greeting_response(spoken))
        self._protocol.resume(items)
        self._proceed()
        self.audio_in.flows = True  # behind what was said before
        self.audio_in.look_no_more()

    def stop_playback(self) -> None:
        """Stops the agent's voice."""
        self.playback.stop()

    # --- in ---

    def _broken(self, error: Exception) -> None:
        logger.exception("The session ends", exc_info=error)
        failure = error if isinstance(error, RealtimeError) else None
        self._fail(failure or RealtimeError(f"The session was ended by an error: {error!r}"))

    def _received(self, raw: JsonObject, t_s: float) -> None:
        if self.ended is not None:
            return
        pcm = self._audio.decode_delta(raw)
        crossed = WireEvent("received", raw, t_s, pcm)
        self.writing.write(lambda recorder: recorder.event(crossed))
        events = self._protocol.receive(raw, t_s, pcm)
        self._audio.follow(self._protocol.conversation.session)
        self.observers.show_event(crossed, self._cleaning.shown)
        for event in events:
            self._inbox.put(event)
        self._proceed()

    # --- out ---

    def send(self, event: JsonObject) -> str:
        """Sends any event of the protocol, as it is; returns its ``event_id``."""
        return self._ask(self._protocol.send, event)

    def say(self, text: str) -> None:
        """Sends a typed user message and asks for a response to it."""
        self._ask(self._protocol.say, text, self.speaker.playing)

    def create_response(self, response: JsonObject | None) -> None:
        """Asks for a response, as soon as the running one is done."""
        self._ask(self._protocol.create_response, response)

    def interrupt(self) -> None:
        """Stops the agent's response and its voice."""
        self._ask(self._protocol.interrupt)

    def detach(self) -> OpenConnection | None:
        """Goes on without a connection; returns the one that there was."""
        connection, self.connection = self.connection, None
        return connection

    def tell(self, report: ConnectionReport) -> None:
        """Folds in, records and shows what becomes of the connection."""
        if report.kind == "lost":
            self.hearing = False
            self._protocol.lost(report)
        else:
            self.conversation.apply_connection(report)
        self.writing.write(lambda recorder: recorder.connection(report))
        self.observers.show(lambda observer: show_connection(observer, report))
        self._inbox.put(report)
        self._act()

    def _ask(self, verb: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
        self.check_open()
        result = verb(*values, **named)
        self._proceed()
        return result

    async def append(self, pcm: bytes, captured_s: float | None) -> None:
        """Sends audio once there is room for it, and the server's input format is settled.

        It goes out by itself, not through the protocol's own queue: no rule of the protocol holds
        it back, and so PCM and time need not be matched to their event again.
        """
        self.check_open()
        while not self.audio_in.takes_audio():
            await self._inbox.until(self.audio_in.takes_audio)
            self.check_open()
        self.append_now(pcm, captured_s)

    def append_now(self, pcm: bytes, captured_s: float | None) -> None:
        """Sends audio that need not wait."""
        self.check_open()
        self.audio_in.append(pcm, captured_s)

    def _append(self, payload: str, pcm: bytes, captured_s: float | None) -> None:
        append = {"type": "input_audio_buffer.append", "audio": payload}
        self.last_append_s = self._loop.time()
        self._send({**append, "event_id": _new_id("event")}, pcm, captured_s)
        self._inbox.changed()

    def _has_room(self) -> bool:
        return self.connection is None or not self.connection.outbox.full

    def _proceed(self) -> None:
        """Does what the protocol wants done, then sends what it wants sent.

        In this order: the voice stops before the server is told that it has.
        """
        self._act()
        if not self.playback.sounding:
            self._protocol.fell_silent()
        for event in self._protocol.events_to_send():
            self._send(event)
        self._inbox.changed()
        if self.playback.end_what_is_too_long():
            self._proceed()

    def _send(
        self, event: JsonObject, pcm: bytes | None = None, captured_s: float | None = None
    ) -> None:
        """Stamps and folds what goes out; records, shows and queues it as it is on the wire."""
        t_s = self.clock()
        self._protocol.sent(self._cleaning.remembered(event), t_s, captured_s)
        for raw in self._protocol.on_wire(event):
            self._sent(WireEvent("sent", raw, t_s, pcm, captured_s))

    def _sent(self, crossed: WireEvent) -> None:
        self.writing.write(lambda recorder: recorder.event(crossed))
        self.observers.show_event(crossed, self._cleaning.shown)
        if self.connection is None or (crossed.pcm is not None and not self.hearing):
            return  # no server gets it; what that was is told when one does again
        end_ms = None if crossed.pcm is None else self.conversation.input_ms
        self.connection.outbox.put(crossed.raw, end_ms)

    async def update(
        self, patch: JsonObject, tools: Mapping[str, Tool | Definition] | None = None
    ) -> None:
        """Changes the session; returns when the server confirmed it, raises when it refused.

        Args:
            patch: what changes.
            tools: the tools that are in it; None: they stay as they are.
        """
        self.check_open()
        try:
            await self._settings.change(patch, tools, self._proceed)
        finally:
            self._inbox.changed()  # audio may have waited

    # --- who waits ---

    def events(self) -> AsyncIterator[Received]:
        """Returns every event of the server that was not read yet, until the end."""
        return self._inbox.events()

    async def wait_for(self, wanted: Callable[[Received], bool], timeout_s: float) -> Received:
        """Returns the next event for which ``wanted`` is true; TimeoutError when none comes."""
        self.check_open()
        return await self._inbox.wait_for(wanted, timeout_s)

    async def settled(self, timeout_s: float) -> bool:
        """Waits until nothing is left to be answered, run or heard; False after ``timeout_s``."""
        return await self.passed(self._is_settled, timeout_s)

    def _is_settled(self) -> bool:
        return (
            self.hearing
            and not (self.busy or self.playback.sounding)
            and not (self.user_speaking or self._answer_due() or self._words_due())
        )

    def _answer_due(self) -> bool:
        ended_s = self.conversation.turn_ended_s
        return ended_s is not None and self.clock() - ended_s < _ANSWER_DUE_S * self._pace

    def _words_due(self) -> bool:
        """Returns whether a transcript of what the user said last is still to come."""
        since_s = self.clock() - _WORDS_DUE_S * self._pace
        for item in reversed(self.conversation.items.values()):
            came_s = item.added_s if item.committed_s is None else item.committed_s
            if came_s is not None and came_s <= since_s:
                return False
            written = item.committed_s is not None and item.serving.transcription_model is not None
            if written and item.transcript is None:
                return True
        return False

    async def passed(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Waits for a condition in session time; the session's end ends the wait."""
        met = await self._inbox.until(condition, timeout_s / self._pace)
        if not met:
            self.check_open()
        return met

    # --- what the protocol wants done ---

    def _act(self) -> None:
        for action in self._protocol.actions_to_run():
            match action:
                case actions.PlayAudio() | actions.EndAudio() | actions.FlushPlayback():
                    self.playback.do(action)
                case actions.CallTool(call):
                    run_or_refuse(self, call)
                case actions.UpdateAccepted(event_id):
                    self._updates.settle(event_id)
                case actions.UpdateRefused(event_id, error):
                    self._updates.settle(event_id, error)

    def may_fill(self, call: FunctionCall) -> bool:
        """Tells whether a filler may be said now, and would be heard at once."""
        return not self.playback.sounding and self._protocol.may_fill(call.response_id)

    def fill(self, call: FunctionCall, response: JsonObject) -> None:
        """Asks for a filler, where `may_fill` says that it may be."""
        self._ask(self._protocol.fill, call.response_id, response)

    def _answered(self) -> None:
        """Sends what functions came to; without a connection it stays where it is."""
        if self.ended is not None:
            return
        for answer in self.calls.take():
            self._protocol.receive_tool_output(answer.call, answer.output)
        self._proceed()

    # --- what is written down ---

    def playback_report(self, report: PlaybackReport) -> None:
        """Takes a report of the speaker."""
        self.playback.reported(report)
        self._inbox.changed()

    def _tool_report(self, report: ToolReport) -> None:
        """Folds in and records when a function began to run, how far it is, or how it ended."""
        self._protocol.receive_tool_report(report)
        self.writing.write(lambda recorder: recorder.tool(report))
        self.observers.show(lambda observer: observer.tool(report))
