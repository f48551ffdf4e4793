"""A page that only listens and a session that only tells, for tests of what widgets send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from realtime_nb.protocol.conversation import Conversation, PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.session import Session
from realtime_nb.widgets.view import LiveSession, View
from tests import scripted_session

__all__ = ["ListeningPage", "ToldSession"]


def as_live(session: Session) -> LiveSession:
    """For the type checker: a real session is what a view takes."""
    return session


class ToldSession:
    """Shows its observers what a test has happen, after the fold."""

    def __init__(self) -> None:
        self.script = scripted_session.LiveSession()
        self.observers: list[View] = []

    @property
    def conversation(self) -> Conversation:
        return self.script.conversation

    def observe(self, observer: View) -> None:
        self.observers.append(observer)

    def received(self, t_s: float, type: str, pcm: bytes | None = None, **fields: Any) -> None:
        self.script.received(t_s, type, **fields)
        for observer in self.observers:
            observer.event(WireEvent("received", {"type": type, **fields}, t_s, pcm))

    def sent(
        self,
        t_s: float,
        type: str,
        pcm: bytes | None = None,
        captured_s: float | None = None,
        **fields: Any,
    ) -> None:
        self.script.sent(t_s, type, captured_s=captured_s, **fields)
        for observer in self.observers:
            observer.event(WireEvent("sent", {"type": type, **fields}, t_s, pcm, captured_s))

    def playback(self, report: PlaybackReport) -> None:
        self.conversation.apply_playback(report)
        for observer in self.observers:
            observer.playback(report)

    def tool(self, report: ToolReport) -> None:
        self.script.tool(report)
        for observer in self.observers:
            observer.tool(report)


class ListeningPage:
    """Keeps what a widget sends. The widget sends when the test says so, and never by itself."""

    def __init__(self, widget: View) -> None:
        self.messages: list[dict[str, Any]] = []
        self.buffers: list[bytes] = []
        self._widget = widget
        widget._feed.close()
        widget._feed._closed = False
        self.changes = 0
        widget._feed.changed = self._changed  # type: ignore[method-assign]
        widget.post = self._take  # type: ignore[method-assign]

    def _changed(self) -> None:
        self.changes += 1

    def _take(self, message: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        self.messages.append(message)
        self.buffers.append(b"".join(buffers))

    def say(self, kind: str, **facts: Any) -> None:
        """Sends the widget a message."""
        self._widget.on_message({"kind": kind, **facts}, [])

    def take(self) -> list[dict[str, Any]]:
        """What came since the last time."""
        self.messages, self.buffers = [], []
        self._widget.flush()
        return self.messages
