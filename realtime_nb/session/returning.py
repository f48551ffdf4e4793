"""How a session comes back: its connection is replaced, and the next one told what was said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from realtime_nb.devices.simulated import Speaker
from realtime_nb.errors import (
    ConnectionFailedError,
    ServerError,
    SessionClosedError,
)
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.turn_audio import TurnAudio
from realtime_nb.session.audio_in import AudioIn
from realtime_nb.session.open_connection import OpenConnection
from realtime_nb.session.partings import Partings
from realtime_nb.session.reconnecting import Attempts, Reconnect, restored_history, why_final
from realtime_nb.session.rollover import Rollover
from realtime_nb.session.transport import Transport

__all__ = ["Dial", "Returning"]

logger = logging.getLogger(__name__)

Dial = Callable[[], Awaitable[Transport]]
"""Opens another transport to the same server."""

CONFIRMED_TIMEOUT_S = 10.0
"""How long a new session may take to confirm the items that it was told."""

_LAST_WORDS_S = 1.0
"""An error this shortly before the end of the connection tells why it ended."""


class Restored(Protocol):
    """What is brought back: a driver of a session."""

    audio_in: AudioIn
    turn_audio: TurnAudio

    @property
    def idle(self) -> bool:
        """Whether nobody speaks, and nothing is on its way, asked for, or still to be heard."""

    @property
    def last_append_s(self) -> float:
        """When audio was last appended, by the loop's clock."""

    @property
    def speaker(self) -> Speaker:
        """What plays the agent's voice."""

    @property
    def conversation(self) -> Conversation:
        """What the events so far add up to."""

    def clock(self) -> float:
        """Seconds of session time."""

    @property
    def connection(self) -> OpenConnection | None:
        """The one in force."""

    def attach(self, transport: Transport) -> None:
        """Reads and writes a transport from now on."""

    def detach(self) -> OpenConnection | None:
        """Goes on without a connection; returns the one that there was."""

    async def greeted(self) -> None:
        """Waits for the server's greeting."""

    async def restore_settings(self, summary: str) -> None:
        """Has the new session's settings be those of the lost one."""

    def resume(self, items: list[JsonObject], spoken: str | None) -> None:
        """Tells the new session what was said, and lets it hear the user."""

    def stop_playback(self) -> None:
        """Stops the agent's voice."""

    def tell(self, report: ConnectionReport) -> None:
        """Folds in, records and shows what becomes of the connection."""

    def end(self, ended: SessionClosedError) -> None:
        """Ends the session."""

    def start_work(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts what ends with the session; if it fails, the session does."""

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Waits for a condition, in seconds of the wall clock."""


class Returning:
    """Brings one session back, as often as its connection is lost, and moves it before it expires.

    Args:
        session: what is brought back.
        policy: when, and with what.
        dial: opens another transport to the same server.
    """

    def __init__(self, session: Restored, policy: Reconnect, dial: Dial) -> None:
        self._session = session
        self._policy = policy
        self._dial = dial
        self._task: asyncio.Task[None] | None = None
        self._rollover: asyncio.Task[None] | None = None
        self._broken_off: asyncio.Future[SessionClosedError] | None = None
        self._partings = Partings()

    async def over(self) -> None:
        """Returns when the connections that were given up have ended."""
        await self._partings.over()

    def begun(self) -> None:
        """Takes note that a session has begun, whose end the server may have told."""
        before_s = self._policy.before_expiry_s
        part = self._partings.part
        rollover = Rollover(self._session, before_s, self._dial, self._move, part)
        self._rollover = self._session.start_work(rollover.run())

    def lost(self, connection: OpenConnection, ended: SessionClosedError) -> bool:
        """Takes note that a connection is lost; returns whether the session tries to come back."""
        if self._broken_off is not None:  # while the next one was being told; it is tried again
            if not self._broken_off.done():
                self._broken_off.set_result(ended)
            return True
        if not self._session.conversation.sessions:
            return False
        if why_final(ended.close_code, self._last_error()) is not None:
            return False
        for task in (self._task, self._rollover):  # which confirms the last move, or plans the next
            if task is not None:
                task.cancel()
        logger.warning("%s The session tries to come back.", ended)
        self._leave(connection, ended)
        self._task = self._session.start_work(self._come_back(ended))
        return True

    def _last_error(self) -> str | None:
        errors = self._session.conversation.errors
        if not errors or errors[-1].t_s is None:
            return None
        recent = self._session.clock() - errors[-1].t_s <= _LAST_WORDS_S
        return errors[-1].code if recent else None

    def _leave(
        self, connection: OpenConnection, ended: SessionClosedError, *, planned: bool = False
    ) -> None:
        """Goes on without a server. All of it at once: nothing may be sent in between."""
        session = self._session
        session.detach()
        self._partings.part(connection)
        unsent_ms = max(0.0, session.conversation.input_ms - connection.outbox.sent_ms)
        session.tell(
            ConnectionReport(
                "lost",
                session.clock(),
                ended.close_code,
                ended.reason,
                round(unsent_ms, 3),
                planned,
            )
        )
        if self._policy.playback == "stop" and session.speaker.playing:
            session.stop_playback()

    async def _come_back(self, ended: SessionClosedError) -> None:
        attempts = Attempts(
            self._policy, self._regain, self._retrying, asyncio.get_running_loop().time
        )
        why = await attempts.run()
        if why is not None:
            self._session.tell(ConnectionReport("given_up", self._session.clock(), reason=why))
            words = f"{ended} It was not regained: {why}."
            self._session.end(SessionClosedError(words, ended.close_code, ended.reason))
            return
        await self._confirmed()

    async def _confirmed(self) -> None:
        """Tells that all is restored that can be."""
        self.begun()
        pending = self._session.conversation.connections.pending
        await self._session.until(lambda: not pending, CONFIRMED_TIMEOUT_S)
        self._session.tell(ConnectionReport("reconnected", self._session.clock()))
        logger.info("The session is back.")

    def _retrying(self, attempt: int, wait_s: float, why: str) -> None:
        self._session.tell(
            ConnectionReport(
                "retrying", self._session.clock(), reason=why, attempt=attempt, wait_s=wait_s
            )
        )
        logger.warning("Attempt %d to come back, in %.1f s. %s", attempt, wait_s, why)

    async def _move(self, transport: Transport) -> None:
        """Moves the session to another server while nobody speaks; what is said waits for it."""
        session = self._session
        connection = session.connection
        if connection is None:  # it has just been lost
            self._partings.part(transport)
            return
        session.audio_in.flows = False
        moved = SessionClosedError("The session moves before it expires.", None, "it would expire")
        self._leave(connection, moved, planned=True)
        try:
            await self._settle_in(transport)
        except (ConnectionFailedError, ServerError, SessionClosedError) as failed:
            logger.warning("The session could not move before it expires: %s", failed)
            session.audio_in.flows = True  # from here on, it is a gap like others
            session.audio_in.look_no_more()
            self._task = session.start_work(self._come_back(moved))
        else:
            self._task = session.start_work(self._confirmed())

    async def _regain(self) -> None:
        """Makes a session of a new connection; raises what is in the way, as `_settle_in`."""
        await self._settle_in(await self._dial())

    async def _settle_in(self, transport: Transport) -> None:
        """Makes a session of an open transport.

        Raises:
            ConnectionFailedError: there is no session on it.
            SessionClosedError: it was lost again.
            ServerError: the server does not take the settings that it had.
        """
        broken_off = self._broken_off = asyncio.get_running_loop().create_future()
        # It waits for the greeting before anything is read: that may have come with the upgrade.
        work = asyncio.create_task(self._restore(broken_off))
        self._session.attach(transport)
        try:
            await asyncio.wait([work, broken_off], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise broken_off.result()
            work.result()  # which looked for itself whether it is lost again
        except BaseException:
            connection = self._session.detach()
            if connection is not None:
                self._partings.part(connection)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            raise
        finally:
            self._broken_off = None

    async def _restore(self, broken_off: asyncio.Future[SessionClosedError]) -> None:
        session = self._session
        await session.greeted()
        items, summary = self._history()
        await session.restore_settings(summary)
        if broken_off.done():  # in the moment in which the settings were confirmed
            raise broken_off.result()
        self._broken_off = None  # lost from here on, it is lost once more
        cut_off = session.conversation.reconnections[-1].user_cut_off
        session.resume(items, self._policy.spoken if cut_off else None)

    def _history(self) -> tuple[list[JsonObject], str]:
        conversation, audio_of = self._session.conversation, self._session.turn_audio.of
        try:
            return restored_history(conversation, self._policy.history, audio_of)
        except Exception:
            if not callable(self._policy.history):
                raise
            logger.exception("history= failed, so that the session is restored by its items")
            return restored_history(conversation, "items", audio_of)
