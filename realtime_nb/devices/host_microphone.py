"""The microphone of this computer, for kernels that run where the person sits.

It is opened in a process of its own (`host_process`), so that a busy kernel costs no sound: what
was recorded waits for it. Here is the loop's side: chunks for the session, and when they were
recorded.

Nothing here cancels echo: use headphones, or half duplex.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic

from realtime_nb.audio.pcm import SAMPLE_RATE, Resampler
from realtime_nb.devices.host_devices import BLOCK_MS, Watchdog, wake
from realtime_nb.devices.host_process import ListenerProcess, open_listener
from realtime_nb.devices.host_streams import Block
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.audio_formats import BYTES_PER_MS

__all__ = ["HostMicrophone"]

logger = logging.getLogger(__name__)

MAX_WAITING_MS = 2_000
"""Microphone audio that may wait for a stalled loop."""

_LOSS_REPORTS_S = 5.0


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
            wake(self._loop, self._watchdog.start)
            wake(self._loop, self._take)

    def stop(self) -> None:
        """Frees the device, from any thread; what was recorded until now is still handed over."""
        with self._changing:
            listener, self._listener = self._listener, None
            if listener is None:
                return
            listener.close()
            wake(self._loop, self._end)

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
            wake(self._loop, self._take)

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
