"""What was sent to the server and not confirmed yet.

Servers confirm settings and items in the order in which they were sent. What a lost connection left
unconfirmed may never have arrived, so that the next one is told again; each item has an id of its
own, so that nothing is there twice. Responses apart from the conversation leave nothing behind in
it, so that one which was not whole is asked for again, unless a function was called in it.
"""

from __future__ import annotations

from collections.abc import Container

from realtime_nb.protocol.arbiter import is_apart
from realtime_nb.protocol.config import merge_patches
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.wire import object_of

__all__ = ["Unconfirmed"]

_MOST_APART = 64
"""Requests that are kept; a server that answers none of them answers none of the next, either."""


class Unconfirmed:
    """The settings and the items of one session that are under way.

    Attributes:
        settings: what was asked for and confirmed, as one ``session.update``.
        updates: settings that are not confirmed yet, by ``event_id``, in order.
        items: items that are not, likewise.
        apart: requests of responses apart from the conversation that are not done, likewise.
    """

    def __init__(self) -> None:
        self.settings: JsonObject = {}
        self.updates: dict[str, JsonObject] = {}
        self.items: dict[str, JsonObject] = {}
        self.apart: dict[str, JsonObject] = {}
        self._answered_by: dict[str, str] = {}  # response → request
        self._restoring: str | None = None

    def sent(self, event_id: str, event: JsonObject) -> None:
        """Takes note of what is sent."""
        match event.get("type"):
            case "session.update":
                self.updates[event_id] = event
            case "conversation.item.create":
                self.items[event_id] = event
            case "response.create" if is_apart(event):
                self.apart[event_id] = event
                if len(self.apart) > _MOST_APART:
                    del self.apart[next(iter(self.apart))]

    def begun(self, response_id: str) -> None:
        """Takes note that a response apart from the conversation began: servers answer in order."""
        begun = set(self._answered_by.values())
        request = next((event_id for event_id in self.apart if event_id not in begun), None)
        if request is not None:
            self._answered_by[response_id] = request

    def done(self, response_id: str) -> None:
        """Takes note that a response is not to be asked for again, whatever becomes of it."""
        self.apart.pop(self._answered_by.pop(response_id, ""), None)

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
        self.apart.pop(event_id, None)
        return self.updates.pop(event_id, None) is not None

    def again(self, told: Container[str]) -> list[JsonObject]:
        """Returns what the next connection is to be told again, in order: settings, then items,
        then requests.

        Args:
            told: ids of the items that it is told anyway.
        """
        items = (event for event in self.items.values() if _item_id(event) not in told)
        return [*self.updates.values(), *items, *self.apart.values()]

    def lost(self) -> None:
        """Takes note that the connection is lost."""
        self.updates.pop(self._restoring or "", None)
        self._answered_by.clear()
        self._restoring = None


def _item_id(event: JsonObject) -> object:
    return (object_of(event, "item") or {}).get("id")
