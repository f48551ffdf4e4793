"""The call that a function is being run for: its id, its end before time, its progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from realtime_nb.errors import ToolError
from realtime_nb.tools.outputs import brief

__all__ = ["StopReason", "ToolCall"]

StopReason = Literal["timeout", "cancelled", "closed"]
"""Why nobody waits for a function any more: its time was over, it was cancelled on request, or its
session ended."""

_PROGRESS_GAP_S = 0.2
"""Of progress that comes faster than this, some is left out."""


class ToolCall:
    """The call that a function is run for; may be used on any thread.

    A function gets it in a parameter that is annotated ``rt.ToolCall``, of which the model is told
    nothing. An async function that is cancelled gets ``asyncio.CancelledError``; a plain one runs
    in a thread, which nobody can end but the function itself: it asks :attr:`cancelled`, or waits
    with :meth:`wait`::

        @rt.tool(timeout_s=60)
        def search(word: str, call: rt.ToolCall) -> list[str]:
            for page in pages():
                if call.cancelled:
                    return []
                call.progress(f"page {page.number}")

    Args:
        id: the ``call_id``.
        name: the function's.
        told: takes each piece of progress, on the thread that tells it.
        clock: seconds, which go on.

    Attributes:
        id: The ``call_id``: the same call has the same one, also after a reconnection, and it is
            run once. What a function does in a database may use it as the key.
        name: What the model called.
    """

    given_to_tools = True
    """A function's parameter of this type is given by whoever runs it, not by the model."""

    def __init__(
        self,
        id: str = "",
        name: str = "",
        told: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = id
        self.name = name
        self._told = told
        self._clock = clock
        self._told_s: float | None = None
        self._stopped = threading.Event()
        self._reason: StopReason | None = None
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<ToolCall {self.name} {self.id}{'' if self.reason is None else f' {self.reason}'}>"

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the result any more."""
        return self._stopped.is_set()

    @property
    def reason(self) -> StopReason | None:
        """Why nobody waits: ``timeout``, ``cancelled``, ``closed``; None while somebody does."""
        return self._reason

    def wait(self, timeout_s: float | None = None) -> bool:
        """Sleeps until the call is cancelled, at most so long; tells whether it is.

        For plain functions: it holds up the thread that it is called on.
        """
        return self._stopped.wait(timeout_s)

    def raise_if_cancelled(self) -> None:
        """Ends the function where nobody waits for its result any more.

        Raises:
            ToolError: The call was cancelled.
        """
        if self.cancelled:
            raise ToolError(f"{self.name} was ended before it was done ({self.reason}).")

    def progress(self, value: object) -> None:
        """Tells how far the function is: shown to people, not told to the model.

        What comes within 0.2 s of the one before is left out.
        """
        now_s = self._clock()
        with self._lock:
            early = self._told_s is not None and now_s - self._told_s < _PROGRESS_GAP_S
            if early or self._told is None or self.cancelled:
                return
            self._told_s = now_s
        self._told(brief(value))

    def stop(self, reason: StopReason) -> bool:
        """Tells the function that nobody waits any more; False if it was told before."""
        with self._lock:
            if self.cancelled:
                return False
            self._reason = reason
            self._stopped.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
        return True

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Calls back once when it is stopped, on the thread that does; at once if it is."""
        with self._lock:
            if not self.cancelled:
                self._callbacks.append(callback)
                return
        callback()
