"""The agent of a notebook: show it in a cell, press Connect, talk.

The conversation lives on the I/O thread, so it goes on while cells run. Every verb starts there and
returns a :class:`~realtime_nb.background.Pending`: ``await`` it, or leave it alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from realtime_nb import audio as audio_files
from realtime_nb import connecting
from realtime_nb import tools as tool_set
from realtime_nb.agent_audio import AgentAudio, BrowserAudio, FileAudio, HostAudio
from realtime_nb.agent_register import CellRun, register, replaced_by, rivals_of, running_cell
from realtime_nb.agent_summary import session_facts
from realtime_nb.agent_turns import UserTurns
from realtime_nb.agent_views import AgentViews, settings_shown
from realtime_nb.background import Pending, io_thread
from realtime_nb.connecting import ToolSource
from realtime_nb.devices import Speaker
from realtime_nb.endpoints import Endpoint, resolve
from realtime_nb.errors import RealtimeError, SessionClosedError
from realtime_nb.protocol.config import SESSION_OPTIONS, VOICES, ServerVAD, session_config
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session import Session
from realtime_nb.widgets.agent_panel import AgentPanel

__all__ = ["Agent"]

T = TypeVar("T")

_CLOSE_TIMEOUT_S = 10.0
_ON_PURPOSE = 1000
_BACK_DUE_S = 0.3
"""How soon a microphone is on again where it goes off because Talk was pressed elsewhere."""
_TAKEN_OVER = (
    "Another agent took over the page's microphone. Press Connect to talk to this one again."
)
_RUN_AGAIN = "The cell that made this agent was run again, so its session was ended."


class Agent:
    """A voice agent with a panel to talk to it.

    ::

        agent = rt.Agent("local", instructions="You are a receptionist.", tools=[book])
        agent                       # the panel: Connect, Talk, and what happens

        await agent.connect()       # the same from code
        await agent.say("Hello")

    One agent at a time has the page's microphone: the last one that connects, while the other is
    disconnected and says so in its panel. Agents with ``audio="host"`` or a file may be connected
    beside it. Running a cell again ends the session of the agent that it made before.

    Args:
        endpoint: as for :func:`realtime_nb.connect`.
        audio: ``"browser"``: the page's microphone and speaker; ``"host"``: this machine's; a path:
            a file that is spoken whenever the agent is asked to listen.
        push_to_talk: the user's turn lasts as long as the Talk button (or the space bar) is held;
            otherwise the server detects when the user speaks.
        tools: as for :func:`realtime_nb.connect`.
        record: folder for recordings; None records nothing.
        model, api_key: as for :func:`realtime_nb.connect`.
        options: session settings (``instructions``, ``voice``, ``turn_detection``…). ``speed`` is
            that of the voice, 0.25 to 1.5: an agent itself talks at the pace of life.

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
        session_config(**_session_options(options))
        self._thread = io_thread()
        self._changing = asyncio.Lock()
        self._session: Session | None = None
        self._opening: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._ending_turn: asyncio.Task[None] | None = None
        self._last_conversation = Conversation()
        self._last_recording: Path | None = None
        self._audio = self._audio_for(audio)
        self._views = AgentViews()
        self.transcript = self._views.transcript
        self.events = self._views.events
        self.timeline = self._views.timeline
        self.panel = AgentPanel(
            self._command,
            transcript=self.transcript,
            events=self.events,
            timeline=self.timeline,
            microphone=getattr(self._audio, "microphone", None),
            speaker=getattr(self._audio, "page_speaker", None),
            endpoint=_label(endpoint, model, api_key),
            push_to_talk=push_to_talk,
            voices=list(VOICES),
            settings=settings_shown(session_config(**_session_options(options))),
        )
        self._views.panel = self.panel
        self._turns = UserTurns(self._audio, self._views, push_to_talk)
        self._made_by = running_cell()
        for earlier in replaced_by(self):
            earlier._run(earlier._give_way(_RUN_AGAIN))
        register(self)

    def __repr__(self) -> str:
        return f"<Agent {self.panel.endpoint}, {self.status}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.panel._repr_mimebundle_(**kwargs)

    def _ipython_display_(self, **kwargs: Any) -> None:
        self.panel._ipython_display_(**kwargs)

    def _audio_for(self, audio: str | Path) -> AgentAudio:
        if audio == "browser":
            return BrowserAudio(self._thread, self._problem, self._hushed)
        if audio == "host":
            return HostAudio(self._thread, self._problem)
        audio_files.load_audio(audio)  # says now what is wrong with it
        return FileAudio(Path(audio), self._problem, self._hushed)

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
    def session(self) -> Session | None:
        """The session that is open; None while there is none."""
        return self._session

    @property
    def conversation(self) -> Conversation:
        """The fold over everything that happened in this session, or in the last one."""
        return self._last_conversation

    @property
    def recording(self) -> Path | None:
        """The folder of this session's recording, or of the last one's; for ``rt.load``."""
        return self._last_recording

    @property
    def in_page(self) -> bool:
        """Whether its microphone and speaker are the page's."""
        return isinstance(self._audio, BrowserAudio)

    @property
    def made_by(self) -> CellRun | None:
        """The run of a notebook's cell that made it."""
        return self._made_by

    @property
    def active(self) -> bool:
        """Whether a session is open or being opened."""
        opening = self._opening
        return self._session is not None or (opening is not None and not opening.done())

    # --- verbs ---

    def connect(self) -> Pending[None]:
        """Opens the session; does nothing when it is open."""
        return self._run(self._open())

    def disconnect(self) -> Pending[None]:
        """Ends the session; the recording is complete when this is done."""
        return self._run(self._close())

    def talk(self) -> Pending[None]:
        """Opens the microphone, connecting first where needed; what is said meanwhile is kept."""
        return self._run(self._talk())

    def stop(self) -> Pending[None]:
        """Closes the microphone: the user's turn ends, and is answered."""
        return self._run(self._turns.stop())

    def mute(self, muted: bool = True) -> Pending[None]:
        """Keeps the microphone open, but silent."""
        return self._run(self._mute(muted))

    def say(self, text: str) -> Pending[None]:
        """Sends a typed message and asks for an answer (connecting first, where needed)."""
        return self._run(self._with_session(lambda session: session.say(text)))

    def interrupt(self) -> Pending[None]:
        """Stops the agent's answer."""
        return self._run(self._interrupt())

    def update(self, **options: Any) -> Pending[None]:
        """Changes session settings, now and for later sessions."""
        return self._run(self._update(options))

    def send(self, event: JsonObject) -> Pending[str]:
        """Sends any event of the protocol."""
        return self._run(self._with_session(lambda session: session.send(event)))

    def label(self, text: str, t_s: float | None = None) -> Pending[None]:
        """Marks this moment of the session in its recording, or ``t_s``; as
        :meth:`realtime_nb.session.Session.label` does."""
        session = self._session
        at_s = session.clock() if session is not None and t_s is None else t_s
        return self._run(self._label(session, text, at_s))

    def settled(self, timeout_s: float = 60.0) -> Pending[bool]:
        """Waits until nothing is left to be said, answered, run or heard; False after
        ``timeout_s``."""
        return self._run(self._settled(timeout_s))

    def close(self) -> None:
        """Ends the session and takes the panel out of the page. Waits until both are done."""
        if self._thread.running:
            self._run(self._close()).result(_CLOSE_TIMEOUT_S)
        self._audio.close()
        for widget in (self.panel, self.transcript, self.events, self.timeline):
            widget.close()

    # --- on the I/O thread ---

    def _run(self, work: Coroutine[Any, Any, T]) -> Pending[T]:
        return self._thread.run(self._saying_why(work))

    async def _saying_why(self, work: Coroutine[Any, Any, T]) -> T:
        """Lets the panel say what went wrong, too: nobody may be waiting for the result."""
        try:
            return await work
        except SessionClosedError as error:
            if error.close_code != _ON_PURPOSE:
                self._problem(str(error))
            raise
        except RealtimeError as error:
            self._problem(str(error))
            raise
        except Exception as error:
            self._problem(f"Something here failed: {error!r}")
            raise

    def _connecting(self, speaker: Callable[[Session], Speaker] | None) -> connecting.connect:
        return connecting.connect(
            self._endpoint,
            tools=self._tools,
            speaker=speaker,
            **self._arguments,  # type: ignore[arg-type]
            **_without_speed(self._options),
        )

    async def _open(self) -> None:
        if self.connected:
            return
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open_once())
        opening = self._opening
        await asyncio.wait([opening])
        if opening.cancelled():
            raise SessionClosedError("It was disconnected before the session was open.", 1000)
        opening.result()

    async def _open_once(self) -> None:
        async with self._changing:
            self.panel.set(state="connecting", error="")
            try:
                for rival in rivals_of(self):
                    await rival._give_way(_TAKEN_OVER)
                session = await self._connect()
            except BaseException:
                self.panel.set(state="disconnected")
                raise
            await self._opened(session)

    async def _connect(self) -> Session:
        session = await self._connecting(self._shown_speaker)
        if "speed" in self._options:  # which connect() has another meaning for
            try:
                await session.update(speed=self._options["speed"])
            except BaseException:
                await session.close(complete=False)
                raise
        return session

    def _shown_speaker(self, session: Session) -> Speaker:
        """Asked for before anything is sent: the session is shown from its first event on."""
        self._views.follow(session)
        return self._audio.speaker(session)

    async def _give_way(self, words: str) -> None:
        """Makes room for another agent."""
        try:
            await self._close()
        except RealtimeError as error:
            words = f"{words} {error}"
        self._problem(words)

    async def _opened(self, session: Session) -> None:
        self._session = session
        self._last_conversation = session.conversation
        self._last_recording = session.recording
        await self._audio.start(session)
        self._watching = asyncio.create_task(self._watch(session))
        self._show_settings()
        self.panel.set(state="listening", connected=True, latency_ms=None)
        self.panel.tell_of_session(session_facts(session, over=False))

    async def _watch(self, session: Session) -> None:
        """Notices when the session ends by itself."""
        words = "The server ended the session. Press Connect for a new one."
        try:
            async for _ in session:
                pass
        except RealtimeError as error:
            words = f"The session ended: {error} Press Connect for a new one."
        self._watching = None
        if self._session is session:
            await self._end_session()
            self._problem(words)

    async def _close(self) -> None:
        opening = self._opening
        if opening is not None and not opening.done():
            opening.cancel()
            await asyncio.wait([opening])
        self.panel.set(error="")
        async with self._changing:
            await self._end_session()

    async def _end_session(self) -> None:
        session, self._session = self._session, None
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
        try:
            await self._turns.end()
            await self._audio.stop()
            if session is not None:
                await session.close()
        finally:
            self._views.update()
            self.panel.set(state="disconnected", connected=False, talking=False)
            if session is not None:
                self.panel.tell_of_session(session_facts(session, over=True))

    async def _with_session(self, use: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        await self._open()
        if self._session is None:
            raise SessionClosedError("The session was closed meanwhile.", _ON_PURPOSE)
        self.panel.set(error="")
        return await use(self._session)

    async def _talk(self) -> None:
        try:
            await self._turns.listen()
            await self._with_session(self._turns.begin)
        except BaseException:
            await self._turns.give_up()
            raise

    async def _interrupt(self) -> None:
        if self._session is not None and self.connected:
            await self._session.interrupt()

    async def _mute(self, muted: bool) -> None:
        self._audio.mute(muted)
        self.panel.set(muted=muted)

    async def _update(self, options: dict[str, Any]) -> None:
        session = self._session
        try:
            if session is not None and not session.closed:
                await session.update(**dict(options))
            tools = list(options.pop("tools", self._tools))
            session_config(**options)  # refuses what can't be meant
            tool_set.collect(tools)
            self._options, self._tools = {**self._options, **options}, tools
            self.panel.set(error="")
        finally:
            self._show_settings()

    async def _label(self, session: Session | None, text: str, t_s: float | None) -> None:
        if session is None or session.closed:
            raise SessionClosedError(
                "No session is open, so there is no moment to mark. Press Connect, or mark what "
                "was recorded: rt.load(agent.recording).label(t_s, text)."
            )
        session.label(text, t_s)

    async def _settled(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._audio.spoken()
                await self._turns.fallen_silent()
        except TimeoutError:
            return False
        if self._session is None:
            return True
        return await self._session.settled(timeout_s)

    def _problem(self, words: str) -> None:
        self.panel.set(error=words)

    def _hushed(self) -> None:
        """The microphone is off: the person, the browser or the end of a file did it."""
        self.panel.set(talking=False)
        if isinstance(self._audio, BrowserAudio):
            self._ending_turn = asyncio.create_task(self._end_turn_unless_on(self._audio))

    async def _end_turn_unless_on(self, audio: BrowserAudio) -> None:
        """Unplugged, or its page has gone: no more words of this turn will come."""
        await asyncio.sleep(_BACK_DUE_S)
        if not audio.on:
            await self._turns.stop()

    def _show_settings(self) -> None:
        session = self._session
        shown = (
            session_config(**_session_options(self._options))
            if session is None
            else session.conversation.session
        )
        self.panel.show_settings(settings_shown(shown))

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
            "update": lambda: self._run(self._update_from_panel(dict(value))),
        }
        command = commands.get(name)
        if command is not None:
            command()

    async def _update_from_panel(self, settings: dict[str, Any]) -> None:
        detection = settings.pop("turn_detection", None)
        if detection is not None:
            settings["turn_detection"] = ServerVAD(**detection)
        await self._update(settings)


def _label(endpoint: str | Endpoint, model: str | None, api_key: str | None) -> str:
    """What the panel calls the endpoint; never with a key."""
    found = resolve(endpoint, model, api_key)
    if found is None:
        return "local"
    return found.shown_url if found.kind == "url" else found.kind


def _session_options(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in SESSION_OPTIONS}


def _without_speed(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "speed"}
