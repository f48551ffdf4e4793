"""How a session outlives the longest one that its server allows: it moves, while nobody speaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from realtime_nb.errors import RealtimeError
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.session.audio_in import AudioIn
from realtime_nb.session.transport import Transport

__all__ = ["Rollover", "seconds_left"]

logger = logging.getLogger(__name__)

LAST_CALL_S = 5.0
"""So long before the end it moves in any pause, and does not wait for silence in the audio."""

_LONGEST_S = 24 * 3600.0
_NO_AUDIO_S = 1.0
_LOOK_AGAIN_S = 0.05
_TRY_AGAIN_S = 10.0


class Moved(Protocol):
    """What moves: a driver of a session."""

    audio_in: AudioIn

    @property
    def conversation(self) -> Conversation:
        """What the events so far add up to."""

    @property
    def idle(self) -> bool:
        """Whether nobody speaks, and nothing is on its way, asked for, or still to be heard."""

    @property
    def last_append_s(self) -> float:
        """When audio was last appended, by the loop's clock."""


def seconds_left(expires_at: object, now_s: float) -> float | None:
    """Returns how long a session lasts by its ``expires_at``; None where that tells nothing.

    Args:
        expires_at: unix seconds, as the server has it.
        now_s: unix seconds here. Clocks that differ by much give times that can't be.
    """
    if not isinstance(expires_at, int | float) or isinstance(expires_at, bool):
        return None
    left_s = expires_at - now_s
    return left_s if 0 < left_s <= _LONGEST_S else None


class Rollover:
    """Moves one session before it expires.

    Args:
        session: that moves.
        before_s: how long before its end it begins to look for a pause.
        dial: opens another connection to the same server.
        move: has the session go on there.
        part: ends a connection that is not needed after all.
    """

    def __init__(
        self,
        session: Moved,
        before_s: float,
        dial: Callable[[], Awaitable[Transport]],
        move: Callable[[Transport], Awaitable[None]],
        part: Callable[[Transport], None],
    ) -> None:
        self._session = session
        self._before_s = before_s
        self._dial = dial
        self._move = move
        self._part = part

    async def run(self) -> None:
        """Waits for the time to move, and moves; returns at once where the server tells no end."""
        left_s = seconds_left(self._session.conversation.session.get("expires_at"), time.time())
        if left_s is None:
            return
        loop = asyncio.get_running_loop()
        end_s = loop.time() + left_s
        await asyncio.sleep(max(left_s - self._before_s, left_s / 2))
        transport = await self._opened(end_s)
        if transport is None:
            return  # it expires, and comes back then
        try:
            await self._pause(end_s)
        except BaseException:
            self._part(transport)
            raise
        await self._move(transport)

    async def _opened(self, end_s: float) -> Transport | None:
        """Returns a connection beside the one in force, None where there is none in time."""
        loop = asyncio.get_running_loop()
        while loop.time() < end_s - LAST_CALL_S:
            try:
                return await self._dial()
            except RealtimeError as error:
                logger.warning("The session is to move before it expires, but: %s", error)
            await asyncio.sleep(_TRY_AGAIN_S)
        return None

    async def _pause(self, end_s: float) -> None:
        """Returns when nobody speaks, or the time is up."""
        loop = asyncio.get_running_loop()
        session = self._session
        try:
            while loop.time() < end_s:
                if session.idle:
                    unheard_s = loop.time() - session.last_append_s
                    last_call = loop.time() >= end_s - LAST_CALL_S
                    if session.audio_in.is_quiet or unheard_s >= _NO_AUDIO_S or last_call:
                        return
                    session.audio_in.look_ahead()
                await asyncio.sleep(_LOOK_AGAIN_S)
        except BaseException:
            with contextlib.suppress(RealtimeError):
                session.audio_in.look_no_more()
            raise
