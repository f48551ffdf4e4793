"""What was sent to the server and not confirmed yet.

Servers confirm settings and items in the order in which they were sent. What a lost connection left
unconfirmed may never have arrived, so that the next one is told again; each item has an id of its
own, so that nothing is there twice.
"""

from __future__ import annotations

from collections.abc import Container

from realtime_nb.protocol.config import merge_patches
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.wire import object_of

__all__ = ["Unconfirmed"]


class Unconfirmed:
    """The settings and the items of one session that are under way.

    Attributes:
        settings: what was asked for and confirmed, as one ``session.update``.
        updates: settings that are not confirmed yet, by ``event_id``, in order.
        items: items that are not, likewise.
    """

    def __init__(self) -> None:
        self.settings: JsonObject = {}
        self.updates: dict[str, JsonObject] = {}
        self.items: dict[str, JsonObject] = {}
        self._restoring: str | None = None

    def sent(self, event_id: str, event: JsonObject) -> None:
        """Takes note of what is sent."""
        match event.get("type"):
            case "session.update":
                self.updates[event_id] = event
            case "conversation.item.create":
                self.items[event_id] = event

    def restoring(self, event_id: str, event: JsonObject) -> None:
        """Takes note of the settings that a new session begins with: nothing new is asked for."""
        self.lost()  # what a session that broke off at once was told
        self._restoring = event_id
        self.updates = {event_id: event, **self.updates}

    def accepted(self) -> str | None:
        """Takes note that settings are confirmed; returns whose, None where none were sent."""
        event_id = next(iter(self.updates), None)
        if event_id is None:
            return None
        patch = object_of(self.updates.pop(event_id), "session")
        if event_id == self._restoring:
            self._restoring = None
        elif patch is not None:
            self.settings = merge_patches(self.settings, patch)
        return event_id

    def added(self, item: JsonObject) -> None:
        """Takes note that the server has an item."""
        for event_id, event in self.items.items():
            if _item_id(event) == item.get("id"):
                del self.items[event_id]
                return

    def refused(self, event_id: str | None) -> bool:
        """Takes note of what the server does not take; returns whether it was settings."""
        if event_id is None:
            return False
        self.items.pop(event_id, None)
        return self.updates.pop(event_id, None) is not None

    def again(self, told: Container[str]) -> list[JsonObject]:
        """Returns what the next connection is to be told again, in order: settings, then items.

        Args:
            told: ids of the items that it is told anyway.
        """
        items = (event for event in self.items.values() if _item_id(event) not in told)
        return [*self.updates.values(), *items]

    def lost(self) -> None:
        """Takes note that the connection is lost."""
        self.updates.pop(self._restoring or "", None)
        self._restoring = None


def _item_id(event: JsonObject) -> object:
    return (object_of(event, "item") or {}).get("id")
