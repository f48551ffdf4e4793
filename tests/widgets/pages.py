"""A page that only listens, for tests of what widgets send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from realtime_nb.widgets.view import View

__all__ = ["ListeningPage"]


class ListeningPage:
    """Keeps what a widget sends. The widget sends when the test says so, and never by itself."""

    def __init__(self, widget: View) -> None:
        self.messages: list[dict[str, Any]] = []
        self.buffers: list[bytes] = []
        self._widget = widget
        widget._feed.close()
        widget._feed._closed = False
        widget._feed.changed = lambda: None  # type: ignore[method-assign]
        widget.post = self._take  # type: ignore[method-assign]

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
