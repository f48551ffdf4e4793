"""The agent of a notebook: show it in a cell, press Connect, talk.

The conversation lives on the I/O thread, so it goes on while cells run. Every verb starts there and
returns a :class:`~realtime_nb.background.Pending`: ``await`` it, or leave it alone.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from realtime_nb import audio as audio_files
from realtime_nb import connecting
from realtime_nb.agent_audio import AgentAudio, BrowserAudio, FileAudio
from realtime_nb.background import Pending, io_thread
from realtime_nb.connecting import ToolSource
from realtime_nb.devices import Speaker
from realtime_nb.endpoints import Endpoint
from realtime_nb.errors import RealtimeError, SessionClosedError
from realtime_nb.input_clock import InputClock
from realtime_nb.protocol.config import ServerVAD
from realtime_nb.protocol.conversation import Conversation, PlaybackReport
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session import Session
from realtime_nb.widgets.agent_panel import AgentPanel
from realtime_nb.widgets.event_inspector import EventInspector
from realtime_nb.widgets.timeline import Timeline
from realtime_nb.widgets.transcript import Transcript

__all__ = ["Agent"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Agent:
    """A voice agent with a panel to talk to it.

    ::

        agent = rt.Agent("local", instructions="You are a receptionist.", tools=[book])
        agent                       # the panel: Connect, Talk, and what happens

        await agent.connect()       # the same from code
        await agent.say("Hello")

    Args:
        endpoint: as for :func:`realtime_nb.connect`.
        audio: ``"browser"``: the page's microphone and speaker; ``"host"``: this machine's; a path:
            a file that is spoken whenever the agent is asked to listen.
        push_to_talk: the user's turn lasts as long as the Talk button (or the space bar) is held;
            otherwise the server detects when the user speaks.
        tools: as for :func:`realtime_nb.connect`.
        record: folder for recordings; None records nothing.
        model, api_key: as for :func:`realtime_nb.connect`.
        options: session settings (``instructions``, ``voice``, ``turn_detection``…).

    Raises:
        ConfigurationError: at once, for an unknown or impossible option.
        AudioError: the file of ``audio`` is missing or not audio.
    """

    def __init__(
        self,
        endpoint: str | Endpoint = "local",
        *,
        audio: str | Path = "browser",
        push_to_talk: bool = False,
        tools: ToolSource = (),
        record: str | Path | None = "recordings",
        model: str | None = None,
        api_key: str | None = None,
        **options: Any,
    ) -> None:
        if push_to_talk:
            options["turn_detection"] = None
        self._options = options
        self._tools = list(tools)
        self._arguments = {"model": model, "api_key": api_key, "record": record}
        self._endpoint = endpoint
        self._connecting(None)  # refuses what can't be meant, before anything is shown
        self._thread = io_thread()
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._opening: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._push_to_talk = push_to_talk
        self._clock = InputClock()
        self._input_ms = 0.0
        self._last_conversation = Conversation()
        self._last_recording: Path | None = None
        self._audio = self._audio_for(audio)
        self.transcript = Transcript()
        self.events = EventInspector()
        self.timeline = Timeline()
        self.panel = AgentPanel(
            self._command,
            transcript=self.transcript,
            events=self.events,
            timeline=self.timeline,
            microphone=getattr(self._audio, "microphone", None),
            speaker=getattr(self._audio, "page_speaker", None),
            endpoint=endpoint if isinstance(endpoint, str) else endpoint.kind,
            push_to_talk=push_to_talk,
        )

    def __repr__(self) -> str:
        return f"<Agent {self.panel.endpoint}, {self.status}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.panel._repr_mimebundle_(**kwargs)

    def _audio_for(self, audio: str | Path) -> AgentAudio:
        if audio == "browser":
            return BrowserAudio(self._thread.loop, self._problem)
        if audio == "host":
            from realtime_nb.host_agent_audio import HostAudio

            return HostAudio(self._thread.loop, self._problem)
        audio_files.load_audio(audio)  # says now what is wrong with it
        return FileAudio(Path(audio), self._problem)

    # --- what is known ---

    @property
    def status(self) -> str:
        """``disconnected``, ``connecting``, ``listening``, ``hearing``, ``thinking`` or
        ``speaking``."""
        return str(self.panel.state)

    @property
    def connected(self) -> bool:
        """Whether a session is open."""
        session = self._session
        return session is not None and not session.closed

    @property
    def conversation(self) -> Conversation:
        """The fold over everything that happened in this session, or in the last one."""
        return self._last_conversation

    @property
    def recording(self) -> Path | None:
        """The folder of this session's recording, or of the last one's; for ``rt.load``."""
        return self._last_recording

    # --- verbs ---

    def connect(self) -> Pending[None]:
        """Opens the session; does nothing when it is open."""
        return self._run(self._open())

    def disconnect(self) -> Pending[None]:
        """Ends the session; the recording is complete when this is done."""
        return self._run(self._close())

    def talk(self) -> Pending[None]:
        """Opens the microphone (connecting first, where needed)."""
        return self._run(self._talk())

    def stop(self) -> Pending[None]:
        """Closes the microphone; with ``push_to_talk`` the turn ends and is answered."""
        return self._run(self._stop())

    def mute(self, muted: bool = True) -> Pending[None]:
        """Keeps the microphone open, but silent."""
        return self._run(self._mute(muted))

    def say(self, text: str) -> Pending[None]:
        """Sends a typed message and asks for an answer."""
        return self._run(self._with_session(lambda session: session.say(text)))

    def interrupt(self) -> Pending[None]:
        """Stops the agent's answer."""
        return self._run(self._with_session(lambda session: session.interrupt()))

    def update(self, **options: Any) -> Pending[None]:
        """Changes session settings, now and for later sessions."""
        return self._run(self._update(options))

    def send(self, event: JsonObject) -> Pending[str]:
        """Sends any event of the protocol."""
        return self._run(self._with_session(lambda session: session.send(event)))

    def settled(self, timeout_s: float = 60.0) -> Pending[bool]:
        """Waits until nothing is left to be answered, run or heard; False after ``timeout_s``."""
        return self._run(self._with_session(lambda session: session.settled(timeout_s)))

    def close(self) -> None:
        """Ends the session and takes the panel out of the page. Waits until both are done."""
        if self._thread.running:
            self._run(self._close()).result(15.0)
        for widget in (self.panel, self.transcript, self.events, self.timeline):
            widget.close()
        close_audio = getattr(self._audio, "close", None)
        if close_audio is not None:
            close_audio()

    # --- on the I/O thread ---

    def _run(self, work: Coroutine[Any, Any, T]) -> Pending[T]:
        pending = self._thread.run(self._saying_why(work))
        return pending

    async def _saying_why(self, work: Coroutine[Any, Any, T]) -> T:
        """Lets the panel say what went wrong, too: nobody may be waiting for the result."""
        try:
            return await work
        except RealtimeError as error:
            self._problem(str(error))
            raise

    def _connecting(self, speaker: Callable[[Session], Speaker] | None) -> connecting.connect:
        return connecting.connect(
            self._endpoint,
            tools=self._tools,
            speaker=speaker,
            **self._arguments,  # type: ignore[arg-type]
            **self._options,
        )

    async def _open(self) -> None:
        if self.connected:
            return
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open_once())
        await asyncio.shield(self._opening)

    async def _open_once(self) -> None:
        self.panel.set(state="connecting", error="")
        try:
            session = await self._connecting(self._audio.speaker)
        except RealtimeError:
            self.panel.set(state="disconnected", connected=False)
            raise
        self._clock, self._input_ms = InputClock(), 0.0
        self.events.clear()
        self.timeline.clear()
        self._session = session
        self._last_conversation = session.conversation
        self._last_recording = session.recording
        session.observe(self)
        self.transcript.update(session.conversation)
        await self._audio.start(session)
        self._watching = asyncio.create_task(self._watch(session))
        self.panel.set(state="listening", connected=True, error="")

    async def _watch(self, session: Session) -> None:
        """Notices when the session ends by itself."""
        words = ""
        try:
            async for _ in session:
                pass
        except (SessionClosedError, RealtimeError) as error:
            words = f"The session ended: {error}"
        if self._session is session:
            self._watching = None
            await self._close()
            if words:
                self._problem(words)

    async def _close(self) -> None:
        session, self._session = self._session, None
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
        await self._audio.stop()
        if session is not None:
            await session.close()
        self.panel.set(state="disconnected", connected=False, talking=False)
        self.timeline.update(self._last_conversation)

    async def _with_session(self, use: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        await self._open()
        assert self._session is not None
        return await use(self._session)

    async def _talk(self) -> None:
        await self._open()
        assert self._session is not None
        if self._push_to_talk:
            if self.status in ("speaking", "thinking"):
                await self._session.interrupt()
            await self._session.clear()
        await self._audio.talk()
        self.panel.set(talking=True, error="")

    async def _stop(self) -> None:
        await self._audio.hush()
        self.panel.set(talking=False)
        session = self._session
        if self._push_to_talk and session is not None and not session.closed:
            await session.commit()
            await session.create_response()

    async def _mute(self, muted: bool) -> None:
        self._audio.mute(muted)
        self.panel.set(muted=muted)

    async def _update(self, options: dict[str, Any]) -> None:
        session = self._session
        if session is not None and not session.closed:
            await session.update(**dict(options))
        tools = options.pop("tools", None)
        if tools is not None:
            self._tools = list(tools)
        self._options = {**self._options, **options}

    def _problem(self, words: str) -> None:
        self.panel.set(error=words)

    # --- what the panel asks for ---

    def _command(self, name: str, value: Any) -> None:
        """A button or a field of the panel was used. Runs on the comm's thread."""
        commands: dict[str, Callable[[], Pending[Any]]] = {
            "connect": self.connect,
            "disconnect": self.disconnect,
            "talk": self.talk,
            "stop": self.stop,
            "mute": lambda: self.mute(bool(value)),
            "interrupt": self.interrupt,
            "say": lambda: self.say(str(value)),
            "update": lambda: self.update(**_settings(value)),
        }
        command = commands.get(name)
        if command is not None:
            command()

    # --- what the session shows its observers ---

    def event(self, direction: str, raw: JsonObject, t_s: float, pcm: bytes | None) -> None:
        """An event crossed the wire."""
        self.events.add("sent" if direction == "sent" else "received", raw, t_s)
        name = raw.get("type")
        if name == "input_audio_buffer.append" and pcm is not None:
            self._input_ms += len(pcm) / 48
            self._clock.add(t_s, self._input_ms)
            self.timeline.add_input(pcm, t_s)
        elif pcm is not None and isinstance(raw.get("item_id"), str):
            self.timeline.add_output(raw["item_id"], pcm)
        self._show(t_s)

    def playback(self, report: PlaybackReport) -> None:
        """The speaker reported something."""
        if report.kind == "started":
            self._show_latency(report)
        self._show(report.t_s)

    def _show(self, t_s: float) -> None:
        session = self._session
        if session is None:
            return
        self.transcript.update()
        self.timeline.update(session.conversation, t_s)
        self.panel.set(state=_state(session))

    def _show_latency(self, report: PlaybackReport) -> None:
        """Voice to voice: from the end of the user's words to the first sound of the answer."""
        speech = self.conversation.speech
        offset_ms = speech[-1].offset_ms if speech else None
        if offset_ms is None:
            return
        latency_ms = (report.t_s - self._clock.wall(offset_ms)) * 1000
        if 0 <= latency_ms < 30_000:
            self.panel.set(latency_ms=round(latency_ms))


def _state(session: Session) -> str:
    if session.user_speaking:
        return "hearing"
    if session.speaker.playing:
        return "speaking"
    return "thinking" if session.busy else "listening"


def _settings(value: Any) -> dict[str, Any]:
    """The panel's settings as options of `update`."""
    settings = dict(value)
    detection = settings.pop("turn_detection", None)
    if detection is not None:
        settings["turn_detection"] = ServerVAD(**detection)
    return settings
