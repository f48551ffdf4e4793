"""The microphone and the speaker of this computer, for kernels that run where the person sits.

The devices are opened in processes of their own (`host_process`), so that a busy kernel costs no
sound: what was recorded waits for it, and what is to be played is there already. Here is the
loop's side: chunks for the session, and what was heard when.

Nothing here cancels echo: use headphones, or half duplex.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from threading import Lock
from time import monotonic
from typing import Literal, NamedTuple

from realtime_nb.audio.pcm import SAMPLE_RATE, Resampler
from realtime_nb.devices.host_devices import BLOCK_MS, Watchdog
from realtime_nb.devices.host_process import ListenerProcess, open_listener, open_player
from realtime_nb.devices.host_streams import Block, Marks, TrackMark
from realtime_nb.devices.host_tracks import PlayedItem, faded
from realtime_nb.devices.simulated import AHEAD_MS, Clock
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.protocol.conversation import PlaybackReport

__all__ = ["HostMicrophone", "HostSpeaker", "OpenSpeaker"]

logger = logging.getLogger(__name__)

MAX_WAITING_MS = 2_000
"""Microphone audio that may wait for a stalled loop."""

ECHO_TAIL_S = 0.2
"""How long a room still sounds after the speaker has stopped."""

FLUSH_TIMEOUT_S = 0.5
"""How long a device may take to stop until it is taken to be gone."""

_LOSS_REPORTS_S = 5.0
_JITTER_S = 0.01
"""Blocks that are closer to each other than that were played without a gap."""


def _wake(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # the loop is closed, so nobody is left to hear of it
        return


class HostMicrophone:
    """Records the microphone of this computer as PCM16 mono at 24 kHz.

    While it is muted it goes on with silence, as the browser's does, so that turn detection hears
    the end of what was said before. Where the device lost audio, silence of the same length stands
    for it.

    Args:
        on_audio: takes each chunk, and when its last sample was recorded, on this computer's
            monotonic clock; on the loop's thread.
        device: number or name (a part will do); the system's default if None.
        chunk_ms: length of a chunk, 20 to 100.
        loop: where ``on_audio`` is called. Should it stall for more than two seconds, the oldest
            audio is dropped, counted and reported.
        on_problem: takes words for people about audio that was lost; by default they are logged.

    Attributes:
        dropped_ms: audio that was left out because the loop stalled.
        lost_ms: audio that the device itself has lost, as the clock shows.
        overflows: how often the sound system said that audio was lost; some never do.
    """

    def __init__(
        self,
        on_audio: Callable[[bytes, float], None],
        *,
        loop: asyncio.AbstractEventLoop,
        device: int | str | None = None,
        chunk_ms: int = 40,
        on_problem: Callable[[str], None] = logger.warning,
    ) -> None:
        if not 20 <= chunk_ms <= 100:
            raise ConfigurationError(f"chunk_ms is {chunk_ms}; give 20 to 100.")
        self.dropped_ms = 0
        self.lost_ms = 0.0
        self.overflows = 0
        self._on_audio = on_audio
        self._loop = loop
        self._device = device
        self._chunk_bytes = chunk_ms * BYTES_PER_MS
        self._on_problem = on_problem
        self._muted = False
        self._silenced = False
        self._listener: ListenerProcess | None = None
        self._changing = Lock()  # a stop that comes while the device is being opened waits
        self._sample_rate = SAMPLE_RATE
        self._resampler = Resampler(SAMPLE_RATE, SAMPLE_RATE)
        self._chunk = bytearray()
        self._blocks: deque[Block] = deque(maxlen=MAX_WAITING_MS // BLOCK_MS)
        self._expected = 0  # number of the next block, unless some are dropped
        self._recorded_s = 0.0  # when the last sample that was taken from a block was recorded
        self._woken = False
        self._calls = 0
        self._told = (0.0, 0)  # of lost_ms and overflows
        self._told_s = -_LOSS_REPORTS_S
        self._told_gone = False
        self._watchdog = Watchdog(loop, lambda: self._calls, self._gone)

    @property
    def muted(self) -> bool:
        """To be set at any time; what is recorded meanwhile is never kept."""
        return self._muted

    @muted.setter
    def muted(self, on: bool) -> None:
        self._muted = on
        self._quiet()

    def start(self) -> None:
        """Opens the device and records, from any thread; does nothing while it is recording.

        Raises:
            ConfigurationError: sounddevice or PortAudio is not installed, there is no such
                microphone, or it can't be used.
        """
        with self._changing:
            if self._listener is not None:
                return
            self._expected = 0
            self._told_gone = False
            self._woken = True  # nothing is taken until the rate is known
            self._listener = open_listener(self._device, self._hear)
            self._sample_rate = self._listener.sample_rate
            self._resampler = Resampler(self._sample_rate, SAMPLE_RATE)
            self._quiet()
            _wake(self._loop, self._watchdog.start)
            _wake(self._loop, self._take)

    def stop(self) -> None:
        """Frees the device, from any thread; what was recorded until now is still handed over."""
        with self._changing:
            listener, self._listener = self._listener, None
            if listener is None:
                return
            listener.close()
            _wake(self._loop, self._end)

    def silence(self, on: bool) -> None:
        """Records silence in place of what is there: half duplex, while the agent speaks."""
        self._silenced = on
        self._quiet()

    def _quiet(self) -> None:
        listener = self._listener
        if listener is not None:
            listener.quiet(self._muted or self._silenced)

    def _hear(self, block: Block) -> None:
        """Takes a block on the device's thread."""
        self._calls += 1
        self._blocks.append(block)  # drops the oldest when it is full
        if not self._woken:
            self._woken = True
            _wake(self._loop, self._take)

    def _take(self) -> None:
        self._woken = False  # before the queue is looked at: what comes later wakes again
        while self._blocks:
            block = self._blocks.popleft()
            if block.number > self._expected:
                self._dropped(block.number - self._expected)
            self._expected = block.number + 1
            self._recorded_s = block.at_s
            self.lost_ms += block.lost * 1000 / self._sample_rate
            self.overflows += block.overflow
            # What waits when the microphone is muted is not to be heard any more either.
            pcm = bytes(len(block.pcm)) if self._muted else block.pcm
            self._chunk += self._resampler.process_pcm(bytes(block.lost * 2) + pcm)
        self._tell_losses()
        while len(self._chunk) >= self._chunk_bytes:
            self._send(self._chunk_bytes)

    def _end(self) -> None:
        self._watchdog.stop()
        self._take()
        self._chunk += self._resampler.process_pcm(b"", last=True)
        if self._chunk:
            self._send(len(self._chunk))

    def _send(self, size: int) -> None:
        chunk = bytes(self._chunk[:size])
        del self._chunk[:size]
        rest_s = len(self._chunk) / BYTES_PER_MS / 1000
        self._on_audio(chunk, min(monotonic(), self._recorded_s - rest_s))

    def _dropped(self, blocks: int) -> None:
        self.dropped_ms += blocks * BLOCK_MS
        self._on_problem(
            f"{blocks * BLOCK_MS} ms of microphone audio were dropped, because it was not taken "
            f"for more than {MAX_WAITING_MS / 1000:g} s. Something blocks the event loop."
        )

    def _tell_losses(self) -> None:
        now_s = self._loop.time()
        losses = (self.lost_ms, self.overflows)
        if losses == self._told or now_s - self._told_s < _LOSS_REPORTS_S:
            return
        self._told, self._told_s = losses, now_s
        times = f"{self.overflows} overrun{'' if self.overflows == 1 else 's'} counted"
        if self.lost_ms:
            words = (
                f"The microphone has lost {self.lost_ms:.0f} ms of audio ({times}), which silence "
                "stands for."
            )
        else:
            words = f"The microphone may have lost moments of audio ({times})."
        self._on_problem(f"{words} The computer is too busy for its sound system.")

    def _gone(self) -> None:
        if not self._told_gone:
            self._told_gone = True
            self._on_problem("The microphone delivers nothing any more. Is it still plugged in?")


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
        self._half_duplex = half_duplex
        self._on_problem = on_problem
        self._loop = asyncio.get_running_loop()
        self._items: list[PlayedItem] = []  # neither heard to their end nor flushed
        self._numbers: dict[int, PlayedItem] = {}  # by number: all that marks may still come for
        self._last_number = 0
        self._flushes: list[_Flush] = []
        self._flushed = 0  # number of the newest flush
        self._answered = 0  # number of the newest flush that is answered
        self._timer: asyncio.TimerHandle | None = None
        self._quiet_timer: asyncio.TimerHandle | None = None
        self._loud = False
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
        for timer in (self._timer, self._quiet_timer):
            if timer is not None:
                timer.cancel()
        self._items.clear()
        self._quiet()
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
            _wake(self._loop, self._account)

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
        self._follow_loudness()
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
        self._follow_loudness()

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

    # --- half duplex ---

    def _follow_loudness(self) -> None:
        if self._half_duplex is None:
            return
        # A flush where nothing plays, as there is at the start of each turn, is not heard.
        if any(isinstance(mark, TrackMark) for mark in self._marks):
            if self._quiet_timer is not None:
                self._quiet_timer.cancel()
                self._quiet_timer = None
            if not self._loud:
                self._loud = True
                self._half_duplex(True)
        elif self._loud and self._quiet_timer is None:
            self._quiet_timer = self._loop.call_later(ECHO_TAIL_S, self._quiet)

    def _quiet(self) -> None:
        self._quiet_timer = None
        if self._loud and self._half_duplex is not None:
            self._loud = False
            self._half_duplex(False)
