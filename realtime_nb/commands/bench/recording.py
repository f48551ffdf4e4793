"""Recordings: writing, loading, tables, timeline and report of an hour; tables of many of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from realtime_nb.analysis.metrics.metrics import metrics
from realtime_nb.commands.bench.long_session import LongSession, write_session
from realtime_nb.errors import MissingExtraError
from realtime_nb.plots import plot_timeline
from realtime_nb.recordings.collection import Recordings
from realtime_nb.recordings.kept_tables import FROM_AUDIO, FROM_EVENTS, KEPT
from realtime_nb.recordings.recording import Recording, load

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["RecordingFigures", "run"]

T = TypeVar("T")

_TABLES = ("events", "turns", "calls", "speech", "usage", "latency")
_DIFFERENT = 10
_MANY_MINUTES = 1.0


@dataclass(frozen=True, slots=True)
class RecordingFigures:
    """What :func:`run` measured; all times in seconds.

    Attributes:
        minutes, events: how long the session is, and how many events it has.
        record_cpu_s_per_minute: processor time that recording takes, per minute of conversation.
        load_s: opening the recording, which folds its events.
        events_per_s: events loaded and folded per second.
        tables_s: each table, by name; what they are computed from is there already.
        voices_s: the offline detector over all audio, which latencies and metrics need.
        metrics_s: all metrics, given that.
        timeline_s: the data of the timeline, and the picture drawn.
        report_s, report_mb: the report of the recording, just loaded, as a file, and its size in
            millions of bytes; what was heard in it is kept beside it by then.
        peak_mb: memory of a process, in millions of bytes, that computes the metrics of a session
            twice as long; None where the system does not tell.
        many: recordings whose tables are made, and that are analysed on each cluster.
        many_events_s: the first of the tables that their events tell, which makes all of these.
        many_audio_s: the first of those that listen to the audio, which makes all tables.
        many_again_s: each of the tables once more.
        workers_1_s, workers_2_s: how long that took on one worker and on two.
        speed_up: the first divided by the second.
        cores: of this machine.
    """

    minutes: float
    events: int
    record_cpu_s_per_minute: float
    load_s: float
    events_per_s: float
    tables_s: dict[str, float]
    voices_s: float
    metrics_s: float
    timeline_s: float
    report_s: float
    report_mb: float
    peak_mb: float | None
    many: int
    many_events_s: float
    many_audio_s: float
    many_again_s: float
    workers_1_s: float
    workers_2_s: float
    speed_up: float
    cores: int


def run(minutes: float = 60.0, many: int = 200) -> RecordingFigures:
    """Measures, prints and returns the figures.

    The session is made (see :mod:`realtime_nb.commands.bench.long_session`). Of the many
    recordings, of a minute each, ten are different; the others are links to their files. Each is
    loaded on a worker and all its metrics are computed there, the offline detector included. Their
    tables are made here, one recording after the other.

    Raises:
        MissingExtraError: Dask is not installed.
    """
    if find_spec("distributed") is None:
        raise MissingExtraError("Dask", "scale")
    with tempfile.TemporaryDirectory(prefix="realtime-nb-bench-") as scratch:
        made = write_session(Path(scratch), minutes)
        load_s, recording = _timed(lambda: load(made.path))
        voices_s, _ = _timed(lambda: recording.voices)
        tables_s = {name: _timed(partial(getattr, recording, name))[0] for name in _TABLES}
        metrics_s, _ = _timed(lambda: metrics(recording))
        timeline_s, _ = _timed(lambda: _picture(recording))
        page = Path(scratch) / "report.html"
        report_s, _ = _timed(lambda: _report(made.path, page))
        report_mb = page.stat().st_size / 1e6
        peak_mb = _peak_mb(write_session(Path(scratch) / "long", 2 * minutes).path)
        folder = _many(Path(scratch) / "many", many)
        recordings = Recordings(folder)
        many_events_s, _ = _timed(lambda: recordings.table(FROM_EVENTS[0]))
        many_audio_s, _ = _timed(lambda: recordings.table(FROM_AUDIO[0]))
        many_again_s, _ = _timed(lambda: [recordings.table(name) for name in KEPT])
        workers_s = [_on_cluster(folder, workers) for workers in (1, 2)]
    figures = RecordingFigures(
        minutes=minutes,
        events=made.events,
        record_cpu_s_per_minute=made.cpu_s / minutes,
        load_s=load_s,
        events_per_s=made.events / load_s,
        tables_s=tables_s,
        voices_s=voices_s,
        metrics_s=metrics_s,
        timeline_s=timeline_s,
        report_s=report_s,
        report_mb=report_mb,
        peak_mb=peak_mb,
        many=many,
        many_events_s=many_events_s,
        many_audio_s=many_audio_s,
        many_again_s=many_again_s,
        workers_1_s=workers_s[0],
        workers_2_s=workers_s[1],
        speed_up=workers_s[0] / workers_s[1],
        cores=os.cpu_count() or 1,
    )
    _print(figures)
    return figures


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began_s = time.perf_counter()
    result = work()
    return time.perf_counter() - began_s, result


_PEAK = """
import sys
import realtime_nb as rt
rt.load(sys.argv[1]).metrics()
told = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(told["VmHWM"].split()[0]) * 1024 / 1e6)
"""


def _peak_mb(path: Path) -> float | None:
    """Returns how much memory a process needs that loads a recording and computes its metrics.

    None where the system does not tell. (``getrusage`` tells of the process that began it, too.)
    """
    if not Path("/proc/self/status").exists():
        return None
    told = subprocess.run(
        [sys.executable, "-c", _PEAK, str(path)], capture_output=True, text=True, check=True
    )
    return float(told.stdout)


def _picture(recording: Recording) -> None:
    with _without_window() as plt:
        plot_timeline(recording.timeline_data).figure.canvas.draw()
        plt.close()


def _report(path: Path, page: Path) -> None:
    with _without_window():
        load(path).report(page)


@contextmanager
def _without_window() -> Iterator[ModuleType]:
    import matplotlib.pyplot as plt

    backend = plt.get_backend()
    plt.switch_backend("Agg")
    yield plt
    plt.switch_backend(backend)


def _many(folder: Path, count: int) -> Path:
    made: list[LongSession] = [
        write_session(folder, _MANY_MINUTES) for _ in range(min(_DIFFERENT, count))
    ]
    for number in range(len(made), count):
        original = made[number % len(made)].path
        link = folder / f"{original.name}-{number}"
        link.mkdir()
        for file in original.iterdir():
            os.link(file, link / file.name)
    return folder


def _on_cluster(folder: Path, workers: int) -> float:
    """Returns the seconds for all recordings, without the start of the cluster and its imports."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        return _on_client(Recordings(folder), client)


def _on_client(recordings: Recordings, client: Client) -> float:
    executor = client.get_executor()
    client.run(_warm_up, str(recordings.paths[0]))
    seconds, mapped = _timed(lambda: recordings.map(metrics, executor, progress=False))
    if mapped.failures:
        raise RuntimeError(f"not all were analysed: {mapped.failures}")
    return seconds


def _warm_up(path: str) -> None:
    metrics(load(path))


def _print(figures: RecordingFigures) -> None:
    per_minute_ms = figures.record_cpu_s_per_minute * 1000
    print(f"A session of {figures.minutes:g} minutes, {figures.events:,} events")
    print(f"  recorded              {per_minute_ms:8.0f} ms of CPU per minute of conversation")
    rate = f"{figures.events_per_s:,.0f} events/s"
    print(f"  loaded and folded     {figures.load_s:8.2f} s   {rate}")
    for name, seconds in figures.tables_s.items():
        print(f"  rec.{name:<18}{seconds:8.2f} s")
    print(f"  offline detector      {figures.voices_s:8.2f} s")
    print(f"  rec.metrics()         {figures.metrics_s:8.2f} s")
    print(f"  rec.plot_timeline()   {figures.timeline_s:8.2f} s")
    print(f"  rec.report()          {figures.report_s:8.2f} s   {figures.report_mb:.1f} MB")
    if figures.peak_mb is not None:
        print(f"  metrics of {2 * figures.minutes:3g} minutes{figures.peak_mb:8.0f} MB at most")
    print(f"Tables of {figures.many} recordings of a minute, one after the other")
    print(f"  those of the events   {figures.many_events_s:8.2f} s   all {len(FROM_EVENTS)}")
    print(f"  those of the audio    {figures.many_audio_s:8.2f} s   all {len(KEPT)}")
    print(f"  all of them again     {figures.many_again_s:8.2f} s")
    print(f"{figures.many} recordings of a minute on Dask, {figures.cores} cores")
    print(f"  1 worker              {figures.workers_1_s:8.2f} s")
    print(f"  2 workers             {figures.workers_2_s:8.2f} s   {figures.speed_up:.2f} ×")
