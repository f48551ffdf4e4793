"""What a session is set to: changed while it goes on, and asked for again of the next server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from realtime_nb.errors import ConnectionFailedError
from realtime_nb.protocol.client import ClientProtocol
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.audio_in import AudioIn
from realtime_nb.session.updates import UPDATE_TIMEOUT_S, Updates, is_unconfirmed
from realtime_nb.tools import Definition, Tool

__all__ = ["SessionSettings"]


class SessionSettings:
    """The settings of one session, its tools among them.

    Args:
        protocol: makes the events, and is told which functions can be run.
        audio_in: waits while the server changes the format of what it hears.
        tools: what the model may call to begin with.
        updates: those who wait for the server's word.
    """

    def __init__(
        self,
        protocol: ClientProtocol,
        audio_in: AudioIn,
        tools: Mapping[str, Tool | Definition],
        updates: Updates,
    ) -> None:
        self._protocol = protocol
        self._audio_in = audio_in
        self._updates = updates
        self.tools = tools

    @property
    def tools(self) -> Mapping[str, Tool | Definition]:
        """What the model may call; functions are run and answered."""
        return self._tools

    @tools.setter
    def tools(self, tools: Mapping[str, Tool | Definition]) -> None:
        self._tools = tools
        self._protocol.answers = {name for name, tool in tools.items() if isinstance(tool, Tool)}

    async def change(
        self,
        patch: JsonObject,
        tools: Mapping[str, Tool | Definition] | None,
        proceed: Callable[[], None],
    ) -> None:
        """Changes some; returns when the server confirmed it.

        Args:
            patch: what changes.
            tools: the tools that are in it; None: they stay as they are.
            proceed: sends what the protocol wants sent.

        Raises:
            ServerError: it refused them, or does not answer.
        """
        before, after = self.tools, self.tools if tools is None else tools
        # Until the server has answered it may call functions of either list.
        self.tools = {**before, **after}
        keeps_format = "format" not in patch.get("audio", {}).get("input", {})
        self._audio_in.format_is_settled = keeps_format
        try:
            await self._updates.confirmed(self._protocol.update(patch), proceed)
        except BaseException as error:
            # Of settings that were not confirmed nobody knows whether they are in force.
            if not is_unconfirmed(error):
                self.tools = before
            raise
        finally:
            self._audio_in.format_is_settled = True
        self.tools = after

    async def restore(self, summary: str, send: Callable[[JsonObject], None], where: str) -> None:
        """Has the settings of a new session be those that were asked for.

        Args:
            summary: is added to the instructions.
            send: sends an event.
            where: the new session is, for people.

        Raises:
            ServerError: it refuses them.
            ConnectionFailedError: it does not answer.
        """
        event = self._protocol.restored_settings(summary)
        waiting = self._updates.confirmed(str(event["event_id"]), lambda: send(event))
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT_S):
                await waiting
        except TimeoutError:
            if self._protocol.conversation.updated_s is None:
                return  # it never confirms any
            raise ConnectionFailedError(f"{where} does not confirm the settings.") from None
