"""Sends what has changed, at most so often, from a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Feed"]


class Feed:
    """Calls ``send`` soon after something changed, and at most once in ``interval_s``.

    :meth:`changed` costs next to nothing, so it may be called for every event. There is no thread
    while nothing changes.
    """

    def __init__(self, send: Callable[[], None], interval_s: float = 0.1) -> None:
        self._send = send
        self._interval_s = interval_s
        self._timer: threading.Timer | None = None
        self._last_s = -interval_s
        self._closed = False
        self._scheduling = threading.Lock()
        self._sending = threading.Lock()

    def changed(self) -> None:
        """Has ``send`` called soon; from any thread."""
        if self._waiting():
            return
        with self._scheduling:
            if self._waiting():
                return
            rest_s = self._last_s + self._interval_s - time.monotonic()
            # A little later rather than at once: what changes together is sent together.
            self._timer = threading.Timer(max(rest_s, self._interval_s / 5), self._fire)
            self._timer.daemon = True
            self._timer.name = "realtime_nb feed"
            self._timer.start()

    def flush(self) -> None:
        """Calls ``send`` now, on this thread."""
        with self._sending:
            if not self._closed:
                self._last_s = time.monotonic()
                self._send()

    def close(self) -> None:
        """Sends nothing from now on."""
        with self._scheduling:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _waiting(self) -> bool:
        """Tells whether there is nothing to arrange: a timer that is to fire sends all changes."""
        return self._closed or self._timer is not None

    def _fire(self) -> None:
        self._timer = None
        self.flush()
