"""Settings that wait for the server's word, which the next connection may have to give."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime_nb.errors import RealtimeError, ServerError
from realtime_nb.protocol.events import ErrorEvent

__all__ = ["UPDATE_TIMEOUT_S", "Updates", "is_unconfirmed"]

UPDATE_TIMEOUT_S = 15.0
"""How long a server may take to confirm settings; while there is none, it does not count."""


_UNCONFIRMED = "settings_not_confirmed"


def is_unconfirmed(error: BaseException) -> bool:
    """Tells whether the error is that a server neither confirmed nor refused settings."""
    return isinstance(error, ServerError) and error.code == _UNCONFIRMED


class Updates:
    """Those who wait until settings are in force.

    Args:
        hearing: tells whether there is a server.
    """

    def __init__(self, hearing: Callable[[], bool]) -> None:
        self._hearing = hearing
        self._futures: dict[str, asyncio.Future[None]] = {}

    @property
    def waiting(self) -> bool:
        """Whether anybody waits."""
        return bool(self._futures)

    async def confirmed(self, event_id: str, send: Callable[[], None]) -> None:
        """Sends settings and waits until the server has confirmed them.

        Args:
            event_id: of the ``session.update``.
            send: sends it; the answer may come in it.

        Raises:
            ServerError: it refused them, or does not answer.
        """
        loop = asyncio.get_running_loop()
        done = self._futures[event_id] = loop.create_future()
        try:
            send()
            while True:
                try:
                    async with asyncio.timeout(UPDATE_TIMEOUT_S):
                        await done
                        return
                except TimeoutError:
                    done = self._futures[event_id]
                    if done.done() and not done.cancelled():  # it came at the last moment
                        done.result()
                        return
                    if self._hearing():
                        raise ServerError(
                            "The server did not confirm the session's settings in "
                            f"{UPDATE_TIMEOUT_S:g} s, and did not refuse them either; they may be "
                            "in force or not. The session goes on. Check the connection and try "
                            "again.",
                            _UNCONFIRMED,
                        ) from None
                    done = self._futures[event_id] = loop.create_future()  # the next one is asked
        finally:
            self._futures.pop(event_id, None)

    def settle(self, event_id: str, error: ErrorEvent | None = None) -> None:
        """Takes the server's word: they are in force, or refused with this error."""
        future = self._futures.get(event_id)
        if future is None:
            return
        if future.done():  # patience ended in the same moment, and who waits has not seen it yet
            future = self._futures[event_id] = asyncio.get_running_loop().create_future()
        if error is None:
            future.set_result(None)
            return
        param = error.error.get("param")
        message = f"The server refused the settings: {error.message}"
        future.set_exception(ServerError(message, error.code, param, event_id))

    def end(self, error: RealtimeError) -> None:
        """Tells whoever waits that no word will come any more."""
        for future in self._futures.values():
            if not future.done():
                future.set_exception(error)
