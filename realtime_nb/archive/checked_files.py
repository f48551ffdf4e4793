"""What a recording's files have to be before one is opened: somebody else may have made them.

A pipe or a device would never end, a link would be read or written to wherever it leads, and a size
or a time that nobody recorded would take all memory.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from realtime_nb.audio.files import LONGEST_S
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.audio.wav import GROWING_HEADER_BYTES
from realtime_nb.errors import RecordingError

__all__ = [
    "KEPT_NAME",
    "MOST_LOG_BYTES",
    "RECORDING_FILES",
    "check_file",
    "check_folder",
    "check_log",
    "longest_s",
]

_MOST_S = 7 * 24 * 3600.0
"""What lasts longer than `LONGEST_S` is believed up to this, as far as its files vouch for it."""
_S_PER_EVENT_BYTE = 1.0
"""A turn's events are tens of thousands of bytes: hours of silence between two are believed."""
_SOUND_SHARE = 2.0
"""The microphone may have been off for half of a session."""

_MOST_WAV_BYTES = round(LONGEST_S * SAMPLE_RATE) * 2 + GROWING_HEADER_BYTES
_MOST_LOG_BYTES = 2 << 30
MOST_LOG_BYTES = _MOST_LOG_BYTES // 2
"""Of a log that is read as a whole."""
_MOST_JSON_BYTES = 16 << 20

KEPT_NAME = "voices.json"
"""What was heard in a recording's audio, see :mod:`realtime_nb.recordings.kept_voices`."""

_SOUNDS = ("input.wav", "received.wav", "output.wav", "items.wav")

RECORDING_FILES = {
    "session.json": _MOST_JSON_BYTES,
    **dict.fromkeys(("events.jsonl", "playback.jsonl"), _MOST_LOG_BYTES),
    **dict.fromkeys(("tools.jsonl", "labels.jsonl", "connections.jsonl"), _MOST_LOG_BYTES),
    **dict.fromkeys(_SOUNDS, _MOST_WAV_BYTES),
    KEPT_NAME: _MOST_JSON_BYTES,
}
"""The files of a recording, and how large one may be: twelve hours of audio, 2 GiB of events. Audio
that the disk really holds may be of a week."""


def check_folder(folder: Path) -> None:
    """Looks at all files of a recording, as :func:`check_file` does.

    What is kept beside it can be made again: whoever reads that looks at it then.
    """
    for name in RECORDING_FILES:
        if name != KEPT_NAME:
            check_file(folder / name)


def check_file(path: Path) -> None:
    """Looks whether a file of a recording, if there is one, can be opened without harm.

    Raises:
        RecordingError: It is a link, a pipe, a device or a folder, or larger than any recording's.
    """
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(found.st_mode):
        what = "a link" if stat.S_ISLNK(found.st_mode) else "no regular file"
        raise RecordingError(
            f"{path} is {what}, and a recording's files are files of their own. Put the file "
            "itself there, if you trust it, or take it away."
        )
    most = RECORDING_FILES[path.name]
    if path.name in _SOUNDS and _is_held(found):
        most = round(_MOST_S * SAMPLE_RATE) * 2
    _check_size(path, found, most)


def _is_held(found: os.stat_result) -> bool:
    """Tells whether most of a file is on the disk: it costs nothing to make a sparse one."""
    blocks: int | None = getattr(found, "st_blocks", None)
    return blocks is None or blocks * 512 > found.st_size / 2


def check_log(path: Path) -> None:
    """Looks whether a log can be read as a whole; a link may lead to it, since somebody named it.

    Raises:
        RecordingError: It is a pipe or a device, or too large.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise RecordingError(f"{path} can't be read: {error.strerror or error}.") from error
    if not stat.S_ISREG(found.st_mode):
        raise RecordingError(
            f"{path} is no regular file. Write what it gives to a file, load that."
        )
    _check_size(path, found, MOST_LOG_BYTES)


def _check_size(path: Path, found: os.stat_result, most: int) -> None:
    if found.st_size > most:
        raise RecordingError(
            f"{path} has {found.st_size / 1e6:,.0f} MB, and no session gives more than "
            f"{most / 1e6:,.0f} MB of it ({LONGEST_S / 3600:.0f} hours of audio). It is damaged, "
            "or several sessions in one; take them apart."
        )


def longest_s(folder: Path) -> float:
    """Returns how long the session in a folder may have been, by how much was written of it.

    Up to twelve hours need no proof. Nothing that takes time or memory for each second shall be
    done because of a number in a file.
    """
    sizes = {name: _size(folder / name) for name in ("events.jsonl", *_SOUNDS)}
    sound_s = max(sizes[name] for name in _SOUNDS) / (2 * SAMPLE_RATE)
    vouched_s = max(_SOUND_SHARE * sound_s, _S_PER_EVENT_BYTE * sizes["events.jsonl"])
    return min(max(LONGEST_S, vouched_s), _MOST_S)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
