"""What was heard in a recording, kept beside it, so that opening it again costs nothing.

``voices.json`` in a recording's folder counts as long as the audio is what it was: the very files,
unchanged, or others of the same content. It is written of recordings that are closed and at least a
minute long; a folder that can't be written to, or a damaged file, changes nothing but how long it
takes.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path

import msgspec

from realtime_nb.analysis import voices
from realtime_nb.analysis.voices import Heard
from realtime_nb.archive.checked_files import KEPT_NAME, check_file, longest_s
from realtime_nb.archive.recorder_files import open_private
from realtime_nb.audio import (
    frame_detector,
    long_sound,
    pcm,
    silero,
    silero_weights,
    speech_ends,
)
from realtime_nb.errors import RecordingError
from realtime_nb.protocol import turns

__all__ = ["KEPT_NAME", "kept_or_heard"]

_LISTENED = ("input.wav", "output.wav")
_DETECTOR = (
    *(voices, speech_ends, frame_detector, silero, silero_weights),
    *(turns, pcm, long_sound),
)
"""What makes the result what it is, beside the weights."""

_SETTLED_NS = 2_000_000_000
"""A file that was changed less before it was looked at may change again and look the same."""
_BLOCK_BYTES = 1 << 20


class _File(msgspec.Struct, frozen=True):
    """What a file is: as the file system has it, and by its content."""

    state: tuple[int, int, int, int]
    settled: bool
    digest: str = ""

    def is_same(self, other: _File) -> bool:
        """Tells whether nobody can have changed it in between."""
        return self.settled and self.state == other.state


class _Kept(msgspec.Struct, frozen=True):
    detector: str
    cuts_ms: list[float]
    files: dict[str, _File | None]
    user_ms: list[tuple[float, float]]
    agent: list[tuple[float, float]]


def kept_or_heard(folder: Path, cuts_ms: Sequence[float], listen: Callable[[], Heard]) -> Heard:
    """Returns what was heard in a recording's audio before, else listens and keeps it.

    Args:
        folder: of the recording, which is closed.
        cuts_ms: where its input was committed or cleared.
        listen: hears it.
    """
    files = {name: _file(folder / name) for name in _LISTENED}
    kept = _read(folder / KEPT_NAME)
    if kept is not None and _fits(kept, list(cuts_ms), folder, files):
        return Heard(kept.user_ms, kept.agent)
    heard = listen()
    if all(_is_unchanged(folder / name, file) for name, file in files.items()):
        _write(folder, list(cuts_ms), files, heard)
    return heard


def _file(path: Path) -> _File | None:
    try:
        status = path.stat()
    except OSError:
        return None
    changed_ns = max(status.st_mtime_ns, status.st_ctime_ns)
    state = (status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
    return _File(state, time.time_ns() - changed_ns > _SETTLED_NS)


def _is_unchanged(path: Path, before: _File | None) -> bool:
    """Tells whether it has not changed meanwhile; that it has settled meanwhile is no change."""
    now = _file(path)
    return (now and now.state) == (before and before.state)


def _read(path: Path) -> _Kept | None:
    try:
        check_file(path)
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, ValueError, RecursionError, RecordingError):
        return None
    moments_s = [*chain(*kept.agent), *(ms / 1000 for ms in chain(*kept.user_ms))]
    most_s = longest_s(path.parent)
    return kept if all(abs(moment_s) <= most_s for moment_s in moments_s) else None


def _fits(kept: _Kept, cuts_ms: list[float], folder: Path, files: dict[str, _File | None]) -> bool:
    """Tells whether it was heard by this detector in this audio; of other files, the content
    counts."""
    if (kept.detector, kept.cuts_ms) != (_detector(), cuts_ms) or not kept.detector:
        return False
    if kept.files.keys() != files.keys():
        return False
    moved = False
    for name, file in files.items():
        before = kept.files[name]
        if before is None or file is None:
            if before is not file:
                return False
        elif not before.is_same(file):
            if not before.digest or before.digest != _digest(folder / name):
                return False
            moved = True
    if moved:
        _write(folder, cuts_ms, files, Heard(kept.user_ms, kept.agent))
    return True


@cache
def _detector() -> str:
    """Returns a name for the detector: its code and its weights, so that no other has it."""
    paths = [Path(module.__file__) for module in _DETECTOR if module.__file__]
    return "".join(_digest(path)[:12] for path in (*paths, silero_weights.WEIGHTS_PATH))


def _digest(path: Path) -> str:
    """Returns a name for what is in a file; nothing where it can't be read."""
    digest = hashlib.blake2b(digest_size=20)
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def _write(
    folder: Path, cuts_ms: list[float], files: dict[str, _File | None], heard: Heard
) -> None:
    named = {
        name: file and msgspec.structs.replace(file, digest=_digest(folder / name))
        for name, file in files.items()
    }
    kept = _Kept(_detector(), cuts_ms, named, heard.user_ms, heard.agent)
    part = folder / f".{KEPT_NAME}.{os.getpid()}-{threading.get_ident()}"
    try:
        with open_private(part, "wb") as file:
            file.write(msgspec.json.encode(kept))
        part.replace(folder / KEPT_NAME)
    except OSError:  # it may be somebody else's folder
        with suppress(OSError):
            part.unlink()
