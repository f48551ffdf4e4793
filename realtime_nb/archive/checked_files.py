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
    "RECORDING_FILES",
    "check_file",
    "check_folder",
    "check_log",
    "is_believable",
]

_MOST_WAV_BYTES = round(LONGEST_S * SAMPLE_RATE) * 2 + GROWING_HEADER_BYTES
_MOST_LOG_BYTES = 2 << 30
_MOST_JSON_BYTES = 16 << 20

KEPT_NAME = "voices.json"
"""What was heard in a recording's audio, see :mod:`realtime_nb.recordings.kept_voices`."""

RECORDING_FILES = {
    "session.json": _MOST_JSON_BYTES,
    **dict.fromkeys(("events.jsonl", "playback.jsonl"), _MOST_LOG_BYTES),
    **dict.fromkeys(("tools.jsonl", "labels.jsonl"), _MOST_LOG_BYTES),
    **dict.fromkeys(("input.wav", "received.wav", "output.wav", "items.wav"), _MOST_WAV_BYTES),
    KEPT_NAME: _MOST_JSON_BYTES,
}
"""The files of a recording, and how large one may be: twelve hours of audio, 2 GiB of events."""


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
    _check_size(path, found, RECORDING_FILES[path.name])


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
    _check_size(path, found, _MOST_LOG_BYTES // 2)


def _check_size(path: Path, found: os.stat_result, most: int) -> None:
    if found.st_size > most:
        raise RecordingError(
            f"{path} has {found.st_size / 1e6:,.0f} MB, and no session gives more than "
            f"{most / 1e6:,.0f} MB of it ({LONGEST_S / 3600:.0f} hours of audio). It is damaged, "
            "or several sessions in one; take them apart."
        )


def is_believable(t_s: float) -> bool:
    """Tells whether a session may have a moment so many seconds after, or before, it began; NaN is
    one that is not known."""
    return not abs(t_s) > LONGEST_S
