"""The microphone and the speaker of this computer, for kernels that run where the person sits.

A device calls back every 20 ms on a thread of its own, where being late is heard as a click. What
runs there copies bytes and appends to deques; it takes no lock, and everything else happens on
the loop. Values that both sides know have one writer each.

Nothing here cancels echo: use headphones, or half duplex.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple

from realtime_nb.audio import SAMPLE_RATE, Resampler
from realtime_nb.devices import BYTES_PER_MS, Clock
from realtime_nb.errors import ConfigurationError
from realtime_nb.host_devices import (
    BLOCK_MS,
    CallbackTime,
    HostStream,
    StreamStatus,
    Watchdog,
    free_stream,
    open_stream,
    start_stream,
)
from realtime_nb.host_tracks import Piece, PieceKind, Ring, Track, faded
from realtime_nb.protocol.conversation import PlaybackReport

__all__ = ["HostMicrophone", "HostSpeaker"]

logger = logging.getLogger(__name__)

MAX_WAITING_MS = 2_000
"""Microphone audio that may wait for a stalled loop."""

ECHO_TAIL_S = 0.2
"""How long a room still sounds after the speaker has stopped."""

FLUSH_TIMEOUT_S = 0.5
"""How long a device may take to stop until it is taken to be gone."""

_OVERFLOW_REPORTS_S = 5.0
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
    the end of what was said before.

    Args:
        on_audio: takes the chunks, on the loop's thread.
        device: number or name (a part will do); the system's default if None.
        chunk_ms: length of a chunk, 20 to 100.
        loop: where ``on_audio`` is called. Should it stall for more than two seconds, the oldest
            audio is dropped, counted and reported.
        on_problem: takes words for people about audio that was lost; by default they are logged.

    Attributes:
        muted: to be set at any time; what is recorded meanwhile is never kept.
        dropped_ms: audio that was lost because the loop stalled.
        overflows: how often the device itself lost audio.
    """

    def __init__(
        self,
        on_audio: Callable[[bytes], None],
        *,
        loop: asyncio.AbstractEventLoop,
        device: int | str | None = None,
        chunk_ms: int = 40,
        on_problem: Callable[[str], None] = logger.warning,
    ) -> None:
        if not 20 <= chunk_ms <= 100:
            raise ConfigurationError(f"chunk_ms is {chunk_ms}; give 20 to 100.")
        self.muted = False
        self.dropped_ms = 0
        self.overflows = 0
        self._on_audio = on_audio
        self._loop = loop
        self._device = device
        self._chunk_bytes = chunk_ms * BYTES_PER_MS
        self._on_problem = on_problem
        self._silenced = False
        self._stream: HostStream | None = None
        self._resampler = Resampler(SAMPLE_RATE, SAMPLE_RATE)
        self._chunk = bytearray()
        self._blocks: deque[tuple[int, bytes]] = deque(maxlen=MAX_WAITING_MS // BLOCK_MS)
        self._recorded = 0  # blocks put in the queue
        self._taken = 0  # blocks that left it, or were dropped
        self._woken = False
        self._calls = 0
        self._told_overflows = 0
        self._told_s = -_OVERFLOW_REPORTS_S
        self._told_lost = False
        self._watchdog = Watchdog(loop, lambda: self._calls, self._lost)

    def start(self) -> None:
        """Opens the device and records, from any thread; does nothing while it is recording.

        Raises:
            ConfigurationError: sounddevice or PortAudio is not installed, there is no such
                microphone, or it can't be used.
        """
        if self._stream is not None:
            return
        stream, sample_rate = open_stream("input", self._device, self._record)
        self._resampler = Resampler(sample_rate, SAMPLE_RATE)
        self._told_lost = False
        start_stream(stream, "input")
        self._stream = stream
        _wake(self._loop, self._watchdog.start)

    def stop(self) -> None:
        """Frees the device, from any thread; what was recorded until now is still handed over."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        free_stream(stream)
        _wake(self._loop, self._end)

    def silence(self, on: bool) -> None:
        """Records silence in place of what is there: half duplex, while the agent speaks."""
        self._silenced = on

    def _record(self, data: Any, frames: int, time: CallbackTime, status: StreamStatus) -> None:
        """The device's callback."""
        self._calls += 1
        if status.input_overflow:
            self.overflows += 1
        pcm = bytes(len(data)) if self._silenced or self.muted else bytes(data)
        self._blocks.append((self._recorded, pcm))  # drops the oldest when it is full
        self._recorded += 1
        if not self._woken:
            self._woken = True
            _wake(self._loop, self._take)

    def _take(self) -> None:
        self._woken = False  # before the queue is looked at: what comes later wakes again
        while self._blocks:
            number, pcm = self._blocks.popleft()
            if number > self._taken:
                self._dropped(number - self._taken)
            self._taken = number + 1
            # What waits when the microphone is muted is not to be heard any more either.
            self._chunk += self._resampler.process_pcm(bytes(len(pcm)) if self.muted else pcm)
        self._tell_overflows()
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
        self._on_audio(chunk)

    def _dropped(self, blocks: int) -> None:
        self.dropped_ms += blocks * BLOCK_MS
        self._on_problem(
            f"{blocks * BLOCK_MS} ms of microphone audio were dropped, because it was not taken "
            f"for more than {MAX_WAITING_MS / 1000:g} s. Something blocks the event loop."
        )

    def _tell_overflows(self) -> None:
        now_s = self._loop.time()
        if self.overflows == self._told_overflows or now_s - self._told_s < _OVERFLOW_REPORTS_S:
            return
        self._told_overflows, self._told_s = self.overflows, now_s
        self._on_problem(
            f"The microphone has lost audio {self.overflows} times: the computer is too busy, or "
            "a computation does not let other threads run."
        )

    def _lost(self) -> None:
        if not self._told_lost:
            self._told_lost = True
            self._on_problem("The microphone delivers nothing any more. Is it still plugged in?")


class _Mark(NamedTuple):
    """What the callback did: played a track's audio, ran dry in it, or came to its end."""

    kind: PieceKind
    track: Track
    stream_s: float  # when its first sample is heard
    frames: int


class _Flush(NamedTuple):
    number: int
    tracks: list[Track]
    done: asyncio.Future[list[tuple[str, float]]]
    timer: asyncio.TimerHandle


class HostSpeaker:
    """Plays the agent's voice on the speaker of this computer; see :class:`devices.Speaker`.

    What was played is told by the device's clock: a sample counts when it is heard, not when the
    device takes it. A session's answers are kept here until they are played, however long.

    Args:
        clock: session time, at the pace of life.
        report: takes what the device reports.
        played: takes (item_id, PCM at 24 kHz, time of its first sample) of everything that was
            heard, soon after.
        device: number or name (a part will do); the system's default if None.
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
        self._tracks: list[Track] = []  # neither heard to their end nor flushed
        self._flushes: list[_Flush] = []
        self._answered = 0  # number of the newest ring whose flush is answered
        self._timer: asyncio.TimerHandle | None = None
        self._quiet_timer: asyncio.TimerHandle | None = None
        self._loud = False
        self._told_lost = False
        self._closed = False
        self._stream, self._sample_rate = open_stream("output", device, self._fill)
        # Shared with the callback:
        self._ring = Ring(self._sample_rate)
        self._marks: deque[_Mark | int] = deque()  # a number: the ring of that number is played
        self._woken = False
        # The callback's:
        self._current = self._ring
        self._released = 0  # number of the newest ring that it has turned to
        self._calls = 0
        self._watchdog = Watchdog(self._loop, lambda: self._calls, self._lost)
        start_stream(self._stream, "output")
        self._watchdog.start()

    @property
    def playing(self) -> bool:
        """See :class:`devices.Speaker`."""
        return bool(self._tracks)

    def write(self, item_id: str, pcm: bytes) -> None:
        """See :class:`devices.Speaker`."""
        track = next((t for t in self._tracks if t.item_id == item_id and not t.ended), None)
        if track is None:
            track = Track(item_id, Resampler(SAMPLE_RATE, self._sample_rate))
            self._tracks.append(track)
            self._ring.tracks.append(track)
        track.write(pcm)

    def end(self, item_id: str) -> None:
        """See :class:`devices.Speaker`."""
        for track in self._tracks:
            if track.item_id == item_id:
                track.end()

    def flush(self) -> Awaitable[list[tuple[str, float]]]:
        """See :class:`devices.Speaker`.

        What the device has taken already, its latency's worth, can't be called back and counts.
        """
        self._ring = Ring(self._sample_rate, self._ring.number + 1)
        done: asyncio.Future[list[tuple[str, float]]] = self._loop.create_future()
        # A device that has stopped would never answer.
        timer = self._loop.call_later(FLUSH_TIMEOUT_S, self._give_up, self._ring.number)
        self._flushes.append(_Flush(self._ring.number, self._tracks, done, timer))
        self._tracks = []
        return done

    async def close(self) -> None:
        """See :class:`devices.Speaker`."""
        if self._closed:
            return
        if self._flushes:
            self._give_up(self._ring.number)
        else:
            self._account()
        self._closed = True
        self._watchdog.stop()
        for timer in (self._timer, self._quiet_timer):
            if timer is not None:
                timer.cancel()
        self._tracks.clear()
        self._quiet()
        await asyncio.to_thread(free_stream, self._stream)

    # --- on the device's thread ---

    def _fill(self, out: Any, frames: int, time: CallbackTime, status: StreamStatus) -> None:
        """The device's callback."""
        self._calls += 1
        start_s = time.outputBufferDacTime
        if start_s <= time.currentTime:  # some systems don't say
            start_s = time.currentTime + self._stream.latency
        ring, sound = self._ring, bytearray()
        if ring is not self._current:
            # Sound that breaks off would click.
            self._sound(sound, self._current.take_fade(), start_s)
            self._marks.append(ring.number)
            self._current, self._released = ring, ring.number
        elif status.output_underflow and ring.running is not None:
            self._sound(sound, [Piece("dry", ring.running)], start_s)
        self._sound(sound, ring.take(len(out) - len(sound)), start_s)
        out[:] = sound.ljust(len(out), b"\0")
        if self._marks and not self._woken:
            self._woken = True
            _wake(self._loop, self._account)

    def _sound(self, sound: bytearray, pieces: list[Piece], start_s: float) -> None:
        for kind, track, pcm in pieces:
            at_s = start_s + len(sound) / 2 / self._sample_rate
            self._marks.append(_Mark(kind, track, at_s, len(pcm) // 2))
            sound += pcm

    # --- on the loop ---

    def _account(self) -> None:
        """Takes in what the callback did, as far as it was heard by now."""
        self._woken = False
        if not self._closed:
            self._take_marks(self._released)

    def _take_marks(self, released: int) -> None:
        """Takes what was heard, and what comes before the ring of that number in any case.

        What is on its way to the ear can't be called back, so that a flush need not wait for it.
        """
        self._follow_loudness()
        now_s = self._stream.time
        shift_s = self._clock() - now_s
        while self._marks:
            mark = self._marks[0]
            if isinstance(mark, int):
                self._answer_flushes(mark)
            else:
                wait_s = mark.stream_s + mark.frames / self._sample_rate - now_s
                if wait_s > 0 and self._answered >= released:
                    self._call_again(wait_s)
                    break
                self._take_mark(mark, mark.stream_s + shift_s)
            self._marks.popleft()
        self._follow_loudness()

    def _call_again(self, wait_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(wait_s, self._account)

    def _take_mark(self, mark: _Mark, t_s: float) -> None:
        track = mark.track
        if mark.kind == "end":
            self._finish(track)
        elif mark.kind == "dry":
            self.underruns += 1
            self._tell(track, "underrun", t_s)
        else:
            if track.end_s is not None and abs(t_s - track.end_s) < _JITTER_S:
                t_s = track.end_s
            if not track.started:
                track.started = True
                self._tell(track, "started", t_s)
            pcm = track.heard(mark.frames, self._sample_rate)
            track.end_s = t_s + mark.frames / self._sample_rate
            self._played(track.item_id, faded(pcm) if mark.kind == "fade" else pcm, t_s)

    def _finish(self, track: Track) -> None:
        rest = track.heard_all()
        if rest and track.end_s is not None:
            self._played(track.item_id, rest, track.end_s)
        for tracks in (self._tracks, *(flush.tracks for flush in self._flushes)):
            if track in tracks:
                tracks.remove(track)
        if track.started:
            self._tell(track, "finished", track.end_s or self._clock())

    def _answer_flushes(self, number: int) -> None:
        """Says how far the rings before that number were heard."""
        self._answered = max(self._answered, number)
        answered = [flush for flush in self._flushes if flush.number <= number]
        self._flushes = [flush for flush in self._flushes if flush.number > number]
        for flush in answered:
            flush.timer.cancel()
            stopped = [(t.item_id, t.played_ms(self._sample_rate)) for t in flush.tracks]
            for track in flush.tracks:
                self._tell(track, "flushed", max(track.end_s or 0.0, self._clock()))
            if not flush.done.done():
                flush.done.set_result(stopped)

    def _give_up(self, number: int) -> None:
        """Answers flushes for a device that does not."""
        self._take_marks(number)
        self._answer_flushes(number)

    def _tell(
        self, track: Track, kind: Literal["started", "finished", "flushed", "underrun"], t_s: float
    ) -> None:
        played_ms = track.played_ms(self._sample_rate)
        self._report(PlaybackReport(track.item_id, played_ms, kind, round(t_s, 6)))

    def _lost(self) -> None:
        """The device has stopped: what waits for it will not be heard."""
        if not self._told_lost:
            self._told_lost = True
            self._on_problem("The speaker takes no audio any more. Is it still plugged in?")
        if self._tracks:
            self.flush()
        self._give_up(self._ring.number)

    # --- half duplex ---

    def _follow_loudness(self) -> None:
        if self._half_duplex is None:
            return
        if self._marks:
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
