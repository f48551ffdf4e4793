"""The agent of a notebook: show it in a cell, press Connect, talk.

The conversation lives on the I/O thread, so it goes on while cells run. Every verb starts there and
returns a :class:`~realtime_nb.agent.io_thread.Pending`: ``await`` it, or leave it alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from realtime_nb.agent.audio import AgentAudio, BrowserAudio, FileAudio, HostAudio
from realtime_nb.agent.connection import AgentConnection
from realtime_nb.agent.forgetting import put_away_with, weakly
from realtime_nb.agent.io_thread import Pending, io_thread
from realtime_nb.agent.options import (
    AgentOptions,
    AudioChoice,
    BrowserAudioSettings,
    HostAudioSettings,
    audio_source,
)
from realtime_nb.agent.register import (
    CellRun,
    register,
    replaced_by,
    rivals_of,
    running_cell,
    unregister,
)
from realtime_nb.agent.settings import AgentSettings
from realtime_nb.agent.talking import UserTurns
from realtime_nb.agent.verbs import ON_PURPOSE, Verbs
from realtime_nb.agent.views import AgentViews
from realtime_nb.devices.simulated import Speaker
from realtime_nb.errors import RealtimeError, SessionClosedError, at_call
from realtime_nb.protocol.client import Typing
from realtime_nb.protocol.config import VOICES
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.asked import Turn
from realtime_nb.session.endpoints import Endpoint, RunningServer
from realtime_nb.session.greeting import Greeting
from realtime_nb.session.readers import E, Received, Wanted, chosen
from realtime_nb.session.reconnecting import Reconnect
from realtime_nb.session.session import Session
from realtime_nb.tools import ToolSource, notebook_loop
from realtime_nb.widgets.microphone import Microphone

if TYPE_CHECKING:
    from realtime_nb.local.registry import LLMChoice, STTChoice, TTSChoice, VADChoice

__all__ = ["Agent"]

logger = logging.getLogger(__name__)

_CLOSE_TIMEOUT_S = 10.0
_TAKEN_OVER = (
    "Another agent took over the page's microphone. Press Connect to talk to this one again."
)
_RUN_AGAIN = (
    "The cell that made this agent was run again, so this one was closed. Take the new one, or "
    "make another with rt.Agent(…)."
)
_CLOSED = "This agent was closed. Make a new one with rt.Agent(…)."


@at_call
class Agent:
    """A voice agent with a panel to talk to it.

    ::

        agent = rt.Agent("local", instructions="You are a receptionist.", tools=[book])
        agent                       # the panel: Connect, Talk, and what happens

        await agent.connect()       # the same from code
        await agent.say("Hello")

    One agent at a time has the page's microphone: the last one that connects, while the other is
    disconnected and says so in its panel. Agents with ``audio="host"`` or a file may be connected
    beside it. Running a cell again closes the agents that it made before.

    Args:
        endpoint: as for :func:`realtime_nb.connect`.
        audio: ``"browser"``: the page's microphone and speaker; ``"host"``: this machine's; a path:
            a file that is spoken whenever the agent is asked to listen. With settings:
            ``rt.BrowserAudioSettings(echo_cancellation=False)`` (and ``noise_suppression``,
            ``auto_gain_control``, ``chunk_ms``), ``rt.HostAudioSettings(half_duplex=False)`` (for
            headphones: the agent can be interrupted by voice then; and ``chunk_ms``).
        push_to_talk: the user's turn lasts as long as the Talk button (or the space bar) is held;
            otherwise the server detects when the user speaks. The same as ``turn_detection=None``,
            which :meth:`update` can change, too. A silence of 500 ms ends a turn unless
            ``turn_detection=rt.ServerVAD(silence_duration_ms=…)`` tells another.
        tools: as for :func:`realtime_nb.connect`; one function may be given alone.
        record: folder for recordings; None records nothing.
        model, api_key, typing, greeting, reconnect: as for :func:`realtime_nb.connect`.
        vad, stt, llm, tts: engines of the local server, as for :func:`realtime_nb.serve`.
        options: session settings (``instructions``, ``voice``, ``turn_detection``…). ``speed`` is
            that of the voice, 0.25 to 1.5: an agent itself talks at the pace of life.

    Raises:
        ConfigurationError: at once, for an unknown or impossible option.
        AudioError: the file of ``audio`` is missing or not audio.
        SessionClosedError: of all verbs but ``close`` and ``disconnect``, once it is closed.
    """

    def __init__(
        self,
        endpoint: str | Endpoint | RunningServer = "local",
        *,
        audio: str | Path | BrowserAudioSettings | HostAudioSettings = "browser",
        push_to_talk: bool = False,
        tools: ToolSource = (),
        record: str | Path | None = "recordings",
        model: str | None = None,
        api_key: str | None = None,
        typing: Typing = "interrupts",
        greeting: Greeting | None = None,
        reconnect: bool | Reconnect = True,
        vad: VADChoice | None = None,
        stt: STTChoice | None = None,
        llm: LLMChoice | None = None,
        tts: TTSChoice | None = None,
        **options: Any,
    ) -> None:
        # What can't be meant is refused before anything is made that would stay.
        self._options = AgentOptions(
            endpoint,
            model=model,
            api_key=api_key,
            record=record,
            push_to_talk=push_to_talk,
            tools=tools,
            session=options,
            main_loop=notebook_loop(),
            arguments=[name for name in signature(Agent).parameters if name != "options"],
            typing=typing,
            greeting=greeting,
            reconnect=reconnect,
            engines={"vad": vad, "stt": stt, "llm": llm, "tts": tts},
        )
        source = audio_source(audio)
        self._thread = io_thread()
        self._verbs = Verbs(self._thread, weakly(self._problem))
        self._audio = self._audio_of(source)
        self._views = AgentViews(
            weakly(self._command),
            microphone=self.microphone,
            speaker=getattr(self._audio, "page_speaker", None),
            endpoint=self._options.label,
            voices=list(VOICES),
        )
        self.panel = self._views.panel
        self.transcript = self._views.transcript
        self.events = self._views.events
        self.timeline = self._views.timeline
        self.calls = self._views.calls
        self.timing = self._views.timing
        self._turns = UserTurns(self._audio, self.panel)
        self._connection = AgentConnection(
            lambda: self._connect(),
            self._make_room,
            audio=self._audio,
            turns=self._turns,
            views=self._views,
            show_settings=lambda: self._settings.show(),
        )
        self._settings = AgentSettings(self._options, self._views, self._connection)
        self._settings.show()
        self._made_by = running_cell()
        for earlier in replaced_by(self):
            earlier._replace()
        register(self)
        self._views.belong_to(self)
        put_away_with(self, self._thread, self._audio, self._views)

    def __repr__(self) -> str:
        return f"<Agent {self.panel.endpoint}, {'closed' if self._verbs.closed else self.status}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if self._verbs.closed:
            return {"text/plain": self.panel.summary()}, {}
        return self.panel._repr_mimebundle_(**kwargs)

    def _ipython_display_(self, **kwargs: Any) -> None:
        if self._verbs.closed:
            raise NotImplementedError  # IPython then shows the text
        self.panel._ipython_display_(**kwargs)

    def _audio_of(self, source: AudioChoice) -> AgentAudio:
        problem, hushed = weakly(self._problem), weakly(self._hushed)
        if isinstance(source, BrowserAudioSettings):
            return BrowserAudio(self._thread, problem, hushed, source)
        if isinstance(source, HostAudioSettings):
            return HostAudio(self._thread, problem, source)
        return FileAudio(source, problem, hushed)

    # --- what is known ---

    @property
    def status(self) -> str:
        """``disconnected``, ``connecting``, ``listening``, ``hearing``, ``thinking`` or
        ``speaking``."""
        return str(self.panel.state)

    @property
    def connected(self) -> bool:
        """Whether a session is open."""
        return self._connection.connected

    @property
    def session(self) -> Session | None:
        """The session that is open; None while there is none."""
        return self._session

    @property
    def conversation(self) -> Conversation:
        """The fold over everything that happened in this session, or in the last one."""
        return self._connection.conversation

    @property
    def recording(self) -> Path | None:
        """The folder of this session's recording, or of the last one's; for ``rt.load``."""
        return self._connection.recording

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
        """Whether a session is open, or being opened or ended."""
        return self._connection.active

    @property
    def microphone(self) -> Microphone | None:
        """The page's microphone; None where the audio is elsewhere."""
        return getattr(self._audio, "microphone", None)

    @property
    def _session(self) -> Session | None:
        return self._connection.session

    def when_opening(self, follow: Callable[[Session], None]) -> None:
        """Calls a method with each session that is opened, before anything crosses the wire; its
        object is not kept for that."""
        self._views.when_following(weakly(follow))

    # --- verbs ---

    def connect(self) -> Pending[None]:
        """Opens the session; does nothing when it is open."""
        return self._verbs.beside(self._connection.open)

    def disconnect(self) -> Pending[None]:
        """Ends the session; the recording is complete when this is done."""
        if self._verbs.closed:
            return self._thread.run(self._connection.ended())
        return self._verbs.beside(self._connection.end)

    def talk(self) -> Pending[None]:
        """Opens the microphone, connecting first where needed; what is said meanwhile is kept."""
        return self._verbs.in_order(self._talk)

    def stop(self) -> Pending[None]:
        """Closes the microphone: the user's turn ends, and is answered."""
        return self._verbs.run(self._stop())

    def mute(self, muted: bool = True) -> Pending[None]:
        """Keeps the microphone open, but silent."""
        return self._verbs.beside(lambda: self._mute(muted))

    def say(self, text: str) -> Pending[None]:
        """Sends a typed message and asks for an answer (connecting first, where needed).

        After a session that was lost for good it raises a SessionClosedError: a new one, which
        knows nothing of what was said, is opened by :meth:`connect` only.
        """
        return self._verbs.in_order(lambda turn: self._say(turn, text))

    def interrupt(self) -> Pending[None]:
        """Stops the agent's answer."""
        return self._verbs.in_order(self._interrupt)

    def cancel_call(self, call_id: str) -> Pending[bool]:
        """Ends a function that runs, as :meth:`realtime_nb.session.session.Session.cancel_call`
        does; False where no such function runs."""
        return self._verbs.beside(lambda: self._cancel_call(call_id))

    def update(self, **options: Any) -> Pending[None]:
        """Changes session settings, now and for later sessions."""
        return self._verbs.in_order(lambda turn: self._settings.update(turn, options))

    def send(self, event: JsonObject) -> Pending[str]:
        """Sends any event of the protocol."""
        return self._verbs.in_order(lambda turn: self._send(turn, event))

    def label(self, text: str, t_s: float | None = None) -> Pending[None]:
        """Marks this moment of the session in its recording, or ``t_s``; as
        :meth:`realtime_nb.session.session.Session.label` does."""
        session = self._session
        at_s = session.clock() if session is not None and t_s is None else t_s
        return self._verbs.in_order(lambda turn: self._label(turn, text, at_s))

    def settled(self, timeout_s: float = 60.0) -> Pending[bool]:
        """Waits until nothing is left to be said, answered, run or heard; False after
        ``timeout_s``. All that was asked for before counts, whether anybody awaits it or not."""
        return self._verbs.run(self._settled(timeout_s))

    @overload
    def wait_for(self, event: type[E], timeout_s: float = 30.0) -> Pending[E]: ...
    @overload
    def wait_for(
        self, event: str | Callable[[Received], bool], timeout_s: float = 30.0
    ) -> Pending[Received]: ...
    def wait_for(self, event: Wanted, timeout_s: float = 30.0) -> Pending[Any]:
        """Waits for the next event of that type, of that class, or for which the function is true,
        from now on, as :meth:`realtime_nb.session.session.Session.wait_for` does. Where no session
        is open, it waits for the next one, too, whoever opens it: a verb, another cell, or Connect
        in the panel. The function is called where sessions live, on another thread.

        ::

            answered = agent.wait_for("response.done")
            agent.say("Hello")
            print((await answered).response)

        Raises:
            ConfigurationError: at once, for what can't be an event.
            TimeoutError: none came in time, or no session was opened.
            SessionClosedError: the session ended first.
            RealtimeError: it could not be opened.
        """
        self._verbs.check_open()
        chosen(event)
        return self._thread.run(self._wait_for(event, timeout_s))

    def close(self) -> None:
        """Ends the session and takes the panel out of the page. Waits until both are done.

        Raises:
            RecordingError: the recording could not be completed; everything else is done.
        """
        self._close_with(self._verbs.closed or _CLOSED)
        try:
            if self._thread.running:
                ending = self._thread.run(self._connection.end_for_good(self._verbs.closed))
                ending.result(_CLOSE_TIMEOUT_S)
        finally:
            self._take_down()

    def _replace(self) -> None:
        """Closes it, soon, for a newer one."""
        self._close_with(_RUN_AGAIN)
        if self._thread.running:
            self._thread.run(self._close_soon())

    def _close_with(self, words: str) -> None:
        self._verbs.closed = words
        self.panel.tell_of_closing(words)

    def _take_down(self) -> None:
        unregister(self)
        self._audio.close()
        self._views.close()

    # --- on the I/O thread ---

    async def _close_soon(self) -> None:
        try:
            await self._connection.end_for_good(self._verbs.closed)
        except RealtimeError as error:
            logger.warning("An agent was closed because its cell was run again. %s", error)
        finally:
            self._problem(self._verbs.closed)  # for a page that keeps showing what it knew last
            await asyncio.to_thread(self._take_down)

    async def _connect(self) -> Session:
        self._settings.begin()
        session = await self._options.connecting(self._shown_speaker)
        if "speed" in self._options.session:  # which connect() has another meaning for
            try:
                await session.update(speed=self._options.session["speed"])
            except BaseException:
                await session.close(complete=False)
                raise
        return session

    def _shown_speaker(self, session: Session) -> Speaker:
        """Returns the speaker of a session that is being opened, and has it shown.

        A session asks for its speaker before anything crosses the wire, so the views miss no event.
        """
        self._views.follow(session)
        return self._audio.speaker(session)

    async def _make_room(self) -> None:
        for rival in rivals_of(self):
            await rival._give_way(_TAKEN_OVER)

    async def _give_way(self, words: str) -> None:
        """Makes room for another agent."""
        try:
            await self._connection.end()
        except RealtimeError as error:
            words = f"{words} {error}"
        self._problem(words)

    async def _opened(self, turn: Turn) -> Session:
        """Returns the session, opened where needed, when it is this verb's turn.

        It is asked for first: what is withdrawn before it is open withdraws all of them.
        """
        await self._connection.goes_on()
        await self._connection.open()
        await turn.come()
        if self._session is None:
            raise SessionClosedError("The session was closed meanwhile.", ON_PURPOSE)
        self.panel.set(error="")
        return self._session

    async def _say(self, turn: Turn, text: str) -> None:
        session = await self._opened(turn)
        await session.say(text)

    async def _send(self, turn: Turn, event: JsonObject) -> str:
        session = await self._opened(turn)
        return await session.send(event)

    async def _stop(self) -> None:
        # Not in turn: what Talk keeps until there is a session has to end at once. What is asked
        # for after it waits for the end of the turn all the same.
        with self._verbs.order.turn():
            await self._turns.stop()

    async def _talk(self, turn: Turn) -> None:
        stops = self._turns.stops
        await self._connection.ended()  # a session that is being ended ends the turns with it
        try:
            await self._turns.listen(stops)
            await self._turns.begin(await self._opened(turn))
        except BaseException:
            await self._turns.give_up()
            raise

    async def _interrupt(self, turn: Turn) -> None:
        await turn.come()
        if self._session is not None and self.connected:
            await self._session.interrupt()

    async def _cancel_call(self, call_id: str) -> bool:
        return self._session is not None and self._session.cancel_call(call_id)

    async def _mute(self, muted: bool) -> None:
        self._audio.mute(muted)
        self.panel.set(muted=muted)

    async def _label(self, turn: Turn, text: str, t_s: float | None) -> None:
        await turn.come()
        session = self._session
        if session is None or session.closed:
            raise SessionClosedError(
                "No session is open, so there is no moment to mark. Press Connect, or mark what "
                "was recorded: rt.load(agent.recording).label(t_s, text)."
            )
        session.label(text, t_s)

    async def _wait_for(self, event: Any, timeout_s: float) -> Received:
        end_s = self._thread.loop.time() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                session = await self._connection.next_session()
        except TimeoutError:
            raise TimeoutError(
                f"No session was open within {timeout_s:g} s, so no event came. Open one: await "
                "agent.connect(), or Connect in the panel."
            ) from None
        return await session.wait_for(event, end_s - self._thread.loop.time())

    async def _settled(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._verbs.order.settled()
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
        """Takes note that the microphone is off: by the person, the browser or a file's end."""
        self.panel.set(talking=False)
        if isinstance(self._audio, BrowserAudio):
            self._turns.went_off(self._audio)

    # --- what the panel asks for ---

    def _command(self, name: str, value: Any) -> None:
        """Does what a button or a field of the panel asks for. Runs on the comm's thread."""
        commands: dict[str, Callable[[], Pending[Any]]] = {
            "connect": self.connect,
            "disconnect": self.disconnect,
            "talk": self.talk,
            "stop": self.stop,
            "mute": lambda: self.mute(bool(value)),
            "interrupt": self.interrupt,
            "say": lambda: self.say(str(value)),
            "report": lambda: self._verbs.run(self._views.last_session.report()),
            "update": lambda: self._verbs.in_order(
                lambda turn: self._settings.update_from_panel(turn, dict(value))
            ),
        }
        command = commands.get(name)
        if command is not None and not self._verbs.closed:
            command()
