"""Tables of many recordings, kept so that no recording is read twice for them.

What is kept of a recording are its tables (150 kB of memory for a conversation of a minute, 320 kB
for one of five); never its table of events, its audio or the recording itself. They count as long
as none of the recording's files has changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from realtime_nb.analysis.exports import TABLES
from realtime_nb.errors import RealtimeError
from realtime_nb.recordings.kept_voices import KEPT_NAME

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.recordings.recording import Recording

__all__ = [
    "FROM_AUDIO",
    "FROM_EVENTS",
    "KEPT",
    "Attempt",
    "KeptTables",
    "MadeTables",
    "Stamp",
    "attempt",
    "made_with",
    "make_tables",
]

T = TypeVar("T")

FROM_EVENTS = ("calls", "speech", "usage", "labels")
FROM_AUDIO = (
    *("turns", "latency", "stages", "reconnections"),
    *("interruptions", "metrics", "findings"),
)
"""Those that listen to the audio, which takes several times as long as all of the others: latencies
begin where the voice ends in it."""

KEPT = (*FROM_EVENTS, *FROM_AUDIO)
"""All tables but that of the events, which is as large as the recording."""

Stamp = tuple[tuple[str, int, int, int, int], ...]
"""Of each file: its name, size, inode and times of change. No file can change and keep them all."""


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """What became of one recording: a value, or a sentence on what was wrong."""

    value: T | None = None
    problem: str | None = None


MadeTables = dict[str, Attempt["pd.DataFrame"]]
"""Tables by name."""


def attempt(work: Callable[[], T]) -> Attempt[T]:
    """Returns what the work returns, or what was wrong with it; nothing is raised."""
    try:
        return Attempt(work())
    except RealtimeError as error:
        return Attempt(problem=str(error))
    except Exception as error:
        return Attempt(problem=f"{type(error).__name__}: {error}")


def made_with(*names: str) -> tuple[str, ...]:
    """Returns the tables that are made together with these.

    A recording that is listened to gives all of its tables.
    """
    return KEPT if set(names) & set(FROM_AUDIO) else FROM_EVENTS


def make_tables(names: Sequence[str], recording: Recording) -> MadeTables:
    """Makes these tables; one that can't be made leaves the others alone."""
    return {name: attempt(lambda name=name: TABLES[name](recording)) for name in names}  # type: ignore[misc]


@dataclass(slots=True)
class _Kept:
    stamp: Stamp
    tables: dict[str, pd.DataFrame]


@dataclass(slots=True)
class KeptTables:
    """The tables of recordings, each as long as the recording is what it was."""

    _of: dict[Path, _Kept] = field(default_factory=dict)

    def missing(self, name: str, paths: Iterable[Path]) -> dict[Path, Stamp | None]:
        """Returns the recordings that have to be read for a table, each with its stamp of now.

        What is kept of a recording that has changed is forgotten.
        """
        found: dict[Path, Stamp | None] = {}
        for path in dict.fromkeys(paths):
            stamp, kept = _stamp(path), self._of.get(path)
            if kept is not None and kept.stamp != stamp:
                del self._of[path]
                kept = None
            if kept is None or name not in kept.tables:
                found[path] = stamp
        return found

    def keep(self, path: Path, stamp: Stamp | None, made: MadeTables) -> None:
        """Keeps what was made of a recording that had this stamp before it was read.

        What could not be made is not kept: it is tried again when it is asked for again.
        """
        tables = {name: one.value for name, one in made.items() if one.value is not None}
        if stamp is not None:
            self._of[path] = _Kept(stamp, tables)

    def outcome(self, path: Path, name: str) -> Attempt[pd.DataFrame]:
        """Returns one table of a recording of which it is not missing."""
        return Attempt(self._of[path].tables[name])


def _stamp(path: Path) -> Stamp | None:
    """Returns None when it can't be told, as of what is not there.

    What was heard is kept beside it, and is no part of it.
    """
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        files = [file for file in files if KEPT_NAME not in file.name]
        return tuple((file.name, *_state(file.stat())) for file in files)
    except OSError:
        return None


def _state(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns
