"""The session of an agent: opened once however often it is asked for, watched, and ended whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

from realtime_nb.agent.audio import AgentAudio
from realtime_nb.agent.last_session import load_code, session_in_numbers, short_path
from realtime_nb.agent.talking import UserTurns
from realtime_nb.agent.views import AgentViews
from realtime_nb.errors import RealtimeError, SessionClosedError
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.session.session import Session

__all__ = ["STEPS", "AgentConnection", "ConnectionState", "Step", "session_facts"]

_ON_PURPOSE = 1000
_NO_MEMORY = (
    "A new one would know nothing of what was said: agent.connect(), or Connect in the panel, "
    "opens it."
)

ConnectionState = Literal["disconnected", "connecting", "connected", "ending", "closed"]
Step = Literal["open", "opened", "end", "ended", "close"]

STEPS: dict[tuple[ConnectionState, Step], ConnectionState] = {
    ("disconnected", "open"): "connecting",
    ("connecting", "opened"): "connected",
    ("connecting", "end"): "ending",  # it failed, or was withdrawn
    ("connected", "end"): "ending",  # asked for, or the server ended it
    ("disconnected", "end"): "ending",  # the microphone may be open for a session to come
    ("ending", "ended"): "disconnected",
    ("disconnected", "close"): "closed",  # for good
}
"""What a connection is, and what becomes of it; there is no other way from one to another."""


class AgentConnection:
    """One session after another, on the I/O thread.

    Opening and ending happen in the order in which they were asked for, one at a time.

    Args:
        connect: opens a session.
        make_room: called before that: other agents may be in the way.
        audio: where the session's audio comes from and goes to.
        turns: the user's, which end with the session.
        views: show the session; their panel says what becomes of it.
        show_settings: called when no session's settings are in force any more.

    Attributes:
        state: where it is in `STEPS`.
        session: the one that is open, or was until a moment ago.
        conversation: of this session, or of the last one.
        recording: its folder.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Session]],
        make_room: Callable[[], Awaitable[None]],
        *,
        audio: AgentAudio,
        turns: UserTurns,
        views: AgentViews,
        show_settings: Callable[[], None],
    ) -> None:
        self.state: ConnectionState = "disconnected"
        self.session: Session | None = None
        self.conversation = Conversation()
        self.recording: Path | None = None
        self._connect = connect
        self._make_room = make_room
        self._audio = audio
        self._turns = turns
        self._views = views
        self._show_settings = show_settings
        # A step is taken by whoever has this lock. It is fair: first come, first served.
        self._changing = asyncio.Lock()
        self._opening: asyncio.Task[None] | None = None
        self._begun: asyncio.Task[None] | None = None  # the last opening, also one that was ended
        self._watching: asyncio.Task[None] | None = None
        self._news = asyncio.Event()  # another one each time: one is being opened, or none will be
        self._endings = 0
        self._no_ending = asyncio.Event()
        self._no_ending.set()
        self._over = ""
        self._lost = ""

    @property
    def connected(self) -> bool:
        """Whether a session is open; one that the server has just ended is not."""
        return self.state == "connected" and not self._is_lost

    @property
    def active(self) -> bool:
        """Whether a session is open, or being opened or ended."""
        opening = self._opening is not None and not self._opening.done()
        return opening or self._changing.locked() or self.state not in ("disconnected", "closed")

    @property
    def _is_lost(self) -> bool:
        """Whether the server has ended the session, and who watches has not come to it yet."""
        return self.session is not None and self.session.closed

    async def open(self) -> None:
        """Opens a session; does nothing while one is open.

        Raises:
            SessionClosedError: it was ended before it was open, or ``end_for_good`` was.
            RealtimeError: it can't be opened.
        """
        if self._over:
            raise SessionClosedError(self._over, _ON_PURPOSE)
        if self.connected:
            return
        if self._opening is None or self._opening.done():
            self._opening = self._begun = asyncio.create_task(self._open())
            self._tell_news()
        await _outcome(self._opening)

    async def goes_on(self) -> None:
        """Refuses to go on after a session that was lost for good: a new one knows nothing of it.

        Raises:
            SessionClosedError: it was lost, and nobody asked for a new one since.
        """
        if self._is_lost and self._watching is not None:
            await asyncio.wait([self._watching])
        opening = self._opening is not None and not self._opening.done()
        if self._lost and not opening:
            raise SessionClosedError(self._lost)

    async def opened(self) -> None:
        """Waits while a session is being opened."""
        while self._opening is not None and not self._opening.done():
            await asyncio.wait([self._opening])

    async def next_session(self) -> Session:
        """Returns the session that is open, or the next one, whoever opens it.

        Raises:
            SessionClosedError: there will be none, or it was ended before it was open.
            RealtimeError: it can't be opened.
        """
        while not self.connected or self.session is None:
            if self._over:
                raise SessionClosedError(self._over, _ON_PURPOSE)
            opening = self._opening
            if opening is None or opening.done():
                await self._news.wait()
                opening = self._begun  # it may have failed, or been withdrawn, by now
            if opening is not None and not self._over:
                await _outcome(opening)
        return self.session

    def _tell_news(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def ended(self) -> None:
        """Waits while a session is being ended, on purpose or because the server ended it."""
        await self._no_ending.wait()
        if self._is_lost and self._watching is not None:
            await asyncio.wait([self._watching])

    async def end(self) -> None:
        """Ends the session, or its opening.

        Raises:
            RecordingError: the recording could not be completed; everything else is ended.
        """
        opening, self._opening = self._opening, None
        self._lost = ""
        if opening is not None:
            opening.cancel()
        self._views.panel.set(error="")
        self._endings += 1
        self._no_ending.clear()
        try:
            # Asked for at once, so that what is opened after this waits for it.
            async with self._changing:
                if self.state != "closed":
                    await self._end()
        finally:
            self._endings -= 1
            if not self._endings:
                self._no_ending.set()

    async def end_for_good(self, words: str) -> None:
        """Ends it, and says these words to whoever wants to open another."""
        self._over = words
        self._tell_news()
        await self.end()

    def _step(self, step: Step) -> None:
        """Takes one of the `STEPS`; any other is a fault here, and raises a KeyError."""
        self.state = STEPS[self.state, step]

    async def _open(self) -> None:
        async with self._changing:
            if self._is_lost:  # else nobody would end it: its watcher finds another one then
                await self._end()
            self._step("open")
            self._views.panel.set(state="connecting", error="")
            try:
                await self._make_room()
                await self._audio.prepare()
                session = self.session = await self._connect()
                self.conversation = session.conversation
                self.recording = session.recording
                await self._audio.start(session)
            except BaseException:
                await self._end()
                raise
            self._step("opened")
            self._lost = ""
            self._watching = asyncio.create_task(self._watch(session))
            self._views.panel.set(state="listening", connected=True, latency_ms=None)
            self._views.panel.tell_of_session(session_facts(session, over=False))

    async def _watch(self, session: Session) -> None:
        """Notices when the session ends by itself."""
        words = "The server ended the session. Press Connect for a new one."
        lost = ""
        try:
            async for _ in session:
                pass
            if session.hung_up:
                words = "The agent hung up. Press Connect for a new session."
        except RealtimeError as error:
            words = f"The session ended: {error} Press Connect for a new one."
            lost = f"The session was lost: {error} {_NO_MEMORY}"
        async with self._changing:
            if self.session is session:
                self._watching = None
                self._lost = lost
                try:
                    await self._end(complete=not lost)
                except RealtimeError as error:
                    words = f"{words} {error}"
                self._views.panel.set(error=words)

    async def _end(self, *, complete: bool = True) -> None:
        """Ends whatever there is, every part of it, also where another part fails.

        Args:
            complete: False where the session was lost, so that its recording breaks off.
        """
        self._step("end")
        session, self.session = self.session, None
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
        async with AsyncExitStack() as ending:  # the last one first
            ending.callback(self._ended, session)
            if session is not None:
                ending.push_async_callback(session.close, complete=complete)
            ending.push_async_callback(self._audio.stop)
            ending.push_async_callback(self._turns.end)

    def _ended(self, session: Session | None) -> None:
        self._step("ended")
        if self._over:
            self._step("close")
        self._show_settings()
        self._views.panel.set(state="disconnected", connected=False, talking=False, answering=False)
        self._views.session_over(session, self.recording)
        if session is not None:
            self._views.panel.tell_of_session(session_facts(session, over=True))


async def _outcome(opening: asyncio.Task[None]) -> None:
    await asyncio.wait([opening])
    if opening.cancelled():
        raise SessionClosedError("It was disconnected before the session was open.", _ON_PURPOSE)
    opening.result()


def session_facts(session: Session, *, over: bool) -> str:
    """Returns what a saved notebook says of a session: numbers, and how to open its recording.

    Args:
        session: of which nothing that was said is told.
        over: whether it has just ended; otherwise its numbers are still to come.
    """
    facts = "a session was going on when this was saved."
    if over:
        facts = f"{session_in_numbers(session)}."
    if session.recording is None:
        return f"{facts} It was not recorded."
    return f"{facts}\nOpen its recording: {load_code(short_path(session.recording))}"
