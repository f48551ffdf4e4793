"""Where an agent's audio comes from and goes to: the page, a file, this machine's sound card.

Each of these lives on the I/O thread, beside the session. A microphone hands its audio over through
a bounded queue; what a stall piles up beyond it is dropped, counted and said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from realtime_nb.devices import SimulatedSpeaker, Speaker
from realtime_nb.errors import RealtimeError
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.session import Session
from realtime_nb.widgets.microphone import Microphone
from realtime_nb.widgets.speaker import PlaybackReport as PageReport
from realtime_nb.widgets.speaker import Speaker as PageSpeaker

__all__ = ["AgentAudio", "BrowserAudio", "FileAudio", "QueuedInput"]

MAX_QUEUED_MS = 2_000
"""Microphone audio that may wait for the session; more is dropped and reported."""

_BYTES_PER_MS = 48
_SAMPLES_PER_MS = 24


class AgentAudio(Protocol):
    """A microphone and a speaker for one agent. All methods run on the I/O thread."""

    kind: str

    def speaker(self, session: Session) -> Speaker:
        """The speaker of a session that is being opened."""
        ...

    async def start(self, session: Session) -> None:
        """The session is open: the microphone may be used."""

    async def stop(self) -> None:
        """The session is over, or about to be."""

    async def talk(self) -> None:
        """Opens the microphone."""

    async def hush(self) -> None:
        """Closes the microphone."""

    def mute(self, muted: bool) -> None:
        """Keeps the microphone open, but silent."""


class QueuedInput:
    """Audio on its way from a device's thread into a session.

    Args:
        loop: the session's loop.
        problem: takes words for people when audio had to be dropped.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, problem: Callable[[str], None]) -> None:
        self._loop = loop
        self._problem = problem
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._queued_bytes = 0
        self._dropped_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self.open = False

    def push(self, pcm: bytes) -> None:
        """Takes a chunk, on any thread."""
        self._loop.call_soon_threadsafe(self._put, pcm)

    def start(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Sends what comes from now on."""
        self._task = asyncio.create_task(self._send(send))

    async def stop(self) -> None:
        """Sends nothing any more and forgets what waits."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queued_bytes = 0

    def _put(self, pcm: bytes) -> None:
        if self._task is None or not self.open:
            return
        if self._queued_bytes > MAX_QUEUED_MS * _BYTES_PER_MS:
            if not self._dropped_bytes:
                self._problem("The connection is too slow: microphone audio is being dropped.")
            self._dropped_bytes += len(pcm)
            return
        self._dropped_bytes = 0
        self._queued_bytes += len(pcm)
        self._queue.put_nowait(pcm)

    async def _send(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            pcm = await self._queue.get()
            self._queued_bytes -= len(pcm)
            try:
                await send(pcm)
            except RealtimeError:
                return  # the session is over; whoever watches it says so


class BrowserAudio:
    """The microphone and the speaker of the page that shows the agent."""

    kind = "browser"

    def __init__(self, loop: asyncio.AbstractEventLoop, problem: Callable[[str], None]) -> None:
        self._input = QueuedInput(loop, problem)
        self._loop = loop
        self._speaker: BrowserSpeaker | None = None
        self.microphone = Microphone(lambda pcm, position: self._input.push(pcm), problem)
        self.page_speaker = PageSpeaker(self._report, gate=self.microphone)

    def speaker(self, session: Session) -> Speaker:
        """See `AgentAudio`."""
        self._speaker = BrowserSpeaker(self.page_speaker, session)
        return self._speaker

    async def start(self, session: Session) -> None:
        """See `AgentAudio`."""
        self._input.start(session.append)

    async def stop(self) -> None:
        """See `AgentAudio`."""
        await self.hush()
        await self._input.stop()
        self._speaker = None

    async def talk(self) -> None:
        """See `AgentAudio`. The page opens its microphone on the same press of the button."""
        self._input.open = True
        self.microphone.start()

    async def hush(self) -> None:
        """See `AgentAudio`."""
        self.microphone.stop()
        self._input.open = False

    def mute(self, muted: bool) -> None:
        """See `AgentAudio`."""
        self.microphone.muted = muted

    def close(self) -> None:
        """Takes both out of the page."""
        self.microphone.close()
        self.page_speaker.close()

    def _report(self, report: PageReport) -> None:
        self._loop.call_soon_threadsafe(self._take, report)

    def _take(self, report: PageReport) -> None:
        if self._speaker is not None:
            self._speaker.take(report)


class BrowserSpeaker:
    """The page's speaker as a session sees it: counts in session time, and what was heard."""

    def __init__(self, page: PageSpeaker, session: Session) -> None:
        self._page = page
        self._session = session
        self._heard: dict[str, bytearray] = {}  # written and not known to be played yet
        self._positions: dict[str, int] = {}  # bytes that were handed to the recording

    @property
    def playing(self) -> bool:
        """See `devices.Speaker`."""
        return bool(self._heard)

    def write(self, item_id: str, pcm: bytes) -> None:
        """See `devices.Speaker`."""
        self._heard.setdefault(item_id, bytearray()).extend(pcm)
        self._page.write(item_id, pcm)

    def end(self, item_id: str) -> None:
        """See `devices.Speaker`."""
        self._page.end(item_id)

    def flush(self) -> Awaitable[list[tuple[str, float]]]:
        """See `devices.Speaker`."""
        return asyncio.wrap_future(self._page.flush())

    async def close(self) -> None:
        """See `devices.Speaker`."""
        await self.flush()

    def take(self, report: PageReport) -> None:
        """Takes what the page tells of playback."""
        kind, item_id = report["kind"], report["item_id"]
        if kind == "unplayed":
            return
        now_s = self._session.clock()
        self._keep(item_id, report["played_samples"], now_s)
        if kind in ("finished", "flushed"):
            self._heard.pop(item_id, None)
            self._positions.pop(item_id, None)
        if kind != "progress":
            played_ms = report["played_samples"] / _SAMPLES_PER_MS
            self._session.playback_report(PlaybackReport(item_id, played_ms, kind, now_s))

    def _keep(self, item_id: str, played_samples: int, now_s: float) -> None:
        """Hands what was played since the last report to the recording."""
        audio = self._heard.get(item_id)
        if audio is None:
            return
        start = self._positions.get(item_id, 0)
        pcm = bytes(audio[start : 2 * played_samples])
        if pcm:
            self._positions[item_id] = start + len(pcm)
            start_s = round(max(0.0, now_s - len(pcm) / _BYTES_PER_MS / 1000), 6)
            self._session.audio_played(item_id, pcm, start_s)


class FileAudio:
    """A file instead of a voice: it is spoken each time that the agent is asked to listen."""

    kind = "file"

    def __init__(self, path: Path, problem: Callable[[str], None]) -> None:
        self._path = path
        self._problem = problem
        self._session: Session | None = None
        self._muted = False
        self._speaking: asyncio.Task[None] | None = None

    def speaker(self, session: Session) -> Speaker:
        """See `AgentAudio`."""
        return SimulatedSpeaker(
            session.clock, session.speed, session.playback_report, session.audio_played
        )

    async def start(self, session: Session) -> None:
        """See `AgentAudio`."""
        self._session = session

    async def stop(self) -> None:
        """See `AgentAudio`."""
        await self.hush()
        self._session = None

    async def talk(self) -> None:
        """See `AgentAudio`."""
        if self._session is None or self._muted:
            return
        await self.hush()
        self._speaking = asyncio.create_task(self._speak(self._session))

    async def _speak(self, session: Session) -> None:
        try:
            await session.play(self._path)
        except RealtimeError as error:
            self._problem(str(error))

    async def hush(self) -> None:
        """See `AgentAudio`."""
        task, self._speaking = self._speaking, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if self._session is not None:
                await self._session.close_microphone()

    def mute(self, muted: bool) -> None:
        """See `AgentAudio`."""
        self._muted = muted
