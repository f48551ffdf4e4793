"""A microphone and a speaker without hardware: files spoken in real time, answers heard by a clock.

They follow an absolute schedule, so that no error adds up, and count what was really played, which
is what an interruption has to tell the server. Devices with hardware behind them offer the same
methods.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.protocol.conversation import PlaybackReport

__all__ = ["AHEAD_MS", "Clock", "SimulatedMicrophone", "SimulatedSpeaker", "Speaker"]

Clock = Callable[[], float]
"""Seconds of session time; above life's pace it runs faster than the wall clock."""

AHEAD_MS = 15_000
"""Audio that a player with hardware behind it holds at most: more than a stall ever takes, and no
more than is dropped in a moment. Answers come faster than they are heard, so the rest waits here,
and follows as that is played."""

_TICK_MS = 40
_CHUNK_MS = 40


class Speaker(Protocol):
    """What a session needs of whatever plays the agent's voice (24 kHz PCM16)."""

    def write(self, item_id: str, pcm: bytes) -> None:
        """Queues audio of an item."""

    def end(self, item_id: str) -> None:
        """Says that no more audio of the item will come."""

    def flush(self) -> Awaitable[list[tuple[str, float]]]:
        """Stops playback, before it returns: what is written after it is new and stays.

        Awaiting the result gives (item_id, played ms) of every item that was not played to its end.
        """
        ...

    @property
    def playing(self) -> bool:
        """Whether anything is left to be heard."""
        ...

    async def close(self) -> None:
        """Stops and frees the device; what was not played to its end is reported as flushed."""


@dataclass(slots=True)
class _Track:
    item_id: str
    pcm: bytearray = field(default_factory=bytearray)  # that was not played yet
    ended: bool = False
    played_bytes: int = 0
    started: bool = False

    @property
    def left(self) -> int:
        return len(self.pcm)


class SimulatedSpeaker:
    """Plays by the clock: from the moment audio is there, at the pace of life.

    Args:
        clock: session time.
        pace: session seconds per wall second.
        report: takes what a device would report.
        played: takes (item_id, PCM, time of its first sample) of everything that was heard.
    """

    def __init__(
        self,
        clock: Clock,
        pace: float,
        report: Callable[[PlaybackReport], None],
        played: Callable[[str, bytes, float], None],
    ) -> None:
        self._clock = clock
        self._pace = pace
        self._report = report
        self._played = played
        self._tracks: deque[_Track] = deque()
        self._run_start_s: float | None = None  # when this stretch without a pause began
        self._run_bytes = 0
        self._work = asyncio.Event()
        self._task = asyncio.create_task(self._tick())

    @property
    def playing(self) -> bool:
        """See :class:`Speaker`."""
        return bool(self._tracks)

    def write(self, item_id: str, pcm: bytes) -> None:
        """Implements :class:`Speaker`."""
        track = next((track for track in self._tracks if track.item_id == item_id), None)
        if track is None:
            track = _Track(item_id)
            self._tracks.append(track)
        track.pcm += pcm
        self._work.set()

    def end(self, item_id: str) -> None:
        """Implements :class:`Speaker`."""
        for track in self._tracks:
            if track.item_id == item_id:
                track.ended = True
        self._work.set()

    def flush(self) -> Awaitable[list[tuple[str, float]]]:
        """Implements :class:`Speaker`."""
        self._advance()
        now_s = self._clock()
        stopped = [(track.item_id, track.played_bytes / BYTES_PER_MS) for track in self._tracks]
        self._tracks.clear()
        self._run_start_s = None
        for item_id, played_ms in stopped:
            self._report(PlaybackReport(item_id, played_ms, "flushed", now_s))
        done: asyncio.Future[list[tuple[str, float]]] = asyncio.get_running_loop().create_future()
        done.set_result(stopped)
        return done

    async def close(self) -> None:
        """Implements :class:`Speaker`."""
        self.flush()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            await self._work.wait()
            self._advance()
            if not self._tracks:
                self._work.clear()
                continue
            await asyncio.sleep(_TICK_MS / 1000 / self._pace)

    def _advance(self) -> None:
        """Plays everything that is due by now."""
        now_s = self._clock()
        while self._tracks:
            track = self._tracks[0]
            if track.left > 1:
                self._play_due(track, now_s)
                if track.left > 1:
                    return
            if not track.ended:
                self._run_dry(track)
                return
            self._tracks.popleft()
            if track.started:
                end_s = self._position_s(now_s)
                played_ms = track.played_bytes / BYTES_PER_MS
                self._report(PlaybackReport(track.item_id, played_ms, "finished", end_s))
        self._run_start_s = None

    def _position_s(self, now_s: float) -> float:
        if self._run_start_s is None:
            return now_s
        return round(self._run_start_s + self._run_bytes / BYTES_PER_MS / 1000, 6)

    def _play_due(self, track: _Track, now_s: float) -> None:
        if self._run_start_s is None:
            self._run_start_s = now_s
            self._run_bytes = 0
        start_s = self._position_s(now_s)
        due = int((now_s - self._run_start_s) * 1000 * BYTES_PER_MS) - self._run_bytes
        count = min(max(0, due), track.left) // 2 * 2
        if not track.started:
            track.started = True
            self._report(PlaybackReport(track.item_id, 0.0, "started", start_s))
        if not count:
            return
        pcm = bytes(track.pcm[:count])
        del track.pcm[:count]
        track.played_bytes += count
        self._run_bytes += count
        self._played(track.item_id, pcm, start_s)

    def _run_dry(self, track: _Track) -> None:
        if self._run_start_s is None:
            return
        end_s = self._position_s(self._run_start_s)
        self._run_start_s = None
        if track.started:
            played_ms = track.played_bytes / BYTES_PER_MS
            self._report(PlaybackReport(track.item_id, played_ms, "underrun", end_s))


@dataclass(slots=True)
class _Clip:
    pcm: bytes
    done: asyncio.Future[float]
    sent_bytes: int = 0
    end_byte: int = 0  # in the latest chunk


class SimulatedMicrophone:
    """Speaks clips into a session in real time and streams silence between them.

    A real microphone never stops, and turn detection needs the silence after the words.

    Args:
        clock: session time; chunk ``n`` is sent when its last sample would have been recorded.
        pace: session seconds per wall second.
        send: takes each chunk of PCM16 (24 kHz), and when its last sample was due.
        start_ms: position of the first sample on the input-sample clock.
    """

    def __init__(
        self,
        clock: Clock,
        pace: float,
        send: Callable[[bytes, float], Awaitable[None]],
        *,
        start_ms: float = 0.0,
    ) -> None:
        self._clock = clock
        self._pace = pace
        self._send = send
        self._start_ms = start_ms
        self._clips: deque[_Clip] = deque()
        self._task = asyncio.create_task(self._stream())

    async def speak(self, pcm: bytes) -> float:
        """Speaks a clip after those before it.

        Returns, when its last sample was sent, that sample's position on the input-sample clock.
        """
        clip = _Clip(pcm, asyncio.get_running_loop().create_future())
        self._clips.append(clip)
        if self._task.done():
            await self._task  # raises what ended the stream
        return await clip.done

    async def close(self) -> None:
        """Stops streaming; clips that were not spoken are given up."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for clip in self._clips:
            clip.done.cancel()

    async def _stream(self) -> None:
        start_s = self._clock()
        sent_ms = 0.0
        try:
            while True:
                due_s = start_s + (sent_ms + _CHUNK_MS) / 1000
                early_s = due_s - self._clock()
                if early_s > 0:
                    await asyncio.sleep(early_s / self._pace)
                await self._send(self._next_chunk(), due_s)
                self._end_clips(self._start_ms + sent_ms)
                sent_ms += _CHUNK_MS
        except Exception as error:
            for clip in self._clips:
                if not clip.done.done():
                    clip.done.set_exception(error)
            raise

    def _next_chunk(self) -> bytes:
        """Returns the next piece of the clips, which stay in the queue, and silence to fill it
        up."""
        size = _CHUNK_MS * BYTES_PER_MS
        chunk = bytearray()
        for clip in self._clips:
            piece = clip.pcm[clip.sent_bytes : clip.sent_bytes + size - len(chunk)]
            clip.sent_bytes += len(piece)
            chunk += piece
            clip.end_byte = len(chunk)
        return bytes(chunk.ljust(size, b"\0"))

    def _end_clips(self, chunk_ms: float) -> None:
        """Tells those whose clip was sent; ``chunk_ms``: where the chunk began."""
        while self._clips and self._clips[0].sent_bytes >= len(self._clips[0].pcm):
            clip = self._clips.popleft()
            if not clip.done.done():
                clip.done.set_result(chunk_ms + clip.end_byte / BYTES_PER_MS)
