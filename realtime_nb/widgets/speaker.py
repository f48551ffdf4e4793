"""The browser's loudspeaker: audio from the kernel into the page, and what of it was played."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Literal, NotRequired, TypedDict

import traitlets

from realtime_nb.devices.simulated import AHEAD_MS
from realtime_nb.errors import AudioError
from realtime_nb.protocol.audio_formats import BYTES_PER_MS, SAMPLES_PER_MS
from realtime_nb.widgets.live import LiveWidget, PageMessage, check_range
from realtime_nb.widgets.microphone import Microphone
from realtime_nb.widgets.page_text import module_text

__all__ = ["PagePlaybackReport", "SpeakerStatistics", "SpeakerWidget"]

_STATES = ["off", "ready", "playing", "suspended", "insecure"]
_PIECE_BYTES = 100 * BYTES_PER_MS
_LARGEST_BYTES = 2000 * BYTES_PER_MS
_AHEAD = AHEAD_MS * SAMPLES_PER_MS
_SEND_EVERY_S = 0.05
_FLUSH_LIMIT_S = 1.5
# More than a network packet holds: what goes before it is sent on, where it would wait for the
# page's acknowledgement of earlier packets (Nagle's algorithm, up to 40 ms).
_PUSH = bytes(65_536)
_KEPT_ITEMS = 256


class PagePlaybackReport(TypedDict):
    """What the page tells of playback."""

    kind: Literal["started", "progress", "finished", "underrun", "flushed", "unplayed"]
    item_id: str
    played_samples: int
    """Position in the item, at 24 kHz: samples that went to the sound device."""
    page_time_ms: float | None
    """When it happened, on the page's clock (ms since 1970); None if the page didn't tell."""
    silent_samples: NotRequired[int]
    """Of ``underrun``: how long the gap was."""
    unplayed_samples: NotRequired[int]
    """Of ``unplayed``: audio that went to a page which is gone, or came after a flush."""


@dataclass(frozen=True, slots=True)
class SpeakerStatistics:
    """Playback since the widget was made."""

    underruns: int = 0
    """Gaps within an item because its audio came too late."""
    silent_ms: float = 0.0
    """Length of all those gaps."""
    buffered_ms: float = 0.0
    """Audio written and not played yet."""
    unplayed_ms: float = 0.0
    """Audio that a page took with it, or that was written to a flushed item."""
    output_latency_ms: float = 0.0
    """From the page's buffer to the ear, as the browser estimates it."""


@dataclass(slots=True)
class _Item:
    written: int = 0  # samples, as all counts here
    sent: int = 0
    played: int = 0
    gone: int = 0  # up to here it was sent to pages that are gone
    reported_s: float = 0.0
    started: bool = False
    ended: bool = False
    flushed: bool = False
    finished: bool = False
    pending: bytearray = field(default_factory=bytearray)

    @property
    def open(self) -> bool:
        return not (self.finished or self.flushed)

    @property
    def in_page(self) -> int:
        """How much the page has that it did not play yet, as far as it has told."""
        return self.sent - max(self.played, self.gone)


@dataclass(slots=True)
class _Flush:
    future: Future[list[tuple[str, float]]]
    items: list[str]
    timer: threading.Timer


class SpeakerWidget(LiveWidget):
    """A loudspeaker in the page that knows what it has played.

    Methods may be called from any thread and return at once. Audio is PCM16 at 24 kHz, mono; an
    *item* is a piece that is counted by itself, such as one answer. The page holds `AHEAD_MS` of
    audio at most; what else is written waits here, and follows as that is played.

    Args:
        on_report: called on the comm's thread with each `PagePlaybackReport`; it must only hand
            over.
        gate: the microphone whose speech lowers this speaker at once, in the page.
        settings: ``prebuffer_ms`` (60 to 1000): audio that must be there before an item starts.

    Raises:
        ConfigurationError: a setting that there is not.
    """

    _esm = module_text("speaker.js")
    _worklet = traitlets.Unicode(module_text("playback.worklet.js")).tag(sync=True)
    _gate = traitlets.Unicode().tag(sync=True)

    status = traitlets.Enum(_STATES, "off")
    """What the loudspeaker in the page does; set by the page."""
    error = traitlets.Unicode()
    """What is wrong and what to do, in words; empty if nothing is."""
    prebuffer_ms = traitlets.Int(150, min=60, max=1000).tag(sync=True)

    def __init__(
        self,
        on_report: Callable[[PagePlaybackReport], None] | None = None,
        gate: Microphone | None = None,
        **settings: object,
    ) -> None:
        check_range("prebuffer_ms", settings.get("prebuffer_ms", 150), 60, 1000)
        self._on_report = on_report
        self._items: dict[str, _Item] = {}
        self._unsent: dict[str, _Item] = {}  # of which the page lacks audio, or the end
        self._flushes: dict[int, _Flush] = {}
        self._flush_count = 0
        self._ducked = False
        self._left = False
        self._sent_s = 0.0
        self._statistics = SpeakerStatistics()
        self._lock = threading.RLock()
        self._gate = gate._key if gate is not None else ""
        super().__init__(**settings)

    # --- playing ----------------------------------------------------------------------------------

    def write(self, item_id: str, pcm: bytes) -> None:
        """Adds audio to an item; it plays after what was written before it.

        Audio for an item that was flushed is not played, and reported as ``unplayed``.

        Raises:
            AudioError: half a sample.
        """
        if len(pcm) % 2:
            raise AudioError("PCM16 has two bytes per sample; keep an odd last byte for later.")
        with self._lock:
            item = self._item(item_id)
            if item.open:
                item.written += len(pcm) // 2
                item.pending += pcm
                self._unsent[item_id] = item
                reports = self._feed()
            else:
                reports = [self._lose(item_id, item, len(pcm) // 2)]
        for report in reports:
            self._tell(report)

    def end(self, item_id: str) -> None:
        """Has an item reported ``finished`` once it was played: no more audio will come for it."""
        with self._lock:
            item = self._item(item_id)
            if item.ended or not item.open:
                return
            item.ended = True
            self._unsent[item_id] = item
            reports = self._feed()
        for report in reports:
            self._tell(report)

    def flush(self) -> Future[list[tuple[str, float]]]:
        """Stops playback at once, with a short fade, and forgets what was not played.

        Returns:
            A future of ``(item_id, played_ms)`` of each item that was not finished, in the order
            written. The page answers with what it really played; if it takes longer than 1.5 s,
            the result is an estimate from its last report.
        """
        future: Future[list[tuple[str, float]]] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            items = [item_id for item_id, item in self._items.items() if item.open]
            if not items:
                future.set_result([])
                return future
            for item_id in items:
                self._items[item_id].flushed = True
                self._items[item_id].pending.clear()
            self._unsent.clear()
            self._flush_count += 1
            identity = self._flush_count
            timer = threading.Timer(_FLUSH_LIMIT_S, self._settle, (identity, None))
            timer.daemon, timer.name = True, "realtime_nb flush"
            self._flushes[identity] = _Flush(future, items, timer)
            timer.start()
            self._order({"kind": "flush", "id": identity})
            self._order({"kind": "push"}, _PUSH)
        return future

    def duck(self, on: bool) -> None:
        """Lowers the volume at once, or raises it again."""
        with self._lock:
            if on != self._ducked:
                self._ducked = on
                self._order({"kind": "duck", "on": on})

    @property
    def playing(self) -> bool:
        """Whether an item has started to sound and has not finished."""
        with self._lock:
            return any(item.started and item.open for item in self._items.values())

    @property
    def statistics(self) -> SpeakerStatistics:
        """Figures since the widget was made."""
        with self._lock:
            buffered = sum(item.written - item.played for item in self._items.values() if item.open)
            return replace(self._statistics, buffered_ms=buffered / SAMPLES_PER_MS)

    def played_ms(self, item_id: str) -> float:
        """Returns how much of an item the page has reported as played; 0 if it is unknown."""
        with self._lock:
            item = self._items.get(item_id)
            return item.played / SAMPLES_PER_MS if item is not None else 0.0

    @property
    def left(self) -> bool:
        """Whether the page that showed it has gone and no other has come yet."""
        with self._lock:
            return self._left

    def close(self) -> None:
        """Stops playback and takes the widget out of the page."""
        if self.comm is not None:
            with self._lock:
                flushes = list(self._flushes)
            for identity in flushes:
                self._settle(identity, None)
        super().close()

    def summary(self) -> str:
        """Returns one line."""
        return "Speaker (sounds while its kernel runs)"

    # --- the page ---------------------------------------------------------------------------------

    def on_message(self, message: PageMessage, buffers: list[memoryview]) -> None:
        """Takes the reports of the page that owns the speaker."""
        if message.get("page") != self.page:
            return
        kind = message["kind"]
        if kind == "state":
            self._take_state(message)
        elif kind == "flushed":
            played = {str(item): int(samples) for item, samples in message["played"]}
            self._settle(int(message["id"]), played, message["t"])
        else:
            self._take_report(message)

    def on_page(self) -> None:
        """Gives up what the old page had not played yet; the new one plays what comes."""
        reports = []
        with self._lock:
            self._left = self.page is None
            for identity in list(self._flushes):
                self._settle(identity, None)
            for item_id, item in self._items.items():
                lost = item.in_page
                item.gone = item.sent
                if item.open and lost:
                    reports.append(self._lose(item_id, item, lost))
                if item.open and item.ended and item_id not in self._unsent:
                    item.finished = True
                    if not lost:  # and only the page's word for it is missing
                        reports.append(_finished(item_id, item))
            reports += self._feed()
            self._drop_old_items()
            self._ducked = False
        self.status, self.error = "off", ""
        for report in reports:
            self._tell(report)

    def _take_state(self, message: PageMessage) -> None:
        with self._lock:
            self._statistics = replace(
                self._statistics, output_latency_ms=float(message["output_latency_ms"])
            )
        self.error, self.status = message["error"], message["status"]

    def _take_report(self, message: PageMessage) -> None:
        item_id, kind = str(message["item"]), message["kind"]
        with self._lock:
            item = self._items.get(item_id)
            if item is None:
                return
            if kind == "unplayed":
                reports = [self._lose(item_id, item, int(message["samples"]))]
            else:
                reports = [self._note(item_id, item, message), *self._feed()]
        for report in reports:
            self._tell(report)

    def _note(self, item_id: str, item: _Item, message: PageMessage) -> PagePlaybackReport:
        """Counts what the page says of an item that it plays."""
        item.played = max(item.played, int(message["played"]))
        item.reported_s = time.monotonic()
        item.started = True
        report = PagePlaybackReport(
            kind=message["kind"],
            item_id=item_id,
            played_samples=item.played,
            page_time_ms=message["t"],
        )
        if message["kind"] == "finished":
            item.finished = True
            self._drop_old_items()
        elif message["kind"] == "underrun":
            silent = report["silent_samples"] = int(message["silent"])
            self._statistics = replace(
                self._statistics,
                underruns=self._statistics.underruns + 1,
                silent_ms=self._statistics.silent_ms + silent / SAMPLES_PER_MS,
            )
        return report

    def _settle(
        self, identity: int, played: dict[str, int] | None, page_time_ms: float | None = None
    ) -> None:
        """Ends a flush: with the page's counts, or without them by an estimate."""
        with self._lock:
            flush = self._flushes.pop(identity, None)
            if flush is None:
                return
            flush.timer.cancel()
            result, reports = [], []
            for item_id in flush.items:
                item = self._items[item_id]
                if played is None:
                    item.played = self._estimate(item)
                else:
                    item.played = max(item.played, played.get(item_id, 0))
                result.append((item_id, item.played / SAMPLES_PER_MS))
                reports.append(
                    PagePlaybackReport(
                        kind="flushed",
                        item_id=item_id,
                        played_samples=item.played,
                        page_time_ms=page_time_ms,
                    )
                )
            self._drop_old_items()
        flush.future.set_result(result)
        for report in reports:
            self._tell(report)

    def _estimate(self, item: _Item) -> int:
        if not item.started:
            return 0
        since_s = time.monotonic() - item.reported_s
        return min(item.sent, item.played + int(since_s * 1000 * SAMPLES_PER_MS))

    # --- sending ----------------------------------------------------------------------------------

    def _item(self, item_id: str) -> _Item:
        return self._items.setdefault(item_id, _Item())

    def _feed(self) -> list[PagePlaybackReport]:
        """Sends what waits, in order, as far as the page has room for it.

        Once the page has said that it goes, a Jupyter server would keep all of it for nobody: then
        it is lost, and told.

        Returns:
            What is to be told of items that went nowhere.
        """
        reports: list[PagePlaybackReport] = []
        room = _AHEAD - sum(item.in_page for item in self._items.values() if item.open)
        while self._unsent:
            item_id, item = next(iter(self._unsent.items()))
            if self._left:
                reports += self._lose_pending(item_id, item)
            elif item.pending:
                room -= self._send_pending(item_id, item, room)
            if item.pending:
                break
            del self._unsent[item_id]
            if item.ended and item.sent > item.gone:
                self._order({"kind": "end", "item": item_id})
            elif item.ended:  # no page has any of it
                item.finished = True
                reports.append(_finished(item_id, item))
        return reports

    def _send_pending(self, item_id: str, item: _Item, room: int) -> int:
        """Sends as much of an item as there is room for, in pieces neither so small nor so large
        that the way suffers; returns how much."""
        now_s = time.monotonic()
        soon = item.ended or len(self._unsent) > 1 or len(item.pending) >= _PIECE_BYTES
        if not soon and now_s - self._sent_s < _SEND_EVERY_S:
            return 0
        before = item.sent
        while item.pending and (left := room - (item.sent - before)) > 0:
            piece = bytes(item.pending[: min(_LARGEST_BYTES, 2 * left)])
            del item.pending[: len(piece)]
            self._order({"kind": "audio", "item": item_id, "start": item.sent}, piece)
            item.sent += len(piece) // 2
            self._sent_s = now_s
        return item.sent - before

    def _lose_pending(self, item_id: str, item: _Item) -> list[PagePlaybackReport]:
        samples = len(item.pending) // 2
        item.pending.clear()
        item.sent += samples
        item.gone = item.sent
        return [self._lose(item_id, item, samples)] if samples else []

    def _order(self, message: PageMessage, *buffers: bytes) -> None:
        self.post({**message, "page": self.page}, buffers)

    def _lose(self, item_id: str, item: _Item, samples: int) -> PagePlaybackReport:
        self._statistics = replace(
            self._statistics,
            unplayed_ms=self._statistics.unplayed_ms + samples / SAMPLES_PER_MS,
        )
        return PagePlaybackReport(
            kind="unplayed",
            item_id=item_id,
            played_samples=item.played,
            page_time_ms=None,
            unplayed_samples=samples,
        )

    def _drop_old_items(self) -> None:
        """Forgets the oldest items that are over; an item lives on for late audio meanwhile."""
        over = [item_id for item_id, item in self._items.items() if not item.open]
        for item_id in over[: max(0, len(self._items) - _KEPT_ITEMS)]:
            if not any(item_id in flush.items for flush in self._flushes.values()):
                del self._items[item_id]

    def _tell(self, report: PagePlaybackReport) -> None:
        if self._on_report is not None:
            self._on_report(report)


def _finished(item_id: str, item: _Item) -> PagePlaybackReport:
    return PagePlaybackReport(
        kind="finished", item_id=item_id, played_samples=item.played, page_time_ms=None
    )
