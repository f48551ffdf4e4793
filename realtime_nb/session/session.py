"""A live session: what one says and hears in it.

:func:`realtime_nb.connect` opens it and :mod:`realtime_nb.session.driver` keeps it going.
:meth:`Session.close` ends everything that belongs to it, the local server included.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal, overload

from realtime_nb import tools as tool_set
from realtime_nb.archive.lines import label_line
from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.files import read_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.devices.simulated import SimulatedSpeaker, Speaker
from realtime_nb.errors import (
    ConfigurationError,
    RealtimeError,
    RecordingError,
    ServerError,
    SessionClosedError,
    at_call,
)
from realtime_nb.errors.option_names import refuse_unknown
from realtime_nb.protocol.client import Typing
from realtime_nb.protocol.config import (
    SESSION_OPTIONS,
    patient_options,
    session_config,
    waits_for_silence,
)
from realtime_nb.protocol.connections import Reconnection
from realtime_nb.protocol.conversation import Conversation, PlaybackReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.fields import ServerVAD
from realtime_nb.session.apart import Reply, reply_apart
from realtime_nb.session.asked import Asked, InOrder, Turn
from realtime_nb.session.clips import CLEAR, COMMIT, ClipMicrophone
from realtime_nb.session.driver import Driver
from realtime_nb.session.endpoints import Endpoint
from realtime_nb.session.observers import Observer
from realtime_nb.session.readers import E, Received, Wanted, chosen
from realtime_nb.session.reconnecting import Reconnect
from realtime_nb.session.returning import Dial
from realtime_nb.session.transport import Transport
from realtime_nb.session.updates import is_unconfirmed
from realtime_nb.session.verbs import (
    InputAudioBufferVerbs,
    ItemVerbs,
    OutputAudioBufferVerbs,
    ResponseVerbs,
    SessionVerbs,
)

__all__ = ["Session"]


@at_call
class Session:
    """A conversation with a Realtime server. Made by :func:`connect`.

    ``async for event in session`` yields every server event, typed, from the first on, and to each
    of several such loops; ``session.conversation`` is what they add up to.

    Whatever it is asked for has its effect in the order of asking. ``await`` it to know that it is
    done, or leave it alone: :meth:`settled` waits for that, too. A function that the model calls
    gets its session in a parameter that is annotated ``rt.Session``.

    Attributes:
        endpoint: what is at the other end.
        pace: session seconds per wall second.
        session, response, input_audio_buffer, output_audio_buffer: the client's events as verbs, as
            the ``openai`` package has them; ``conversation.item`` are those for items.
        hung_up: whether it was ended by :meth:`hang_up`, or is going to be.
    """

    given_to_tools = True
    """A function's parameter of this type is given by the session, not by the model."""

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        *,
        tools: Mapping[str, tool_set.Tool | tool_set.Definition],
        recorder: Recorder | None,
        pace: float,
        speaker: Callable[[Session], Speaker] | None,
        main_loop: asyncio.AbstractEventLoop | None,
        owned: AsyncExitStack,
        typing: Typing = "interrupts",
        reconnect: Reconnect | None = None,
        dial: Dial | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.pace = pace
        self.hung_up = False
        self._loop = asyncio.get_running_loop()
        self._order = InOrder(self._loop)
        self._hanging_up: asyncio.Task[None] | None = None
        self._driver = Driver(
            transport,
            endpoint,
            tools=tools,
            recorder=recorder,
            pace=pace,
            main_loop=main_loop,
            owned=owned,
            typing=typing,
            reconnect=reconnect,
            dial=dial,
        )
        self._driver.calls.session = self
        self.session = SessionVerbs(self.send)
        self.response = ResponseVerbs(self.send)
        self.input_audio_buffer = InputAudioBufferVerbs(self.send)
        self.output_audio_buffer = OutputAudioBufferVerbs(self.send)
        self.conversation.item = ItemVerbs(self.send)
        self._clips = ClipMicrophone(self._driver, pace)
        self._driver.playback.speaker = (
            speaker(self)
            if speaker is not None
            else SimulatedSpeaker(self.clock, pace, self.playback_report, self.audio_played)
        )

    def __repr__(self) -> str:
        state = "closed" if self.closed else "reconnecting" if self.reconnecting else "open"
        return f"<Session {self.endpoint.kind} {self.endpoint.shown_url} {state}>"

    # --- what is known ---

    @property
    def speed(self) -> float:
        """The session's ``pace`` by its former name; a voice has a speed, too."""
        return self.pace

    @property
    def conversation(self) -> Conversation:
        """Everything that the events so far have said."""
        return self._driver.conversation

    @property
    def recording(self) -> Path | None:
        """Where the recording is being written, None when nothing is recorded."""
        recorder = self._driver.writing.recorder
        return None if recorder is None else recorder.path

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self._driver.ended is not None

    @property
    def ended(self) -> SessionClosedError | None:
        """How the session ended, None while it is open or comes back."""
        return self._driver.ended

    @property
    def reconnecting(self) -> bool:
        """Whether its connection is lost and being regained: no server hears the user."""
        return not self.closed and not self._driver.hearing

    @property
    def reconnections(self) -> list[Reconnection]:
        """The gaps so far: where its connection was lost, and what that cost."""
        return self.conversation.reconnections

    @property
    def speaker(self) -> Speaker:
        """What plays the agent's voice."""
        return self._driver.speaker

    @property
    def tools(self) -> Mapping[str, tool_set.Tool | tool_set.Definition]:
        """What the model may call, by name."""
        return self._driver.tools

    @property
    def busy(self) -> bool:
        """Whether a response runs, is on its way, or waits for a tool."""
        return self._driver.busy

    @property
    def user_speaking(self) -> bool:
        """Whether turn detection hears the user right now."""
        return self._driver.user_speaking

    def clock(self) -> float:
        """Seconds since the session began (session time: ``pace`` times the wall clock's)."""
        return self._driver.clock()

    # --- talking ---

    def say(self, text: str) -> Asked[None]:
        """Sends a typed user message and asks for a response to it.

        An answer that is being spoken ends there, or is waited for: ``typing=`` of :func:`connect`.
        One that tells what a function came to is waited for in any case. Messages that come while
        none is being answered get one answer, to the last of them.
        """
        return self._order.at_once(lambda: self._driver.say(text))

    def play(
        self,
        path: str | Path,
        *,
        raw_sample_rate: int | None = None,
        channel: int | str | None = None,
    ) -> Asked[None]:
        """Speaks an audio file into the session's microphone, at the pace of life.

        Any format that :func:`realtime_nb.audio.files.read_audio` reads; ``raw_sample_rate`` and
        ``channel`` are its. What it has to say, such as that channels differ and which one was
        taken, is a warning. With turn detection on, the microphone goes on with silence, as a real
        one does; this returns when the server heard the end of the words, or heard none. Without,
        it is a key held down: the agent is interrupted, the audio committed and a response asked
        for.

        Raises:
            AudioError: the file is missing, empty or not audio.
            ConfigurationError: it has no such channel.
        """

        async def play(turn: Turn) -> None:
            audio = await asyncio.to_thread(
                read_audio, path, raw_sample_rate=raw_sample_rate, channel=channel
            )
            for note in audio.notes:
                warnings.warn(f"{path}: {note}", stacklevel=2)
            await self._clips.speak(turn, pcm_from_samples(audio.samples))

        return self._order.start(play, lasts=True)

    def speak(self, pcm: bytes) -> Asked[None]:
        """Does the same as :meth:`play`, with PCM16 mono at 24 kHz."""
        return self._order.start(lambda turn: self._clips.speak(turn, pcm), lasts=True)

    async def close_microphone(self) -> None:
        """Stops the silence that :meth:`play` leaves running."""
        await self._clips.close()

    def append(self, pcm: bytes, captured_s: float | None = None) -> Asked[None]:
        """Sends microphone audio (PCM16 mono, 24 kHz, any length).

        ``captured_s`` is when its last sample was captured, by :meth:`clock`, where the device
        knows: with it, the recording tells the way to the socket from the server's part.

        Waits while more than ``MAX_UNSENT_APPENDS`` (250) chunks are unsent, and while the server
        is changing the input format, so audio is neither dropped nor misread.

        Raises:
            ConfigurationError: the server wants an audio format that can't be made here.
        """
        return self._order.aside(
            self._driver.audio_in.takes_audio,
            lambda: self._driver.append_now(pcm, captured_s),
            lambda: self._driver.append(pcm, captured_s),
        )

    def commit(self) -> Asked[str]:
        """Makes a user item of the appended audio (push-to-talk)."""
        return self._after_audio(COMMIT)

    def clear(self) -> Asked[str]:
        """Drops appended audio that is not committed."""
        return self._after_audio(CLEAR)

    def _after_audio(self, event: JsonObject) -> Asked[str]:
        return self._order.at_once(lambda: self._driver.send(event), all_begun=True)

    def interrupt(self) -> Asked[None]:
        """Stops the agent: its response, its voice, and its memory of what was not heard."""
        return self._order.at_once(self._driver.interrupt)

    def cancel_call(self, call_id: str) -> bool:
        """Ends a function that runs, from any thread; the model is told so. False where no such
        function runs.

        An async function gets ``asyncio.CancelledError``; a plain one, which runs in a thread, is
        told by its ``rt.ToolCall``, and what it returns is dropped.
        """
        return self._driver.calls.cancel(call_id)

    def create_response(self, **response: Any) -> Asked[None]:
        """Asks for a response, as soon as the running one is done; fields as on the wire.

        Of requests that wait, those without fields are one: a response answers all before it.
        """
        return self._order.at_once(lambda: self._driver.create_response(response or None))

    @overload
    def respond(
        self,
        instructions: str | None = None,
        *,
        conversation: Literal["none"],
        timeout_s: float = 60.0,
        **response: Any,
    ) -> Asked[Reply]: ...
    @overload
    def respond(self, instructions: str | None = None, **response: Any) -> Asked[None]: ...
    def respond(self, instructions: str | None = None, **response: Any) -> Asked[Any]:
        """Has the agent say something of its own: by these instructions, which count once.

        ``response`` are further fields, as on the wire (``output_modalities``, ``metadata``…). With
        ``conversation="none"`` it stays apart from the conversation, and awaiting it gives what it
        came to: ``(await session.respond("Sum up.", conversation="none")).text``.

        Raises:
            ServerError: a response apart was refused, or not done within ``timeout_s`` (60).
        """
        if instructions is not None:
            response["instructions"] = instructions
        if response.get("conversation") != "none":
            return self.create_response(**response)
        timeout_s = response.pop("timeout_s", 60.0)

        async def apart(turn: Turn) -> Reply:
            await turn.come()
            self._driver.check_open()
            return await reply_apart(self._driver, response, timeout_s / self.pace, turn.begun)

        return self._order.start(apart, lasts=True)

    def hang_up(self, after: Literal["playback", "now"] = "playback") -> None:
        """Ends the session soon; a function that the model calls may do so, on any thread.

        Args:
            after: ``"playback"``: once all that was asked for is answered, run and heard, the
                result of that function too; ``"now"``: as soon as what was sent has left.

        Raises:
            ConfigurationError: ``after`` is something else.
        """
        if after not in ("playback", "now"):
            raise ConfigurationError(f'after is {after!r}; give "playback" or "now".')
        self.hung_up = True
        self._loop.call_soon_threadsafe(self._hang_up, after == "playback")

    def _hang_up(self, wait: bool) -> None:
        if self._hanging_up is None or (not wait and not self._hanging_up.done()):
            if self._hanging_up is not None:
                self._hanging_up.cancel()
            self._hanging_up = asyncio.create_task(self._end_after(wait))

    async def _end_after(self, wait: bool) -> None:
        # Whatever ended it meanwhile, and a recording that fails, is told to who closes it.
        with contextlib.suppress(RealtimeError):
            while wait and not self.closed and not await self.settled():
                pass
            await self.close()

    def update(self, **options: Any) -> Asked[None]:
        """Changes session settings; returns when the server confirmed them.

        ``options`` are those of :func:`connect`; ``tools`` are from then on the only ones that the
        model may call (a function that runs goes on). A ``ServerVAD`` that tells no silence asks
        for that of :func:`connect`.

        Raises:
            ConfigurationError: an unknown or impossible option.
            ServerError: the server refused; nothing was changed.
        """
        self._driver.check_open()
        tools, definitions = None, None
        if "tools" in options:
            tools = tool_set.collect(options.pop("tools"))
            definitions = tool_set.definitions(tools)
        refuse_unknown(options, SESSION_OPTIONS, ["tools"])
        patch = session_config(definitions, **self._patient(options))

        async def update(turn: Turn) -> None:
            await turn.come()
            turn.begun()
            self._driver.check_open()
            await self._driver.update(patch, tools)

        return self._order.start(update)

    def send(self, event: JsonObject) -> Asked[str]:
        """Sends any event of the protocol, as it is; gives its ``event_id``."""
        return self._order.at_once(lambda: self._driver.send(event))

    # --- listening ---

    def __aiter__(self) -> AsyncIterator[Received]:
        """Returns a loop over the server's events, typed; it ends when the session is closed.

        Each loop has every event from when it began, whoever else reads: the first, those since the
        session began; one that begins while no other runs goes on with what nobody has read. What
        more than ``MAX_UNREAD_EVENTS`` (4,000) came after is left out, with a warning. A loop that
        was left holds nothing.

        Raises:
            SessionClosedError: the server or the network ended the session.
        """
        return self._driver.events()

    def observe(self, observer: Observer) -> None:
        """Shows an observer every event and report from now on, on this session's loop.

        One that raises is dropped; the session goes on.
        """
        self._driver.observers.add(observer)

    @overload
    async def wait_for(self, event: type[E], timeout_s: float = 30.0) -> E: ...
    @overload
    async def wait_for(
        self, event: str | Callable[[Received], bool], timeout_s: float = 30.0
    ) -> Received: ...
    async def wait_for(self, event: Wanted, timeout_s: float = 30.0) -> Received:
        """Returns the next event of that type, of that class, or for which the function is true.

        Raises:
            ConfigurationError: ``event`` is neither a type's name, nor an event's class, nor a
                function.
            TimeoutError: none came in time.
            SessionClosedError: the session ended first.
        """
        wanted = chosen(event)
        try:
            return await self._driver.wait_for(wanted, timeout_s)
        except TimeoutError:
            name = event if isinstance(event, str) else getattr(event, "__name__", "such an event")
            raise TimeoutError(f"No {name} within {timeout_s:.3g} s.") from None

    async def settled(self, timeout_s: float = 60.0) -> bool:
        """Waits until nothing is left to be answered, run or heard; False after ``timeout_s``.

        So is what the user said, where it is transcribed, unless its words take more than 5 s.
        All that was asked for before counts, whether anybody awaits it or not.

        Raises:
            SessionClosedError: the session ended first.
        """
        end_s = self.clock() + timeout_s
        try:
            async with asyncio.timeout(timeout_s / self.pace):
                await self._order.settled()
        except TimeoutError:
            return False
        return await self._driver.settled(end_s - self.clock())

    def note(self, **facts: object) -> None:
        """Adds facts to the ``session.json`` of the recording, such as the devices in use.

        Does nothing when nothing is recorded, or not any more.

        Raises:
            ConfigurationError: one of them is the recorder's own, such as ``format``.
        """
        if not self.closed:
            self._driver.writing.note(**facts)

    def label(self, text: str, t_s: float | None = None) -> None:
        """Marks this moment in the recording, or ``t_s`` (by :meth:`clock`): ``rec.labels``.

        ``speech end`` says where the user's speech ended, against all detectors. What has ended is
        marked with ``rt.load(…).label(t_s, text)``.

        Raises:
            ConfigurationError: the text is empty, or ``t_s`` outside the session so far.
            RecordingError: nothing is recorded.
            SessionClosedError: the session is over.
        """
        self._driver.check_open()
        if self.recording is None:
            raise RecordingError(
                "This session is not recorded, so a label has nowhere to go. "
                'Open it with record="recordings".'
            )
        now_s = self.clock()
        line = label_line(now_s if t_s is None else t_s, text, now_s)
        self._driver.writing.label(line.t, line.text)

    # --- beginning and end ---

    async def start(self, options: Mapping[str, Any]) -> None:
        """Waits for the server's greeting and configures the session. Called by :func:`connect`."""
        await self._driver.start()
        settings = dict(options)
        if self.endpoint.transcription_model is not None:
            settings.setdefault("transcription", self.endpoint.transcription_model)
        if self.endpoint.kind != "recording" and waits_for_silence(self.conversation.session):
            settings.setdefault("turn_detection", ServerVAD())
        definitions = tool_set.definitions(self.tools) if self.tools else None
        try:
            await self._driver.update(session_config(definitions, **self._patient(settings)))
        except ServerError as error:
            if not is_unconfirmed(error):
                raise
            warnings.warn(str(error), stacklevel=2)

    def _patient(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns settings as they are asked for; a recording's are what they were."""
        return options if self.endpoint.kind == "recording" else patient_options(options)

    async def close(self, *, complete: bool = True) -> None:
        """Ends the session and everything that belongs to it; may be called twice.

        Args:
            complete: False leaves the recording marked as incomplete. So does an ``async with``
                block that is left by an exception.

        Raises:
            RecordingError: the recording could not be completed; everything else is ended.
        """
        await self._driver.close(self._end_verbs, complete)

    async def _end_verbs(self) -> None:
        await self._order.end()
        await self.close_microphone()

    # --- what the speaker says ---

    def playback_report(self, report: PlaybackReport) -> None:
        """Takes a report of the speaker: folds it in and records it."""
        self._driver.playback_report(report)

    def audio_played(self, item_id: str, pcm: bytes, t_s: float) -> None:
        """Takes audio that the speaker played from ``t_s`` on, for the recording."""
        self._driver.playback.played(item_id, pcm, t_s)
