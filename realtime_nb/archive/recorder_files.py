"""The open files of a recording that is being written, see :mod:`realtime_nb.archive.recorder`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.audio.wav import GrowingWav
from realtime_nb.protocol.events import JsonObject

__all__ = ["AudioChunk", "Entry", "OpenFiles", "new_folder", "open_private", "write_json"]


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """PCM16 that belongs at sample ``start`` of a WAV file."""

    file: str
    pcm: bytes
    start: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of the writer: audio first, then the line that may refer to it."""

    audio: tuple[AudioChunk, ...]
    file: str = ""
    line: bytes = b""

    @property
    def size(self) -> int:
        """Bytes to be written."""
        return len(self.line) + sum(len(chunk.pcm) for chunk in self.audio)


class OpenFiles:
    """The open files of a recording; one thread owns them.

    What is added waits until `flush`: a few large writes, because each write lets go of the
    interpreter and may wait long for its turn when other threads are busy.
    """

    def __init__(self, path: Path) -> None:
        self.waiting_bytes = 0
        self._path = path
        self._wavs: dict[str, GrowingWav] = {}
        self._audio: dict[str, list[AudioChunk]] = {}
        self._lines: dict[str, list[bytes]] = {}
        self._logs: dict[str, BinaryIO] = {}
        logs = ("events", "playback", "tools", "connections", "labels")
        try:
            for name in ("input.wav", "received.wav", "output.wav"):
                self._wav(name)
            for name in (f"{log}.jsonl" for log in logs):
                self._logs[name] = open_private(path / name, "ab", buffering=0)
        except OSError:
            with suppress(OSError):
                self.close()
            raise

    def _wav(self, name: str) -> GrowingWav:
        if name not in self._wavs:
            self._wavs[name] = GrowingWav(open_private(self._path / name, "wb"), SAMPLE_RATE)
        return self._wavs[name]

    def add(self, entry: Entry) -> None:
        """Takes an entry; nothing is written yet."""
        self.waiting_bytes += entry.size
        for chunk in entry.audio:
            self._audio.setdefault(chunk.file, []).append(chunk)
        if entry.file:
            self._lines.setdefault(entry.file, []).append(entry.line)

    def flush(self) -> None:
        """Hands everything to the operating system, audio before the lines that refer to it.

        One thread does, in the order of the queue: wherever the process ends, no line on disk
        speaks of audio that is not there, and none is missing before another of its file.
        """
        for name, chunks in self._audio.items():
            wav = self._wav(name)
            for start, pcm in _joined(chunks):
                wav.pad_to(start)
                wav.append(pcm)
            wav.flush()
        for name, lines in self._lines.items():
            _write_all(self._logs[name], b"\n".join(lines) + b"\n")
        self._audio.clear()
        self._lines.clear()
        self.waiting_bytes = 0

    def close(self) -> None:
        """Closes all of them, even if one fails."""
        with ExitStack() as stack:
            for wav in self._wavs.values():
                stack.callback(wav.close)
            for log in self._logs.values():
                stack.callback(log.close)


def _joined(chunks: Iterable[AudioChunk]) -> Iterator[tuple[int, bytes]]:
    """Starts and PCM of chunks that follow one another, as one."""
    start = end = 0
    pieces: list[bytes] = []
    for chunk in chunks:
        if chunk.start != end:
            yield start, b"".join(pieces)
            start, pieces = chunk.start, []
        pieces.append(chunk.pcm)
        end = chunk.start + len(chunk.pcm) // 2
    yield start, b"".join(pieces)


def _write_all(file: BinaryIO, content: bytes) -> None:
    remaining = memoryview(content)
    while remaining:
        remaining = remaining[file.write(remaining) :]


def new_folder(path: Path) -> None:
    """Makes a folder, and those above it that are missing; nobody else may look into it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(0o700)
    with suppress(OSError):  # a file system may know no modes; else the umask could take ours away
        path.chmod(0o700)


def open_private(path: Path, mode: str, buffering: int = -1) -> BinaryIO:
    """Opens a file that nobody else may read if it is made here; never through a link."""

    def opened(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)

    is_new = not os.path.lexists(path)
    file = cast(BinaryIO, open(path, mode, buffering, opener=opened))  # noqa: SIM115
    if is_new:
        with suppress(OSError):
            path.chmod(0o600)
    return file


def write_json(path: Path, content: JsonObject) -> None:
    """Replaces the file at once: a reader sees the old or the new one."""
    draft = path.with_suffix(".part")
    text = json.dumps(content, indent=2, default=str) + "\n"
    with open_private(draft, "wb") as file:
        file.write(text.encode())
    os.replace(draft, path)
