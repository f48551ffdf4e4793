"""The speaker of this computer, for kernels that run where the person sits.

It is opened in a process of its own (`host_process`), so that a busy kernel costs no sound: what is
to be played is there already. Here is the loop's side: what there is to play, and what was heard
when.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Literal, NamedTuple

from realtime_nb.audio.pcm import SAMPLE_RATE, Resampler
from realtime_nb.devices.host_devices import Watchdog, wake
from realtime_nb.devices.host_process import open_player
from realtime_nb.devices.host_streams import Marks, TrackMark
from realtime_nb.devices.host_tracks import PlayedItem, faded
from realtime_nb.devices.simulated import AHEAD_MS, Clock
from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.protocol.conversation import PlaybackReport

__all__ = ["HostSpeaker", "OpenSpeaker"]

logger = logging.getLogger(__name__)

ECHO_TAIL_S = 0.2
"""How long a room still sounds after the speaker has stopped."""

FLUSH_TIMEOUT_S = 0.5
"""How long a device may take to stop until it is taken to be gone."""

_JITTER_S = 0.01
"""Blocks that are closer to each other than that were played without a gap."""


class OpenSpeaker:
    """A device that is open before there is anything to play.

    Opening it takes half a second and blocks, so do it on a thread.

    Args:
        device: number or name (a part will do); the system's default if None.

    Attributes:
        player: the device.

    Raises:
        ConfigurationError: sounddevice or PortAudio is not installed, there is no such speaker, or
            it can't be used.
    """

    def __init__(self, device: int | str | None = None) -> None:
        self._hear: Callable[[Marks], None] | None = None
        self.player = open_player(device, self._tell)

    def tell(self, hear: Callable[[Marks], None]) -> None:
        """Has somebody told what the device does, on a thread of its own."""
        self._hear = hear

    def close(self) -> None:
        """Frees the device; blocks."""
        self.player.close()

    def _tell(self, marks: Marks) -> None:
        if self._hear is not None:  # before, there was nothing to play
            self._hear(marks)


class _Flush(NamedTuple):
    number: int
    items: list[PlayedItem]
    done: asyncio.Future[list[tuple[str, float]]]
    timer: asyncio.TimerHandle


class HostSpeaker:
    """Plays the agent's voice on the speaker of this computer; see :class:`devices.Speaker`.

    What was played is told by the device's clock: a sample counts when it is heard, not when the
    device takes it. Answers are kept here until they are played, however long: the device's process
    has `AHEAD_MS` of them at most, and gets more by need.

    Args:
        clock: session time, at the pace of life.
        report: takes what the device reports.
        played: takes (item_id, PCM at 24 kHz, time of its first sample) of everything that was
            heard, soon after.
        device: number or name (a part will do); the system's default if None.
        opened: a device that is open already; it is closed with this.
        half_duplex: told True when the agent begins to be heard and False when the room is quiet
            again: :meth:`HostMicrophone.silence`, which keeps the agent from hearing itself. Nobody
            can interrupt it by voice then.
        on_problem: takes words for people, when the device is gone; by default they are logged.

    Attributes:
        underruns: how often there was nothing to play in the middle of an item.

    Raises:
        ConfigurationError: sounddevice or PortAudio is not installed, there is no such speaker, or
            it can't be used.
    """

    def __init__(
        self,
        clock: Clock,
        report: Callable[[PlaybackReport], None],
        played: Callable[[str, bytes, float], None],
        *,
        device: int | str | None = None,
        opened: OpenSpeaker | None = None,
        half_duplex: Callable[[bool], None] | None = None,
        on_problem: Callable[[str], None] = logger.warning,
    ) -> None:
        self.underruns = 0
        self._clock = clock
        self._report = report
        self._played = played
        self._on_problem = on_problem
        self._loop = asyncio.get_running_loop()
        self._room = _Room(self._loop, half_duplex or (lambda loud: None))
        self._items: list[PlayedItem] = []  # neither heard to their end nor flushed
        self._numbers: dict[int, PlayedItem] = {}  # by number: all that marks may still come for
        self._last_number = 0
        self._flushes: list[_Flush] = []
        self._flushed = 0  # number of the newest flush
        self._answered = 0  # number of the newest flush that is answered
        self._timer: asyncio.TimerHandle | None = None
        self._told_gone = False
        self._closed = False
        self._marks: deque[TrackMark | int] = deque()  # what is not over yet
        # Written on the device's thread:
        self._arrived: deque[TrackMark | int] = deque()
        self._released = 0  # number of the newest flush that the device has done
        self._calls = 0
        self._woken = False
        self._watchdog = Watchdog(self._loop, lambda: self._calls, self._gone)
        opened = opened or OpenSpeaker(device)
        self._player = opened.player
        self._sample_rate = self._player.sample_rate
        opened.tell(self._hear)
        self._watchdog.start()

    @property
    def playing(self) -> bool:
        """See :class:`devices.Speaker`."""
        return bool(self._items)

    def write(self, item_id: str, pcm: bytes) -> None:
        """Implements :class:`devices.Speaker`."""
        item = next((i for i in self._items if i.item_id == item_id and not i.ended), None)
        if item is None:
            self._last_number += 1
            item = PlayedItem(item_id, self._last_number, Resampler(SAMPLE_RATE, self._sample_rate))
            self._items.append(item)
            self._numbers[item.number] = item
        item.write(pcm)
        self._feed()

    def end(self, item_id: str) -> None:
        """Implements :class:`devices.Speaker`."""
        for item in self._items:
            if item.item_id == item_id:
                item.ended = True
        self._feed()

    def _feed(self) -> None:
        """Gives the device what it has room for, in order."""
        ahead_bytes = sum(item.ahead_bytes for item in self._items)
        for item in self._items:
            fed = item.fed_bytes
            pcm = item.feed(AHEAD_MS * BYTES_PER_MS - ahead_bytes)
            ahead_bytes += item.fed_bytes - fed
            if pcm:
                self._player.write(item.number, pcm)
            if not item.fed_all:
                return
            if item.ended and not item.closed:
                self._player.write(item.number, item.close())
                self._player.end(item.number)

    def flush(self) -> Awaitable[list[tuple[str, float]]]:
        """Implements :class:`devices.Speaker`.

        What the device has taken already, its latency's worth, can't be called back and counts.
        """
        self._flushed += 1
        self._player.flush(self._flushed)
        done: asyncio.Future[list[tuple[str, float]]] = self._loop.create_future()
        # A device that has stopped would never answer.
        timer = self._loop.call_later(FLUSH_TIMEOUT_S, self._give_up, self._flushed)
        self._flushes.append(_Flush(self._flushed, self._items, done, timer))
        self._items = []
        return done

    async def close(self) -> None:
        """Implements :class:`devices.Speaker`."""
        if self._closed:
            return
        if self._items:
            self.flush()
        if self._flushes:
            self._give_up(self._flushed)
        else:
            self._account()
        self._closed = True
        self._watchdog.stop()
        if self._timer is not None:
            self._timer.cancel()
        self._items.clear()
        self._room.quiet()
        await asyncio.to_thread(self._player.close)

    def _hear(self, marks: Marks) -> None:
        """Takes what the device did, on its thread."""
        self._calls += 1
        # The marks first: whoever sees a flush's number finds what was played before it.
        self._arrived.extend(marks)
        for mark in marks:
            if isinstance(mark, int):
                self._released = mark
        if (marks or self._marks) and not self._woken:
            self._woken = True
            wake(self._loop, self._account)

    # --- on the loop ---

    def _account(self) -> None:
        """Takes in what the device did, as far as it was heard by now."""
        self._woken = False  # before the marks are looked at: what comes later wakes again
        if not self._closed:
            self._take_marks(self._released)
            self._feed()

    def _take_marks(self, released: int) -> None:
        """Takes what was heard, and what comes before the flush of that number in any case.

        What is on its way to the ear can't be called back, so that a flush need not wait for it.
        """
        while self._arrived:
            self._marks.append(self._arrived.popleft())
        self._listen_to_room()
        now_s = monotonic()
        shift_s = self._clock() - now_s
        while self._marks:
            mark = self._marks[0]
            if isinstance(mark, int):
                self._answer_flushes(mark)
            else:
                wait_s = mark.at_s + mark.frames / self._sample_rate - now_s
                if wait_s > 0 and self._answered >= released:
                    self._call_again(wait_s)
                    break
                self._take_mark(mark, mark.at_s + shift_s)
            self._marks.popleft()
        self._listen_to_room()

    def _listen_to_room(self) -> None:
        # A flush where nothing plays, as there is at the start of each turn, is not heard.
        self._room.sounds(any(isinstance(mark, TrackMark) for mark in self._marks))

    def _call_again(self, wait_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(wait_s, self._account)

    def _take_mark(self, mark: TrackMark, t_s: float) -> None:
        item = self._numbers.get(mark.track)
        if item is None:  # of a flush that was given up
            return
        if mark.kind == "end":
            self._finish(item)
        elif mark.kind == "dry":
            self.underruns += 1
            self._tell(item, "underrun", t_s)
        else:
            if item.end_s is not None and abs(t_s - item.end_s) < _JITTER_S:
                t_s = item.end_s
            if not item.started:
                item.started = True
                self._tell(item, "started", t_s)
            pcm = item.heard(mark.frames, self._sample_rate)
            item.end_s = t_s + mark.frames / self._sample_rate
            self._played(item.item_id, faded(pcm) if mark.kind == "fade" else pcm, t_s)

    def _finish(self, item: PlayedItem) -> None:
        rest = item.heard_all()
        if rest and item.end_s is not None:
            self._played(item.item_id, rest, item.end_s)
        for items in (self._items, *(flush.items for flush in self._flushes)):
            if item in items:
                items.remove(item)
        del self._numbers[item.number]
        if item.started:
            self._tell(item, "finished", item.end_s or self._clock())

    def _answer_flushes(self, number: int) -> None:
        """Says how far the items before that flush were heard."""
        self._answered = max(self._answered, number)
        answered = [flush for flush in self._flushes if flush.number <= number]
        self._flushes = [flush for flush in self._flushes if flush.number > number]
        for flush in answered:
            flush.timer.cancel()
            stopped = [(i.item_id, i.played_ms(self._sample_rate)) for i in flush.items]
            for item in flush.items:
                del self._numbers[item.number]
                self._tell(item, "flushed", max(item.end_s or 0.0, self._clock()))
            if not flush.done.done():
                flush.done.set_result(stopped)

    def _give_up(self, number: int) -> None:
        """Answers flushes for a device that does not."""
        self._take_marks(number)
        self._answer_flushes(number)

    def _tell(
        self,
        item: PlayedItem,
        kind: Literal["started", "finished", "flushed", "underrun"],
        t_s: float,
    ) -> None:
        played_ms = item.played_ms(self._sample_rate)
        self._report(PlaybackReport(item.item_id, played_ms, kind, round(t_s, 6)))

    def _gone(self) -> None:
        """Lets go of what waits for a device that has stopped: it will not be heard."""
        if not self._told_gone:
            self._told_gone = True
            self._on_problem("The speaker takes no audio any more. Is it still plugged in?")
        if self._items:
            self.flush()
        self._give_up(self._flushed)


class _Room:
    """Whether the agent is to be heard in it, a moment of echo included.

    Args:
        tell: takes whether it is, whenever that changes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[bool], None]) -> None:
        self._loop = loop
        self._tell = tell
        self._loud = False
        self._timer: asyncio.TimerHandle | None = None

    def sounds(self, on: bool) -> None:
        """Takes whether the speaker plays."""
        if on:
            self._stop_timer()
            self._set(True)
        elif self._loud and self._timer is None:
            self._timer = self._loop.call_later(ECHO_TAIL_S, self.quiet)

    def quiet(self) -> None:
        """Takes the echo for over."""
        self._stop_timer()
        self._set(False)

    def _set(self, loud: bool) -> None:
        if loud != self._loud:
            self._loud = loud
            self._tell(loud)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
