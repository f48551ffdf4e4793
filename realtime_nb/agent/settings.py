"""An agent's settings: those asked for, those in force, and what only its next session can have."""

from __future__ import annotations

from typing import Any

from realtime_nb.agent.connection import AgentConnection
from realtime_nb.agent.options import AgentOptions, changed_detection
from realtime_nb.agent.refusals import VOICE_LOCKED, explained
from realtime_nb.agent.views import AgentViews, settings_asked, settings_in_force, settings_shown
from realtime_nb.errors import RealtimeError, ServerError
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.asked import Turn
from realtime_nb.session.session import Session

__all__ = ["AgentSettings"]


class AgentSettings:
    """The settings of an agent through its sessions.

    Args:
        options: what sessions are opened with.
        views: show the settings.
        connection: of the agent.
    """

    def __init__(
        self, options: AgentOptions, views: AgentViews, connection: AgentConnection
    ) -> None:
        self._options = options
        self._views = views
        self._connection = connection
        self._detections: dict[object, JsonObject] = {}  # what was in force last, by type
        self._later: dict[str, Any] = {}  # what only the next session can have

    def begin(self) -> None:
        """Takes note that a session is opened: it has what was left for it."""
        self._later = {}

    def show(self) -> None:
        """Shows what is in force, or will be."""
        self._views.show_settings(self.known())

    def known(self) -> JsonObject:
        """Returns what is in force, or will be."""
        session = self._connection.session
        if session is None:
            return settings_shown(self._options.patch())
        return settings_in_force(session.conversation) | {"later": self._later}

    async def update(self, turn: Turn, options: dict[str, Any]) -> None:
        """Changes settings, now and for later sessions."""
        panel = self._views.panel
        try:
            checked = self._options.checked(options)
            with panel.asking(settings_asked(self._options.asked(checked))):
                await self._connection.opened()  # with the settings from before
                await turn.come()
                session = self._connection.session
                if session is not None and not session.closed:
                    await self._change(turn, session, checked)
            self._options.change(checked)
            panel.set(error="")
        finally:
            self.show()

    async def update_from_panel(self, turn: Turn, settings: dict[str, Any]) -> None:
        """Takes what was changed in the panel; of turn detection, the fields that were."""
        await self._connection.opened()
        changed = settings.get("turn_detection")
        if changed is not None:
            in_force = self.known()["turn_detection"]
            if in_force is not None:
                self._detections[in_force.get("type", "server_vad")] = in_force
            try:
                settings["turn_detection"] = changed_detection(in_force, changed, self._detections)
            except RealtimeError:
                self.show()
                raise
        await self.update(turn, settings)

    async def _change(self, turn: Turn, session: Session, settings: dict[str, Any]) -> None:
        try:
            confirmed = session.update(**settings)
            turn.begun()
            await confirmed
        except ServerError as error:
            if error.code == VOICE_LOCKED and "voice" in settings:
                self._later = {"voice": settings["voice"]}
                self._options.change(self._later)
            raise explained(error, settings) from None
