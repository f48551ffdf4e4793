"""What a speaker of this computer has to play: the items' audio, filled here and taken there.

`PlayedItem` is the loop's side. `Track` and `Ring` are the device's: one thread fills them, the
device's callback takes, and no lock is between them, for the callback may wait for nobody. Instead,
every value has one writer, and deques are appended to at one end and emptied at the other.
"""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from realtime_nb.audio.pcm import SAMPLE_RATE, Resampler
from realtime_nb.protocol.audio_formats import BYTES_PER_MS

__all__ = ["FADE_MS", "PREBUFFER_MS", "Piece", "PieceKind", "PlayedItem", "Ring", "Track", "faded"]

PREBUFFER_MS = 120
"""Audio of an item that must be there before it is played: more than a server sends at once."""

FADE_MS = 5

PieceKind = Literal["audio", "fade", "dry", "end"]


@dataclass(slots=True, eq=False)
class PlayedItem:
    """What the loop knows of an item: the audio that it was given, and how much was heard of it."""

    item_id: str
    number: int  # of its track
    resampler: Resampler
    source: bytearray = field(default_factory=bytearray)  # 24 kHz PCM that was not heard yet
    source_bytes: int = 0
    fed_bytes: int = 0  # of the source, to the device
    closed: bool = False  # the device knows the end
    odd: bytes = b""
    ended: bool = False
    heard_frames: int = 0
    passed_bytes: int = 0  # of the source
    started: bool = False
    end_s: float | None = None  # of the last sample that was heard

    @property
    def ahead_bytes(self) -> int:
        """How much of the source the device has that was not heard yet."""
        return self.fed_bytes - self.passed_bytes

    @property
    def fed_all(self) -> bool:
        """Whether the device has all that came."""
        return self.fed_bytes == self.source_bytes

    def write(self, pcm: bytes) -> None:
        """Takes 24 kHz audio, of any number of bytes."""
        pcm = self.odd + pcm
        self.odd = pcm[len(pcm) // 2 * 2 :]
        pcm = pcm[: len(pcm) // 2 * 2]
        self.source += pcm
        self.source_bytes += len(pcm)

    def feed(self, most_bytes: int) -> bytes:
        """Returns, at the device's rate, the next of the source that it is to play, which is none
        where there is no room for any."""
        start = self.fed_bytes - self.passed_bytes
        piece = bytes(self.source[start : start + max(0, most_bytes) // 2 * 2])
        self.fed_bytes += len(piece)
        return self.resampler.process_pcm(piece)

    def close(self) -> bytes:
        """Returns what resampling had held back; the device learns that it is the last."""
        self.closed = True
        return self.resampler.process_pcm(b"", last=True)

    def played_ms(self, sample_rate: int) -> float:
        """Returns how much was heard."""
        return min(self.heard_frames * 1000 / sample_rate, self.source_bytes / BYTES_PER_MS)

    def heard(self, frames: int, sample_rate: int) -> bytes:
        """Counts frames that were heard; returns their audio at 24 kHz."""
        self.heard_frames += frames
        return self._pass(self.heard_frames * SAMPLE_RATE // sample_rate * 2)

    def heard_all(self) -> bytes:
        """Counts the rest, which resampling may have rounded off."""
        return self._pass(self.source_bytes)

    def _pass(self, until_byte: int) -> bytes:
        count = min(until_byte, self.source_bytes) - self.passed_bytes
        pcm = bytes(self.source[:count])
        del self.source[:count]
        self.passed_bytes += count
        return pcm


@dataclass(slots=True, eq=False)
class Track:
    """An item's audio at the device's rate. One thread fills it, the callback takes from it."""

    number: int
    # The filling thread's:
    written: int = 0  # bytes
    ended: bool = False
    # Both sides', in one direction:
    chunks: deque[bytes] = field(default_factory=deque)
    # The callback's:
    offset: int = 0  # in the first chunk
    taken: int = 0
    running: bool = False

    def write(self, pcm: bytes) -> None:
        """Adds audio."""
        if pcm:
            self.written += len(pcm)
            self.chunks.append(pcm)

    def take(self, wanted: int) -> bytes:
        """Takes up to that many bytes."""
        taken = bytearray()
        while self.chunks and len(taken) < wanted:
            chunk = self.chunks[0]
            piece = chunk[self.offset : self.offset + wanted - len(taken)]
            self.offset += len(piece)
            if self.offset == len(chunk):
                self.chunks.popleft()
                self.offset = 0
            taken += piece
        self.taken += len(taken)
        return bytes(taken)


class Piece(NamedTuple):
    """What is to be heard next of a track; ``dry``: nothing was there, ``end``: it was all."""

    kind: PieceKind
    track: Track
    pcm: bytes = b""


@dataclass(slots=True, eq=False)
class Ring:
    """Tracks that are to be played one after the other; a flush puts a new ring in its place."""

    sample_rate: int
    number: int = 0
    tracks: deque[Track] = field(default_factory=deque)

    def take(self, wanted: int) -> list[Piece]:
        """Takes up to that many bytes. Called back."""
        pieces: list[Piece] = []
        while wanted > 0 and self.tracks:
            track = self.tracks[0]
            ended = track.ended  # before its audio is looked at: none is added after the end
            if not (track.running or ended or self._buffered(track)):
                break
            track.running = True
            pcm = track.take(wanted)
            wanted -= len(pcm)
            if pcm:
                pieces.append(Piece("audio", track, pcm))
            elif ended:
                self.tracks.popleft()
                pieces.append(Piece("end", track))
            else:
                track.running = False
                pieces.append(Piece("dry", track))
        return pieces

    def take_fade(self) -> list[Piece]:
        """Returns the last of what is being heard, going down to nothing. Called back."""
        track = self.running
        if track is None:
            return []
        return [Piece("fade", track, faded(track.take(self.sample_rate * FADE_MS // 1000 * 2)))]

    @property
    def running(self) -> Track | None:
        """What is being heard."""
        return self.tracks[0] if self.tracks and self.tracks[0].running else None

    def _buffered(self, track: Track) -> bool:
        return track.written - track.taken >= self.sample_rate * PREBUFFER_MS // 1000 * 2


def faded(pcm: bytes) -> bytes:
    """Returns the audio, with its loudness going down to nothing."""
    samples = array("h", pcm)
    count = len(samples)
    return array("h", (s * (count - i) // count for i, s in enumerate(samples))).tobytes()
