"""Microphone audio between a device and a session: bounded, and kept until there is a session.

What a stall piles up beyond the bounds is dropped, counted and said.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

from realtime_nb.agent.io_thread import IoThread
from realtime_nb.errors import RealtimeError
from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.session.session import Session

__all__ = ["MAX_KEPT_MS", "MAX_QUEUED_MS", "QueuedInput"]

MAX_QUEUED_MS = 2_000
"""Microphone audio that may wait for the connection; more is dropped and reported."""

MAX_KEPT_MS = 10_000
"""Microphone audio that is kept while the session is being opened; of more, the last is kept."""


class QueuedInput:
    """Audio on its way from a device's thread into a session.

    Args:
        thread: where the session is.
        problem: takes words for people when audio had to be dropped.

    Attributes:
        open: whether what comes is taken.
        dropped_ms: audio for which there was no room since it was last held or started.
    """

    def __init__(self, thread: IoThread, problem: Callable[[str], None]) -> None:
        self._thread = thread
        self._problem = problem
        self._chunks: deque[tuple[bytes, float]] = deque()
        self._queued_bytes = 0
        self._limit_ms = MAX_QUEUED_MS
        self._flowing = True
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.dropped_ms = 0.0
        self.open = False

    @property
    def queued_ms(self) -> float:
        """What waits."""
        return self._queued_bytes / BYTES_PER_MS

    def push(self, pcm: bytes, captured_s: float) -> None:
        """Does what `put` does, from any thread."""
        self._thread.call(self.put, pcm, captured_s)

    def put(self, pcm: bytes, captured_s: float) -> None:
        """Takes a chunk whose last sample was captured at that time of the monotonic clock.

        A session has a clock of its own, which begins with it: the time is put on that when the
        chunk is sent, for there may be no session yet. What was said before it is before 0.
        """
        if not self.open:
            return
        if self.queued_ms > self._limit_ms:
            if self._flowing:  # what waits has a place in the turn; the hole comes after it
                self._drop(pcm)
                return
            self._drop(self._take())  # nobody hears it yet: the last words matter
        self._chunks.append((pcm, captured_s))
        self._queued_bytes += len(pcm)
        self._idle.clear()
        self._work.set()

    def hold(self) -> None:
        """Keeps what comes from now on until `flow`."""
        self.forget()
        self._flowing, self._limit_ms = False, MAX_KEPT_MS
        self.dropped_ms = 0.0
        self.open = True

    def flow(self) -> None:
        """Sends what was kept, and then what comes."""
        if self._flowing:
            return
        self._flowing = True
        self._work.set()
        if self.dropped_ms:
            self._problem(
                f"Connecting took long: the first {self.dropped_ms / 1000:.1f} s of what you said "
                "were left out."
            )

    def start(self, session: Session) -> None:
        """Sends into a session from now on."""
        self._task = asyncio.create_task(self._send(session))

    async def sent(self) -> None:
        """Waits until everything taken so far is on its way; kept audio is not waited for."""
        if self._task is None or not self._flowing:
            return
        # The task, too: it ends with the session, and then nothing makes the queue idle.
        idle = asyncio.create_task(self._idle.wait())
        await asyncio.wait({idle, self._task}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()

    async def stop(self) -> None:
        """Sends nothing any more and forgets what waits."""
        task, self._task = self._task, None
        self.open = False
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.forget()
        self._flowing = True
        self.dropped_ms = 0.0

    def forget(self) -> None:
        """Drops what waits."""
        self._chunks.clear()
        self._queued_bytes = 0
        self._idle.set()

    def _take(self) -> bytes:
        pcm, _ = self._chunks.popleft()
        self._queued_bytes -= len(pcm)
        return pcm

    def _drop(self, pcm: bytes) -> None:
        if self._flowing and not self.dropped_ms:
            self._problem("The connection is too slow: microphone audio is being dropped.")
        self.dropped_ms += len(pcm) / BYTES_PER_MS

    async def _send(self, session: Session) -> None:
        while True:
            await self._work.wait()
            self._work.clear()  # before looking: a chunk that comes while one is sent sets it again
            while self._flowing and self._chunks:
                age_s = monotonic() - self._chunks[0][1]
                try:
                    await session.append(self._take(), session.clock() - age_s)
                except RealtimeError:
                    return  # the session is over; whoever watches it says so
                if self.queued_ms <= MAX_QUEUED_MS:  # until then, what was kept may wait longer
                    self._limit_ms = MAX_QUEUED_MS
            if not self._chunks:
                self._idle.set()
