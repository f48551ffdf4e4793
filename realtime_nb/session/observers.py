"""Those who are shown what a session does: widgets, meters, tests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent

__all__ = ["Observer", "Observers", "show_connection", "show_problem"]

logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Somebody who is shown what a session does, as its recorder is.

    One that has a method ``connection`` is shown each
    :class:`~realtime_nb.protocol.connections.ConnectionReport`, too; one that has a method
    ``problem``, the words of what a person should know.

    Calls come on the session's loop and must return at once.
    """

    def event(self, event: WireEvent) -> None:
        """Takes an event that crossed the wire."""

    def playback(self, report: PlaybackReport) -> None:
        """Takes what the speaker reported."""

    def tool(self, report: ToolReport) -> None:
        """Takes that a function began to run, how far it is, or how it ended."""


def show_connection(observer: Observer, report: ConnectionReport) -> None:
    """Shows an observer what becomes of the connection, if it has a method ``connection``."""
    take = getattr(observer, "connection", None)
    if take is not None:
        take(report)


def show_problem(observer: Observer, words: str) -> None:
    """Tells an observer what a person should know, if it has a method ``problem``."""
    take = getattr(observer, "problem", None)
    if take is not None:
        take(words)


class Observers:
    """The observers of one session; one that fails is dropped, and the session goes on."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []

    def add(self, observer: Observer) -> None:
        """Shows an observer everything from now on."""
        self._observers.append(observer)

    def show_event(self, event: WireEvent, shown: Callable[[WireEvent], WireEvent]) -> None:
        """Shows an event, as ``shown`` makes it; nothing is made where nobody looks."""
        if self._observers:
            seen = shown(event)
            self.show(lambda observer: observer.event(seen))

    def show(self, show: Callable[[Observer], None]) -> None:
        """Shows something to all of them."""
        for observer in list(self._observers):
            try:
                show(observer)
            except Exception:
                logger.exception("%r failed and is shown nothing more", observer)
                self._observers.remove(observer)
