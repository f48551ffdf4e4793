"""Sound that is read where it is asked for, so that hours of it need little memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Protocol

import numpy as np

from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, samples_from_pcm

__all__ = ["LongSound", "PcmFileSound", "blocks", "joined", "part_of", "spooled"]

_BLOCK = 60 * SAMPLE_RATE
_HELD = 600 * SAMPLE_RATE
"""A sound that is longer is not held in memory: ten minutes, 58 MB."""


class LongSound(Protocol):
    """Mono sound as float32 samples, of which stretches are read; an array of them is one, too."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Samples: ...


def blocks(sound: LongSound, size: int = _BLOCK) -> Iterator[Samples]:
    """Yields a whole sound in order, ``size`` samples at a time."""
    for start in range(0, len(sound), size):
        yield sound[start : start + size]


class PcmFileSound:
    """PCM16 in a file.

    Args:
        path: of the file.
        start: where in it the sound begins, in bytes.
        samples: how many there are.
    """

    def __init__(self, path: Path, start: int, samples: int) -> None:
        self._path = path
        self._start = start
        self._samples = samples

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, part: slice, /) -> Samples:
        """Reads a stretch; where the file is shorter by now, it is, too."""
        first, last, _ = part.indices(self._samples)
        with self._path.open("rb") as file:
            file.seek(self._start + 2 * first)
            pcm = file.read(2 * max(0, last - first))
        return samples_from_pcm(pcm[: len(pcm) // 2 * 2])


def part_of(sound: LongSound, first: int, last: int) -> LongSound:
    """Returns what ``sound[first:last]`` is, to be read where it is asked for."""
    if isinstance(sound, np.ndarray):
        return sound[first:last]
    first, last, _ = slice(first, last).indices(len(sound))
    return _Part(sound, first, max(first, last))


def joined(sounds: Sequence[LongSound]) -> LongSound:
    """Returns sounds one after the other, to be read where they are asked for."""
    return sounds[0] if len(sounds) == 1 else _Joined(sounds)


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of a sound, by the numbers of its samples."""

    whole: LongSound
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, part: slice, /) -> Samples:
        first, last, _ = part.indices(len(self))
        return self.whole[self.first + first : self.first + max(first, last)]


class _Joined:
    """Sounds one after the other."""

    def __init__(self, sounds: Sequence[LongSound]) -> None:
        self._sounds = sounds
        self._starts = [0, *accumulate(len(sound) for sound in sounds)]

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, part: slice, /) -> Samples:
        first, last, _ = part.indices(len(self))
        found = [
            sound[max(0, first - start) : last - start]
            for sound, start in zip(self._sounds, self._starts, strict=False)
            if start < last and first < start + len(sound)
        ]
        return np.concatenate(found) if found else np.zeros(0, np.float32)


def spooled(pieces: Iterable[Samples]) -> LongSound:
    """Joins pieces of a sound: in memory or, from ten minutes on, in a temporary file."""
    held: list[Samples] = []
    count = 0
    rest = iter(pieces)
    for piece in rest:
        held.append(piece)
        count += len(piece)
        if count > _HELD:
            return _SpooledSound(chain(held, rest))
    return np.concatenate(held) if held else np.zeros(0, np.float32)


class _SpooledSound:
    """Float32 samples in a file without a name, which goes when nobody reads it any more."""

    def __init__(self, pieces: Iterable[Samples]) -> None:
        self._file: BinaryIO = tempfile.TemporaryFile(prefix="realtime_nb")  # noqa: SIM115
        self._reading = Lock()
        self._samples = 0
        for piece in pieces:
            self._file.write(np.ascontiguousarray(piece, np.float32).data)
            self._samples += len(piece)

    def __del__(self) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, part: slice, /) -> Samples:
        first, last, _ = part.indices(self._samples)
        with self._reading:
            self._file.seek(4 * first)
            return np.frombuffer(self._file.read(4 * max(0, last - first)), np.float32)
