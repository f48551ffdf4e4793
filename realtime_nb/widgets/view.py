"""What the widgets that only show something have in common."""

from __future__ import annotations

import contextlib
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.widgets.feed import Feed
from realtime_nb.widgets.live import LiveWidget, PageMessage
from realtime_nb.widgets.page_text import style_text

__all__ = ["VIEW_STYLES", "LiveSession", "Outgoing", "View"]

_T = TypeVar("_T")

Outgoing = tuple[PageMessage, Sequence[bytes]]
"""A message for the page and its binary buffers."""

VIEW_STYLES = ("theme.css", "views.css", "calls.css", "timing.css")
"""The style sheets of every view."""

MAX_UNSEEN = 600
"""Messages that the page may leave unconfirmed; then it is taken to be gone. It confirms every
fiftieth, and there are about ten a second."""

_MAX_REQUESTS = 100
_TRIES = 5


class LiveSession(Protocol):
    """What a view needs of an open session."""

    @property
    def conversation(self) -> Conversation: ...  # noqa: D102

    def observe(self, observer: View) -> None: ...  # noqa: D102


class View(LiveWidget):
    """A widget that is told of changes and shows them, at most ten times a second.

    Nothing is sent before a page asked for it, and no more once the page is gone; one that comes
    back gets everything anew. What is shown is in no trait, hence not in the saved notebook.
    """

    _css: str = style_text(*VIEW_STYLES)

    def __init__(self, **settings: object) -> None:
        self._listening = False
        self._afresh = False
        self._unseen = 0
        self._note = self._note_told = ""
        self._requests: deque[PageMessage] = deque(maxlen=_MAX_REQUESTS)
        self._receiving = threading.Lock()
        self._feed = Feed(self._send_changes)
        super().__init__(**settings)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: shown by a notebook>"

    def flush(self) -> None:
        """Sends what has changed now, instead of within the next tenth of a second."""
        self._feed.flush()

    def close(self) -> None:
        """Ends the widget and its views."""
        if "_feed" in self.__dict__:  # not in one whose source could not be shown
            self._feed.close()
        super().close()

    def on_message(self, message: PageMessage, buffers: list[memoryview]) -> None:
        """Takes a message of the page: ``show`` (it has nothing yet), ``seen`` or a request."""
        with self._receiving:
            self._unseen = 0
            if message["kind"] == "show" or not self._listening:
                self._listening = self._afresh = True
            if message["kind"] not in ("show", "seen"):
                self._requests.append(message)
        self._feed.changed()

    def _note_that(self, words: str) -> None:
        """Says below the view, and in its summary, what it can't show and why; ``""``: nothing."""
        self._note = words
        self._start_afresh()

    def follow(self, session: LiveSession) -> None:
        """Shows a session, and what it does from now on; no other before it goes on."""
        if self._note:
            self._note_that("")
        session.observe(self)

    def event(self, event: WireEvent) -> None:
        """Takes an event of the session that is followed, as `session.driver.Observer` does."""

    def playback(self, report: PlaybackReport) -> None:
        """Takes what the speaker of the session that is followed reports."""

    def tool(self, report: ToolReport) -> None:
        """Takes when a function of the session that is followed began to run, or how it ended."""

    def connection(self, report: ConnectionReport) -> None:
        """Takes what becomes of the connection of the session that is followed."""
        self._feed.changed()

    def session_over(self) -> None:
        """Takes note that the session that is followed is over: nothing more is to come."""
        self._feed.changed()

    @abstractmethod
    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        """Returns what the page doesn't know yet; everything if ``afresh``."""

    def _answer(self, request: PageMessage) -> Iterator[Outgoing]:
        """Returns what there is to say to a request of the page."""
        return iter(())

    def _read(self, read: Callable[[], _T], otherwise: _T) -> _T:
        """Returns what is read of a fold that the session's thread goes on changing.

        No lock is held for that: the session must not wait for a view. A reading that meets a
        change is made again, now or when the view sends next.
        """
        for _ in range(_TRIES):
            with contextlib.suppress(RuntimeError):  # a dictionary grew while it was read
                return read()
        self._feed.changed()
        return otherwise

    def _withdraw(self, kind: str) -> None:
        """Forgets the page's requests of a kind that have no answer yet."""
        with self._receiving:
            kept = [request for request in self._requests if request["kind"] != kind]
            self._requests.clear()
            self._requests.extend(kept)

    def _start_afresh(self) -> None:
        """Has the page forget what it knows."""
        with self._receiving:
            self._afresh = True
        self._feed.changed()

    def _send_changes(self) -> None:
        self._stand_in.refresh_soon()
        if not self._listening:
            return
        with self._receiving:
            afresh, self._afresh = self._afresh, False
            requests = list(self._requests)
            self._requests.clear()
        if afresh and (self._note or self._note_told):  # a page keeps one until it is told another
            self._note_told = self._note
            self.post({"kind": "note", "words": self._note})
        for request in requests:
            self._send_all(self._answer(request))
        self._send_all(self._changes(afresh))

    def _send_all(self, messages: Iterator[Outgoing]) -> None:
        for message, buffers in messages:
            self.post(message, buffers)
            self._unseen += 1
        if self._unseen > MAX_UNSEEN:
            self._listening = False
