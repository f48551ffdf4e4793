"""The user's turns at an agent: from Talk to Stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from realtime_nb.agent.audio import AgentAudio, BrowserAudio
from realtime_nb.devices.simulated import SimulatedMicrophone
from realtime_nb.errors import RealtimeError
from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.protocol.turn_detection import closing_silence_ms
from realtime_nb.session.session import Session
from realtime_nb.session.work import Work
from realtime_nb.widgets.agent_panel import AgentPanel

__all__ = ["UserTurns"]

logger = logging.getLogger(__name__)

_BACK_DUE_S = 0.3
"""How soon a microphone is on again where it goes off because Talk was pressed elsewhere."""
_LEAST_COMMIT_MS = 100  # servers refuse less
_SILENCE_MARGIN_MS = 400


class UserTurns:
    """Opens and closes the microphone, and ends the user's turn with it.

    What is said from Talk on is kept until the session is open. If Stop comes before that, it is
    sent as a whole turn then. Where the server does not detect turns, Talk interrupts the agent.

    Args:
        audio: where the microphone is.
        panel: shows whether the microphone is open.
    """

    def __init__(self, audio: AgentAudio, panel: AgentPanel) -> None:
        self._audio = audio
        self._panel = panel
        self._wanted = False
        self._stops = 0
        self._session: Session | None = None  # that the microphone is open for
        self._changing = asyncio.Lock()
        self._silence: asyncio.Task[None] | None = None
        self._ending = Work(_failed)

    @property
    def stops(self) -> int:
        """How often Stop was pressed."""
        return self._stops

    async def listen(self, stops: int) -> None:
        """Keeps what is said from now on: Talk was pressed, after that many stops."""
        if stops != self._stops:
            return  # it was pressed again meanwhile
        self._wanted = True
        await self._audio.listen()

    async def begin(self, session: Session) -> None:
        """Gives an open session what was said meanwhile, and what is said from now on."""
        async with self._changing:
            if not (self._wanted or self._audio.kept_ms):
                return  # Stop was pressed while it was connecting, and nothing said until then
            self._stop_silence()
            if session.conversation.turn_detection is None:
                await self._take_the_floor(session)
            if self._wanted:
                await self._audio.reachable()  # which takes its time, in which Stop may be pressed
            if self._wanted:
                await self._open(session)
            else:
                await self._audio.send_kept()
                await self._end_turn(session)

    async def stop(self) -> None:
        """Closes the microphone, and ends the turn once there is a session: Stop was pressed."""
        self._stops += 1
        self._wanted = False
        async with self._changing:
            await self._audio.hush()
            self._panel.set(talking=False)
            session, self._session = self._session, None
            if session is not None and not session.closed:
                await self._end_turn(session)

    def went_off(self, audio: BrowserAudio) -> None:
        """Takes note that a microphone is off which nobody told to be: its turn ends, soon."""
        self._ending.start(self._end_unless_on(audio))

    async def give_up(self) -> None:
        """Closes the microphone and drops what was kept: there will be no session."""
        self._wanted = False
        await self._audio.hush()
        self._audio.forget()
        self._panel.set(talking=False)

    async def fallen_silent(self) -> None:
        """Waits while the silence after the last turn is still being sent."""
        if self._silence is not None:
            await asyncio.wait([self._silence])

    async def end(self) -> None:
        """Lets go of the session, which is over."""
        self._wanted, self._session = False, None
        silence = self._silence
        self._stop_silence()
        if silence is not None:
            await asyncio.gather(silence, return_exceptions=True)
        await self._ending.end()

    async def _end_unless_on(self, audio: BrowserAudio) -> None:
        """Ends the turn of a microphone that was unplugged, or whose page has gone.

        It waits a moment: Talk pressed in another view switches the microphone off and on again,
        and that is not the end of what the person says.
        """
        await asyncio.sleep(_BACK_DUE_S)
        if audio.on:
            self._panel.set(talking=self._wanted and self._session is not None)
        else:
            await self.stop()

    async def _take_the_floor(self, session: Session) -> None:
        if session.busy or session.speaker.playing:
            await session.interrupt()
        if session.conversation.uncommitted_ms:
            await session.clear()

    async def _open(self, session: Session) -> None:
        self._session = session
        await self._audio.talk()
        if self._session is session:
            self._panel.set(talking=True)
        else:  # it has ended meanwhile
            await self._audio.hush()

    async def _end_turn(self, session: Session) -> None:
        if session.conversation.turn_detection is None:
            await self._commit(session)
        else:
            self._silence = asyncio.create_task(self._fall_silent(session))

    async def _commit(self, session: Session) -> None:
        """Makes a turn of what was said until the key was let go, if it is long enough for one."""
        if session.conversation.uncommitted_ms >= _LEAST_COMMIT_MS:
            await session.commit()
            await session.create_response()
        elif session.conversation.uncommitted_ms:
            await session.clear()

    async def _fall_silent(self, session: Session) -> None:
        """Goes on with silence: without it, the server would wait for more words for ever.

        It is sent at the pace of life, as by a microphone that stays open, so that the server finds
        the turn's end no sooner than it otherwise would, and the latency is that of real talk.
        """
        window_ms = closing_silence_ms(session.conversation.turn_detection)
        microphone = SimulatedMicrophone(session.clock, session.pace, session.append)
        try:
            with contextlib.suppress(RealtimeError):  # whoever watches the session says so
                await microphone.speak(bytes(BYTES_PER_MS * (window_ms + _SILENCE_MARGIN_MS)))
        finally:
            await microphone.close()

    def _stop_silence(self) -> None:
        silence, self._silence = self._silence, None
        if silence is not None:
            silence.cancel()


def _failed(error: Exception) -> None:
    logger.error("The user's turn could not be ended", exc_info=error)
