"""The loudspeaker of a page as a session sees it.

The page plays and counts. Where no page is there to play (a notebook that is executed without a
browser), or where it goes away with audio unplayed, the clock plays in its place, so that nobody
waits for sound that won't come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from realtime_nb.devices import SimulatedSpeaker
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.session import Session
from realtime_nb.widgets.microphone import Lateness
from realtime_nb.widgets.speaker import PlaybackReport as PageReport
from realtime_nb.widgets.speaker import Speaker as PageSpeaker

__all__ = ["BrowserSpeaker"]

_BYTES_PER_MS = 48
_SAMPLES_PER_MS = 24
_LOOK_EVERY_S = 0.25
_MISSED_LOOKS = 16
"""Looks in a row without a word from the page, which reports four times a second while it plays."""


class BrowserSpeaker:
    """A session's speaker in the page.

    Args:
        page: the widget.
        session: whose audio it plays.
        problem: takes words for people.
    """

    def __init__(self, page: PageSpeaker, session: Session, problem: Callable[[str], None]) -> None:
        self._page = page
        self._session = session
        self._problem = problem
        self._clocked = SimulatedSpeaker(
            session.clock, session.speed, session.playback_report, session.audio_played
        )
        self._by_clock: set[str] = set()  # items that no page plays
        self._waiting: dict[str, bytearray] = {}  # with the page, and not known to be played yet
        self._kept_bytes: dict[str, int] = {}  # of those, what the recording has
        self._stopped: set[str] = set()
        self._heard_of = False
        self._lateness = Lateness()
        self._watching: asyncio.Task[None] | None = None

    @property
    def playing(self) -> bool:
        """See `devices.Speaker`."""
        return bool(self._waiting) or self._clocked.playing

    def write(self, item_id: str, pcm: bytes) -> None:
        """See `devices.Speaker`."""
        if item_id in self._stopped:
            return
        if item_id not in self._waiting and not self._usable:
            self._by_clock.add(item_id)
        if item_id in self._by_clock:
            self._clocked.write(item_id, pcm)
            return
        self._waiting.setdefault(item_id, bytearray()).extend(pcm)
        self._page.write(item_id, pcm)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    def end(self, item_id: str) -> None:
        """See `devices.Speaker`."""
        if item_id in self._by_clock:
            self._clocked.end(item_id)
        elif item_id in self._waiting:
            self._page.end(item_id)

    def flush(self) -> Awaitable[list[tuple[str, float]]]:
        """See `devices.Speaker`."""
        self._stopped.update(self._waiting)
        page = asyncio.wrap_future(self._page.flush())
        return self._flushed(page, self._clocked.flush())

    async def close(self) -> None:
        """See `devices.Speaker`."""
        await self.flush()
        if self._watching is not None:
            self._watching.cancel()
        await self._clocked.close()

    def take(self, report: PageReport) -> None:
        """Takes what the page tells of playback."""
        self._heard_of = True
        kind, item_id = report["kind"], report["item_id"]
        if kind == "unplayed" or item_id not in self._waiting:
            return
        now_s = self._happened_s(report)
        self._keep(item_id, report["played_samples"], now_s)
        if kind in ("finished", "flushed"):
            self._forget(item_id)
        if kind != "progress":
            played_ms = report["played_samples"] / _SAMPLES_PER_MS
            self._session.playback_report(PlaybackReport(item_id, played_ms, kind, now_s))

    @property
    def _usable(self) -> bool:
        return self._page.page is not None and self._page.status != "insecure"

    def _happened_s(self, report: PageReport) -> float:
        """When the page saw it, on the session's clock, which runs at the pace of life here."""
        now_s, page_time_ms = self._session.clock(), report["page_time_ms"]
        if page_time_ms is None:
            return now_s
        late_ms = self._lateness.late_ms(page_time_ms, monotonic())
        return round(max(0.0, now_s - late_ms / 1000), 6)

    async def _flushed(
        self, page: Awaitable[list[tuple[str, float]]], clocked: Awaitable[list[tuple[str, float]]]
    ) -> list[tuple[str, float]]:
        return [*await page, *await clocked]

    def _keep(self, item_id: str, played_samples: int, now_s: float) -> None:
        """Hands what was played since the last report to the recording."""
        audio = self._waiting.get(item_id)
        if audio is None:
            return
        start = self._kept_bytes.get(item_id, 0)
        pcm = bytes(audio[start : 2 * played_samples])
        if pcm:
            self._kept_bytes[item_id] = start + len(pcm)
            start_s = round(max(0.0, now_s - len(pcm) / _BYTES_PER_MS / 1000), 6)
            self._session.audio_played(item_id, pcm, start_s)

    def _forget(self, item_id: str) -> None:
        self._waiting.pop(item_id, None)
        self._kept_bytes.pop(item_id, None)

    async def _watch(self) -> None:
        """Notices that the page does not play: it is gone, or its browser won't let it."""
        missed = 0
        while self._waiting:
            self._heard_of = False
            await asyncio.sleep(_LOOK_EVERY_S)
            missed = 0 if self._heard_of else missed + 1
            if missed >= _MISSED_LOOKS or self._page.status == "insecure":
                self._give_up()

    def _give_up(self) -> None:
        """Takes for unheard what the page has not played."""
        if self._page.page is not None:
            self._problem(self._page.error or "The page does not play the agent's voice.")
        now_s = self._session.clock()
        self._page.flush()
        for item_id in list(self._waiting):
            played_ms = self._page.played_ms(item_id)
            self._stopped.add(item_id)
            self._forget(item_id)
            report = PlaybackReport(item_id, played_ms, "flushed", now_s)
            self._session.playback_report(report)
