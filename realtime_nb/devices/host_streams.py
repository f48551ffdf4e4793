"""The two ends of sound that devices call: what records blocks, and what plays tracks.

A device calls back every 20 ms on a thread of its own, where being late is heard as a click or
lost for good. What runs there copies bytes and appends to deques; it takes no lock. Even so it
needs the interpreter, for which any busy thread makes it wait 5 ms and more, so that both live in
a process of their own (`host_process`) where no other thread is busy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

from realtime_nb.devices.host_devices import (
    CallbackTime,
    StreamStatus,
    free_stream,
    open_stream,
    start_stream,
)
from realtime_nb.devices.host_tracks import Piece, PieceKind, Ring, Track

__all__ = ["Block", "Listener", "LossFinder", "Marks", "Player", "TrackMark"]

_LOOKS = 10
_NOTICED_S = 0.01
_DRIFT = 0.0005
"""How much slower than this computer's clock a device's may be; a cheap one's is."""


class Block(NamedTuple):
    """What was recorded at once."""

    number: int
    pcm: bytes
    lost: int  # samples that were lost shortly before, as the clock shows
    overflow: bool  # the device says that it has lost audio
    at_s: float  # when its last sample was recorded, on this computer's monotonic clock


class TrackMark(NamedTuple):
    """What the callback did: played a track's audio, ran dry in it, or came to its end."""

    kind: PieceKind
    track: int
    at_s: float  # when its first sample is heard, on this computer's monotonic clock
    frames: int


Marks = list[TrackMark | int]
"""What one block played, in order; a number is that of a flush: nothing of before it is played any
more."""


class LossFinder:
    """Finds lost audio: a device that has delivered too little for the time that went by.

    Not all systems say that audio was lost, and none says how much. A block comes late by chance,
    but ten in a row don't: what all of them are late by is missing. It takes 200 ms to see that,
    and less than 10 ms is not seen.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._frames = 0  # delivered, or known to be lost
        self._behind: deque[float] = deque(maxlen=_LOOKS)
        self._usual_s: float | None = None
        self._start_s = 0.0
        self._last_s = 0.0

    def count(self, frames: int, now_s: float) -> int:
        """Takes a block in. Returns how many samples turned out to be lost before it."""
        if not self._frames:
            self._start_s = self._last_s = now_s
        self._frames += frames
        self._behind.append(now_s - self._start_s - self._frames / self._sample_rate)
        passed_s, self._last_s = now_s - self._last_s, now_s
        if len(self._behind) < _LOOKS:
            return 0
        behind_s = min(self._behind)
        if self._usual_s is None or behind_s <= self._usual_s:
            self._usual_s = behind_s
        elif behind_s - self._usual_s >= _NOTICED_S:
            return self._lose(behind_s - self._usual_s)
        else:
            self._usual_s = min(behind_s, self._usual_s + _DRIFT * passed_s)
        return 0

    def _lose(self, lost_s: float) -> int:
        lost = round(lost_s * self._sample_rate)
        self._frames += lost
        for _ in range(len(self._behind)):
            self._behind.append(self._behind.popleft() - lost / self._sample_rate)
        return lost


class Listener:
    """Records a device.

    Args:
        device: number or name (a part will do); the system's default if None.
        take: called back with every block.

    Raises:
        ConfigurationError: sounddevice or PortAudio is not installed, there is no such microphone,
            or it can't be used.
    """

    def __init__(self, device: int | str | None, take: Callable[[Block], None]) -> None:
        self._take = take
        self._quiet = False
        self._blocks = 0
        self._stream, self.sample_rate = open_stream("input", device, self._record)
        self._losses = LossFinder(self.sample_rate)
        start_stream(self._stream, "input")

    def quiet(self, on: bool) -> None:
        """Records silence in place of what is there."""
        self._quiet = on

    def close(self) -> None:
        """Frees the device."""
        free_stream(self._stream)

    def _record(self, data: Any, frames: int, time: CallbackTime, status: StreamStatus) -> None:
        now_s = monotonic()
        lost = self._losses.count(frames, now_s)
        pcm = bytes(len(data)) if self._quiet else bytes(data)
        at_s = now_s - self._age_s(frames, time)
        self._take(Block(self._blocks, pcm, lost, bool(status.input_overflow), at_s))
        self._blocks += 1

    def _age_s(self, frames: int, time: CallbackTime) -> float:
        """Returns how long ago a block's last sample was recorded; 0 where the system does not
        say."""
        if time.inputBufferAdcTime <= 0:
            return 0.0
        return max(0.0, time.currentTime - time.inputBufferAdcTime - frames / self.sample_rate)


class Player:
    """Plays tracks on a device, one after the other.

    Args:
        device: number or name (a part will do); the system's default if None.
        tell: called back with every block, with what it plays and when that will be heard.

    Raises:
        ConfigurationError: sounddevice or PortAudio is not installed, there is no such speaker, or
            it can't be used.
    """

    def __init__(self, device: int | str | None, tell: Callable[[Marks], None]) -> None:
        self._tell = tell
        self._stream, self.sample_rate = open_stream("output", device, self._fill)
        self._filling: dict[int, Track] = {}
        self._ring = Ring(self.sample_rate)  # read by the callback
        self._current = self._ring  # the callback's
        start_stream(self._stream, "output")

    def write(self, number: int, pcm: bytes) -> None:
        """Adds audio at the device's rate to a track, which begins with its first piece."""
        track = self._filling.get(number)
        if track is None:
            track = self._filling[number] = Track(number)
            self._ring.tracks.append(track)
        track.write(pcm)

    def end(self, number: int) -> None:
        """Says that no more audio of the track will come."""
        self._filling.pop(number).ended = True

    def flush(self, number: int) -> None:
        """Drops all that is there; what the device has taken already can't be called back."""
        self._filling.clear()
        # The callback sees the old ring or the new one, never one that is being emptied.
        self._ring = Ring(self.sample_rate, number)

    def close(self) -> None:
        """Frees the device."""
        free_stream(self._stream)

    def _fill(self, out: Any, frames: int, time: CallbackTime, status: StreamStatus) -> None:
        ahead_s = time.outputBufferDacTime - time.currentTime
        if ahead_s <= 0:  # some systems don't say
            ahead_s = self._stream.latency
        start_s = monotonic() + ahead_s
        ring, sound = self._ring, bytearray()
        marks: Marks = []
        if ring is not self._current:
            # Sound that breaks off would click.
            marks += self._sound(sound, self._current.take_fade(), start_s)
            marks.append(ring.number)
            self._current = ring
        elif status.output_underflow and ring.running is not None:
            marks += self._sound(sound, [Piece("dry", ring.running)], start_s)
        marks += self._sound(sound, ring.take(len(out) - len(sound)), start_s)
        out[:] = sound.ljust(len(out), b"\0")
        self._tell(marks)

    def _sound(self, sound: bytearray, pieces: list[Piece], start_s: float) -> list[TrackMark]:
        marks = []
        for kind, track, pcm in pieces:
            at_s = start_s + len(sound) / 2 / self.sample_rate
            marks.append(TrackMark(kind, track.number, at_s, len(pcm) // 2))
            sound += pcm
        return marks
