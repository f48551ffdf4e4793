"""The loudspeaker of a page as a session sees it.

The page plays and counts. Where no page ever was (a notebook that is executed without a browser),
or where it can't sound, the clock plays in its place, so that nobody waits for sound that won't
come.

A page that goes away in the middle of an answer ends it, as an interruption does: the response is
cancelled and the server is told how much was heard, by the page's last report. An answer that
begins while the page is away (it is being reloaded) waits for it a while.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from time import monotonic

from realtime_nb.devices.simulated import SimulatedSpeaker
from realtime_nb.errors import RealtimeError
from realtime_nb.protocol.audio_formats import BYTES_PER_MS, SAMPLES_PER_MS
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.session.session import Session
from realtime_nb.widgets.microphone import Lateness
from realtime_nb.widgets.speaker import PagePlaybackReport, SpeakerWidget

__all__ = ["BrowserSpeaker"]

_LOOK_EVERY_S = 0.25
_MISSED_LOOKS = 16
"""Looks in a row without a word from the page, which reports four times a second while it plays."""
_AWAY_LOOKS = 60
"""Looks in a row for a page that has gone: so long it may take to reload."""

_GONE = "The page with the agent went away in the middle of an answer, so the answer was stopped."
_STAYS_AWAY = "No page shows the agent any more, so its answer was stopped."
_SILENT = "The page does not play the agent's voice, so the answer was stopped."


class BrowserSpeaker:
    """A session's speaker in the page.

    All of it runs on the I/O thread, the page's reports too (`take`), in the page's order.

    Args:
        page: the widget.
        session: whose audio it plays.
        problem: takes words for people.
    """

    def __init__(
        self, page: SpeakerWidget, session: Session, problem: Callable[[str], None]
    ) -> None:
        self._page = page
        self._session = session
        self._problem = problem
        self._clocked = SimulatedSpeaker(
            session.clock, session.pace, session.playback_report, session.audio_played
        )
        self._by_clock: set[str] = set()  # items that no page plays
        self._waiting: dict[str, bytearray] = {}  # for the page, and not known to be played yet
        self._kept_bytes: dict[str, int] = {}  # of the same items, what the recording has
        self._held: set[str] = set()  # of those waiting, the ones that no page has got yet
        self._ended: set[str] = set()
        self._stopped: set[str] = set()
        self._given_up: list[tuple[str, float]] = []  # and not told to the server yet
        self._interrupting: asyncio.Task[None] | None = None
        self._heard_of = False
        self._lateness = Lateness()
        self._watching: asyncio.Task[None] | None = None

    @property
    def playing(self) -> bool:
        """See `devices.Speaker`."""
        return bool(self._waiting) or self._clocked.playing

    def write(self, item_id: str, pcm: bytes) -> None:
        """Implements `devices.Speaker`."""
        if item_id in self._stopped:  # its audio was on the way when it was interrupted
            return
        if item_id not in self._waiting and not self._page.left and not self._usable:
            self._by_clock.add(item_id)
        if item_id in self._by_clock:
            self._clocked.write(item_id, pcm)
            return
        if item_id not in self._waiting and self._page.left:
            self._held.add(item_id)
        self._waiting.setdefault(item_id, bytearray()).extend(pcm)
        if item_id not in self._held:
            self._page.write(item_id, pcm)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    def end(self, item_id: str) -> None:
        """Implements `devices.Speaker`."""
        if item_id in self._by_clock:
            self._clocked.end(item_id)
        elif item_id in self._waiting:
            self._ended.add(item_id)
            if item_id not in self._held:
                self._page.end(item_id)

    def flush(self) -> Awaitable[list[tuple[str, float]]]:
        """Implements `devices.Speaker`."""
        # At once, not when the page has answered: that it has gone may be on its way here, and what
        # is being stopped already must not be given up as well.
        self._stopped.update(self._waiting)
        told, self._given_up = self._given_up, []
        told += self._stop(list(self._held), 0.0)
        page = asyncio.wrap_future(self._page.flush())
        return self._flushed(told, page, self._clocked.flush())

    async def close(self) -> None:
        """Implements `devices.Speaker`."""
        told = dict(await self.flush())
        for item_id in list(self._waiting):  # of which no report of the page has come
            played_ms = told.get(item_id, self._page.played_ms(item_id))
            self._keep(item_id, round(played_ms * SAMPLES_PER_MS), self._session.clock())
            self._stop([item_id], played_ms)
        for task in (self._watching, self._interrupting):
            if task is not None:
                task.cancel()
        await self._clocked.close()

    def take(self, report: PagePlaybackReport) -> None:
        """Takes what the page tells of playback."""
        self._heard_of = True
        kind, item_id = report["kind"], report["item_id"]
        if item_id not in self._waiting:
            return
        if kind == "unplayed":
            if item_id not in self._stopped:
                self._give_up(_GONE)
            return
        now_s = self._happened_s(report)
        self._keep(item_id, report["played_samples"], now_s)
        if kind in ("finished", "flushed"):
            self._forget(item_id)
        if kind != "progress":
            played_ms = report["played_samples"] / SAMPLES_PER_MS
            self._session.playback_report(PlaybackReport(item_id, played_ms, kind, now_s))

    @property
    def _usable(self) -> bool:
        return self._page.page is not None and self._page.status != "insecure"

    def _happened_s(self, report: PagePlaybackReport) -> float:
        """Returns when the page saw it, on the session's clock, which runs at the pace of life
        here."""
        now_s, page_time_ms = self._session.clock(), report["page_time_ms"]
        if page_time_ms is None:
            return now_s
        late_ms = self._lateness.late_ms(page_time_ms, monotonic())
        return round(max(0.0, now_s - late_ms / 1000), 6)

    async def _flushed(
        self,
        told: list[tuple[str, float]],
        page: Awaitable[list[tuple[str, float]]],
        clocked: Awaitable[list[tuple[str, float]]],
    ) -> list[tuple[str, float]]:
        return [*told, *await page, *await clocked]

    def _keep(self, item_id: str, played_samples: int, now_s: float) -> None:
        """Hands what was played since the last report to the recording."""
        audio = self._waiting.get(item_id)
        if audio is None:
            return
        kept = self._kept_bytes.get(item_id, 0)
        pcm = bytes(audio[: max(0, 2 * played_samples - kept)])
        if pcm:
            del audio[: len(pcm)]
            self._kept_bytes[item_id] = kept + len(pcm)
            start_s = round(max(0.0, now_s - len(pcm) / BYTES_PER_MS / 1000), 6)
            self._session.audio_played(item_id, pcm, start_s)

    def _forget(self, item_id: str) -> None:
        self._waiting.pop(item_id, None)
        self._kept_bytes.pop(item_id, None)
        self._held.discard(item_id)
        self._ended.discard(item_id)

    async def _watch(self) -> None:
        """Notices that the page does not play: it is gone, or its browser won't let it.

        Looks are counted, not seconds: while this loop is held up, no report can come either, and a
        page must not be given up for that.
        """
        missed = 0
        while self._waiting:
            self._heard_of = False
            await asyncio.sleep(_LOOK_EVERY_S)
            missed = 0 if self._heard_of else missed + 1
            if self._page.status == "insecure":
                self._leave_to_clock()
            elif self._page.left:
                if missed >= _AWAY_LOOKS:
                    self._give_up(_STAYS_AWAY)
            elif self._held:
                missed = 0
                self._hand_over()
            elif missed >= _MISSED_LOOKS:
                self._give_up(self._page.error or _SILENT)

    def _hand_over(self) -> None:
        """Gives what waited to a page that is there again."""
        held, self._held = self._held, set()
        for item_id, audio in self._waiting.items():
            if item_id in held:
                self._page.write(item_id, bytes(audio))
                if item_id in self._ended:
                    self._page.end(item_id)

    def _leave_to_clock(self) -> None:
        """Plays by the clock what a page has that will never sound, for those who read along."""
        self._page.flush()
        for item_id, audio in list(self._waiting.items()):
            ended = item_id in self._ended
            self._forget(item_id)
            self._by_clock.add(item_id)
            self._clocked.write(item_id, bytes(audio))
            if ended:
                self._clocked.end(item_id)

    def _give_up(self, words: str) -> None:
        """Stops an answer that nobody can hear, where the page last said that it played.

        What was played is kept for the interruption: `flush`, which it leads to, tells the server.
        """
        self._problem(words)
        for item_id in [one for one in self._waiting if one not in self._stopped]:
            self._given_up += self._stop([item_id], self._page.played_ms(item_id))
        self._page.flush()
        self._interrupting = asyncio.create_task(self._interrupt())

    async def _interrupt(self) -> None:
        with contextlib.suppress(RealtimeError):  # a session that is over was told in another way
            await self._session.interrupt()

    def _stop(self, item_ids: list[str], played_ms: float) -> list[tuple[str, float]]:
        """Reports items as stopped without the page's word."""
        now_s = self._session.clock()
        for item_id in item_ids:
            self._stopped.add(item_id)
            self._forget(item_id)
            report = PlaybackReport(item_id, played_ms, "flushed", now_s)
            self._session.playback_report(report)
        return [(item_id, played_ms) for item_id in item_ids]
