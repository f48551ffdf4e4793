"""Many recordings at once: their tables as one, and any function over all of them.

::

    recordings = rt.Recordings("recordings")
    recordings.turns                                        # of all, with a column "recording"
    recordings.map(lambda rec: len(rec.turns))              # one after the other

    with ProcessPoolExecutor() as pool:                     # or any other executor
        recordings.map(count_turns, executor=pool)
    with dask.distributed.Client() as client:               # on a cluster
        recordings.map(count_turns, executor=client.get_executor())

A recording that can't be loaded or analysed doesn't stop the others, nor does it stop a loop over
them: it is left out with a warning, and what was wrong with it is in ``failures``.

Tables are kept. The first one that is asked for reads every recording and makes ``turns``,
``calls``, ``speech``, ``usage``, ``latency`` and ``labels`` of it; ``interruptions``, ``metrics``
and ``findings`` listen to the audio, and the first of these makes all nine. After that only
recordings whose files have changed are read again. What stays in memory are these small tables,
about 150 kB for a conversation of a minute and 320 kB for one of five; the recordings, their audio
and their events are not kept.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from realtime_nb.analysis.columns.frames import frame, of_recording
from realtime_nb.analysis.exports import TABLES, write_table
from realtime_nb.errors import ConfigurationError, RecordingError, at_call
from realtime_nb.recordings.kept_tables import (
    KEPT,
    Attempt,
    KeptTables,
    MadeTables,
    Stamp,
    attempt,
    made_with,
    make_tables,
)
from realtime_nb.recordings.listing import listing_html, listing_text
from realtime_nb.recordings.progress import progress_bar
from realtime_nb.recordings.recording import Recording, load

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Mapped", "Recordings"]

T = TypeVar("T")

_NAMED_FAILURES = 3


class Mapped(Sequence[T | None]):
    """What a function returned for each of many recordings, in their order.

    Attributes:
        paths: the recordings.
        failures: by path, a sentence on each recording that has no result; its place holds None.
    """

    def __init__(self, paths: Sequence[Path], outcomes: Sequence[Attempt[T]]) -> None:
        self.paths = list(paths)
        self._values = [outcome.value for outcome in outcomes]
        self.failures = {
            path: outcome.problem
            for path, outcome in zip(paths, outcomes, strict=True)
            if outcome.problem is not None
        }

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> T | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[T | None]: ...
    def __getitem__(self, index: int | slice) -> T | None | list[T | None]:
        return self._values[index]

    def __repr__(self) -> str:
        return f"<{len(self)} results{_failed(self.failures)}>"

    def results(self) -> list[tuple[Path, T]]:
        """Returns the paths and results of the recordings that did not fail."""
        return [
            (path, cast("T", value))
            for path, value in zip(self.paths, self._values, strict=True)
            if path not in self.failures
        ]

    @cached_property
    def table(self) -> pd.DataFrame:
        """All results as one table, with a first column ``recording`` that names each one's.

        DataFrames are put one below the other, mappings become rows, anything else a column
        ``value``.
        """
        import pandas as pd

        frames = []
        names = dict(zip(self.paths, _names(self.paths), strict=True))
        for path, value in self.results():
            frames.append(of_recording(_as_frame(value), names[path]))
        filled = [frame for frame in frames if len(frame)]
        if filled:
            return pd.concat(filled, ignore_index=True)
        return frames[0] if frames else of_recording(pd.DataFrame(), "")


@at_call
class Recordings(Sequence[Recording]):
    """The recordings in a folder, however deep, in the order of their names.

    Args:
        source: a folder; or paths of anything that :func:`realtime_nb.load` opens.

    Attributes:
        paths: what it consists of; each is loaded when it is needed, and not kept.
        failures: by path, a sentence on each recording that was left out of the table that was made
            last, or of the last loop over all.

    Raises:
        RecordingError: there is no such folder, or no recording in it.
    """

    def __init__(
        self, source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = "recordings"
    ) -> None:
        if isinstance(source, str | os.PathLike):
            self.paths = _found(Path(source))
        else:
            self.paths = [Path(path) for path in source]
        self.failures: dict[Path, str] = {}
        self._kept = KeptTables()

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Recording: ...
    @overload
    def __getitem__(self, index: slice) -> Recordings: ...
    def __getitem__(self, index: int | slice) -> Recording | Recordings:
        if isinstance(index, slice):
            part = Recordings(self.paths[index])
            part._kept = self._kept
            return part
        return load(self.paths[index])

    def __iter__(self) -> Iterator[Recording]:
        """Loads one after the other; those that can't be are left out, and warned of at the end."""
        self.failures = failures = {}
        for path in self.paths:
            outcome = attempt(lambda path=path: load(path))  # type: ignore[misc]
            if outcome.value is not None:
                yield outcome.value
            else:
                failures[path] = outcome.problem or ""
        if failures:
            _warn(failures, len(self), stacklevel=3)

    def __repr__(self) -> str:
        return listing_text(self.paths, _names(self.paths))

    def _repr_html_(self) -> str:
        return listing_html(self.paths, _names(self.paths))

    def map(
        self,
        func: Callable[[Recording], T],
        executor: Executor | None = None,
        progress: bool = True,
    ) -> Mapped[T]:
        """Calls a function with every recording.

        Args:
            func: what to do with one; for an executor of other processes, something that it can
                send there (a function of a module; Dask's also takes those of a notebook).
            executor: anything with the interface of ``concurrent.futures``; None works here, one
                after the other. On other machines the paths have to lead to the same files.
            progress: whether to show a bar after a second, in a terminal or a notebook.

        Returns:
            What it returned for each, in order; what failed is in ``failures``, and is warned of.
        """
        mapped = Mapped(self.paths, _outcomes(func, self.paths, executor, progress))
        if mapped.failures:
            _warn(mapped.failures, len(self))
        return mapped

    def table(
        self, name: str, executor: Executor | None = None, progress: bool = True
    ) -> pd.DataFrame:
        """Returns one table of all recordings, with a first column ``recording``.

        All but that of the events come from what is kept of recordings that haven't changed; see
        the head of this module. Each call returns a table of its own. What failed is in
        :attr:`failures`, is warned of, and is tried again the next time.

        Args:
            name: that of one of the properties, or ``events``.
            executor, progress: as for :meth:`map`.
        """
        _check_names([name])
        mapped = Mapped(self.paths, self._tables([name], executor, progress)[name])
        self.failures = mapped.failures
        if mapped.failures:
            _warn(mapped.failures, len(self))
        return mapped.table if mapped.results() else of_recording(frame(name, []), "")

    def _tables(
        self, names: Sequence[str], executor: Executor | None, progress: bool
    ) -> dict[str, list[Attempt[pd.DataFrame]]]:
        """Returns tables of all recordings; what is kept of these is read once at most."""
        kept = [name for name in names if name in KEPT]
        found = self._from_kept(kept, executor, progress) if kept else {}
        for name in set(names) - set(kept):
            work = partial(_table_of, name)
            found[name] = _outcomes(work, self.paths, executor, progress)
        return found

    def _from_kept(
        self, names: Sequence[str], executor: Executor | None, progress: bool
    ) -> dict[str, list[Attempt[pd.DataFrame]]]:
        places = [path.resolve() for path in self.paths]
        stamps: dict[Path, Stamp | None] = {}
        for name in names:
            stamps |= self._kept.missing(name, places)
        work = partial(make_tables, made_with(*names))
        made = _outcomes(work, list(stamps), executor, progress and bool(stamps))
        read: dict[Path, MadeTables] = {}
        for (path, stamp), outcome in zip(stamps.items(), made, strict=True):
            failed: Attempt[pd.DataFrame] = Attempt(problem=outcome.problem)
            read[path] = outcome.value or dict.fromkeys(names, failed)
            self._kept.keep(path, stamp, outcome.value or {})
        return {
            name: [
                read[path][name] if path in read else self._kept.outcome(path, name)
                for path in places
            ]
            for name in names
        }

    @property
    def turns(self) -> pd.DataFrame:
        """One row per user turn of all recordings."""
        return self.table("turns")

    @property
    def calls(self) -> pd.DataFrame:
        """One row per function call of all recordings."""
        return self.table("calls")

    @property
    def speech(self) -> pd.DataFrame:
        """One row per stretch of speech of all recordings."""
        return self.table("speech")

    @property
    def usage(self) -> pd.DataFrame:
        """One row per response of all recordings."""
        return self.table("usage")

    @property
    def latency(self) -> pd.DataFrame:
        """One row per user turn of all recordings."""
        return self.table("latency")

    @property
    def stages(self) -> pd.DataFrame:
        """One row per answered user turn of all recordings."""
        return self.table("stages")

    @property
    def reconnections(self) -> pd.DataFrame:
        """One row per loss of the connection in any of the recordings."""
        return self.table("reconnections")

    @property
    def labels(self) -> pd.DataFrame:
        """One row per mark made by a person in any of the recordings."""
        return self.table("labels")

    @property
    def interruptions(self) -> pd.DataFrame:
        """One row per interruption and per missed barge-in of all recordings."""
        return self.table("interruptions")

    @property
    def metrics(self) -> pd.DataFrame:
        """One row per metric of each recording."""
        return self.table("metrics")

    @property
    def findings(self) -> pd.DataFrame:
        """One row per finding of all recordings."""
        return self.table("findings")

    def to_parquet(
        self,
        folder: str | os.PathLike[str],
        tables: Sequence[str] = KEPT,
        executor: Executor | None = None,
        progress: bool = True,
    ) -> Mapped[int]:
        """Writes a Parquet dataset: ``folder/<table>/<recording>.parquet``.

        Every file of a table has the same columns and types, so that DuckDB, Polars, Spark or
        pandas read ``folder/turns`` as one table. Each file has a column ``recording``. What is
        kept is not read again; of a recording that lacks a table, nothing is written.

        Args:
            folder: it is made where there is none.
            tables: which ones; all but that of the events, which is as large as the recordings.
            executor, progress: as for :meth:`map`.

        Returns:
            How many rows were written of each recording.
        """
        _check_names(tables)
        made = self._tables(tables, executor, progress)
        outcomes = [
            _written(Path(folder), own_name, {name: made[name][index] for name in made})
            for index, own_name in enumerate(_names(self.paths))
        ]
        mapped = Mapped(self.paths, outcomes)
        if mapped.failures:
            _warn(mapped.failures, len(self), stacklevel=3)
        return mapped


def _found(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise RecordingError(
            f"{folder} is not a folder; check the path (working directory: {Path.cwd()})."
        )
    # What has lost one of these files can't be opened, and shall be named rather than left out.
    names = ("session.json", "events.jsonl")
    found = sorted({file.parent for name in names for file in folder.rglob(name)})
    if not found:
        raise RecordingError(
            f"There is no recording in {folder}: rt.connect(…, record={str(folder)!r}) makes one."
        )
    return found


def _outcomes(
    func: Callable[[Recording], T],
    paths: Sequence[Path],
    executor: Executor | None,
    progress: bool,
) -> list[Attempt[T]]:
    """Returns what a function returns for each recording, in order; for each, what was wrong with
    it."""
    work = partial(_outcome, func)
    places = [path.resolve() for path in paths]
    with progress_bar(len(places), "recording", wanted=progress) as bar:
        if executor is not None:
            return _gathered([executor.submit(work, path) for path in places], bar.update)
        outcomes = []
        for path in places:
            outcomes.append(work(path))
            bar.update()
        return outcomes


def _outcome(func: Callable[[Recording], T], path: Path) -> Attempt[T]:
    """Runs where the executor runs it; nothing is raised, the others shall go on."""
    return attempt(lambda: func(load(path)))


def _gathered(futures: list[Future[Attempt[T]]], done: Callable[[], object]) -> list[Attempt[T]]:
    try:
        for _ in as_completed(futures):
            done()
    except BaseException:  # the cell was interrupted: what has not begun need not begin
        for future in futures:
            future.cancel()
        raise
    return [_of_future(future) for future in futures]


def _of_future(future: Future[Attempt[T]]) -> Attempt[T]:
    error = future.exception()  # a worker that died, or something that can't be sent there
    if error is None:
        return future.result()
    return Attempt(problem=f"{type(error).__name__}: {error}")


def _warn(failures: dict[Path, str], count: int, stacklevel: int = 4) -> None:
    named = [f"{path.name}: {problem}" for path, problem in list(failures.items())]
    more = "" if len(named) <= _NAMED_FAILURES else f" … and {len(named) - _NAMED_FAILURES} more"
    warnings.warn(
        f"{len(failures)} of {count} recordings have no result; see .failures. "
        + " · ".join(named[:_NAMED_FAILURES])
        + more,
        stacklevel=stacklevel,
    )


def _failed(failures: dict[Path, str]) -> str:
    return f", {len(failures)} failed: see .failures" if failures else ""


def _as_frame(value: object) -> pd.DataFrame:
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return value
    if isinstance(value, pd.Series):
        return value.to_frame().T
    if isinstance(value, dict):
        return pd.DataFrame([value])
    return pd.DataFrame({"value": [value]})


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if name not in TABLES:
            raise ConfigurationError(
                f"There is no table {name!r}. Choose from {', '.join(TABLES)}."
            )


def _table_of(name: str, recording: Recording) -> Any:
    return TABLES[name](recording)


def _written(folder: Path, own_name: str, made: dict[str, Attempt[pd.DataFrame]]) -> Attempt[int]:
    """Writes the tables of a recording; none of one of which a table could not be made."""
    problem = next((one.problem for one in made.values() if one.value is None), None)
    if problem is not None:
        return Attempt(problem=problem)
    return attempt(
        lambda: sum(
            write_table(name, of_recording(found.value, own_name), _file(folder, name, own_name))
            for name, found in made.items()
            if found.value is not None
        )
    )


def _file(folder: Path, table: str, own_name: str) -> Path:
    place = folder / table
    place.mkdir(parents=True, exist_ok=True)
    return place / f"{own_name.replace('/', '__')}.parquet"


def _names(paths: Sequence[Path]) -> list[str]:
    """Names that tell recordings apart: those of their folders, with what is above where needed."""
    names = [path.name for path in paths]
    if len(set(names)) == len(names):
        return names
    absolute = [path.resolve() for path in paths]
    root = Path(os.path.commonpath([path.parent for path in absolute]))
    return [path.relative_to(root).as_posix() for path in absolute]
