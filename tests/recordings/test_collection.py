from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from realtime_nb.analysis.exports import TABLES
from realtime_nb.commands.bench.long_session import write_session
from realtime_nb.errors import ConfigurationError, RecordingError
from realtime_nb.recordings.collection import Recordings
from realtime_nb.recordings.kept_tables import KEPT
from realtime_nb.recordings.recording import Recording, load
from tests.paths import DATA


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings of 1, 2 and 3 turns, the second one broken."""
    folder = tmp_path_factory.mktemp("many")
    for turns in (1, 2, 3):
        made = write_session(folder, turns * 9 / 60)
        made.path.rename(folder / f"call-{turns}")
    (folder / "call-2" / "events.jsonl").write_bytes(b"")
    return folder


def turn_count(recording: Recording) -> int:
    return len(recording.turns)


def refuses_the_third(recording: Recording) -> str:
    if len(recording.turns) == 3:
        raise KeyError("three")
    return recording.path.name


def test_finds_recordings_in_order(folder: Path) -> None:
    recordings = Recordings(folder)

    assert [path.name for path in recordings.paths] == ["call-1", "call-2", "call-3"]
    assert repr(recordings).startswith("3 recordings\n")
    assert "call-2" not in repr(recordings[:1])
    assert len(recordings[2].turns) == 3
    assert [path.name for path in recordings[::2].paths] == ["call-1", "call-3"]
    assert [len(recording.turns) for recording in recordings[::2]] == [1, 3]
    assert "call-1" in recordings._repr_html_()


def test_a_loop_leaves_the_broken_one_out_and_names_it(folder: Path) -> None:
    recordings = Recordings(folder)

    with pytest.warns(UserWarning, match=r"1 of 3 recordings .*call-2: .*no events") as caught:
        names = [recording.path.name for recording in recordings]
    assert names == ["call-1", "call-3"]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert list(recordings.failures) == [folder / "call-2"]
    with pytest.raises(RecordingError, match="holds no events"):
        recordings[1]


def test_a_recording_that_lost_its_session_json_is_named(folder: Path, tmp_path: Path) -> None:
    for name in ("call-1", "call-3"):
        shutil.copytree(folder / name, tmp_path / name)
    (tmp_path / "call-1" / "session.json").unlink()
    recordings = Recordings(tmp_path)

    assert [path.name for path in recordings.paths] == ["call-1", "call-3"]
    with pytest.warns(UserWarning, match=r"call-1: .*no session\.json"):
        assert recordings.turns["recording"].unique().tolist() == ["call-3"]
    assert list(recordings.failures) == [tmp_path / "call-1"]


def test_every_table_but_that_of_the_events_is_a_property(sound: Path) -> None:
    recordings = Recordings(sound)

    for name in KEPT:
        pd.testing.assert_frame_equal(getattr(recordings, name), recordings.table(name))
    assert recordings.metrics["recording"].unique().tolist() == ["call-1", "call-3"]


def test_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="not a folder"):
        Recordings(tmp_path / "nowhere")
    with pytest.raises(RecordingError, match="no recording in"):
        Recordings(tmp_path)


def test_takes_paths_of_any_kind(folder: Path) -> None:
    recordings = Recordings([folder / "call-1", DATA / "cards_001.wav"])

    assert list(recordings.map(turn_count, progress=False)) == [1, 0]


def test_one_broken_recording_does_not_stop_the_others(folder: Path) -> None:
    with pytest.warns(UserWarning, match=r"1 of 3 recordings have no result.*call-2: .*no events"):
        mapped = Recordings(folder).map(turn_count, progress=False)

    assert list(mapped) == [1, None, 3]
    assert [path.name for path in mapped.failures] == ["call-2"]
    assert "holds no events" in mapped.failures[folder / "call-2"]
    assert [(path.name, value) for path, value in mapped.results()] == [
        ("call-1", 1),
        ("call-3", 3),
    ]
    assert repr(mapped) == "<3 results, 1 failed: see .failures>"
    assert mapped.table.to_dict("list") == {"recording": ["call-1", "call-3"], "value": [1, 3]}


def test_an_error_of_the_function_is_that_recordings(folder: Path) -> None:
    with pytest.warns(UserWarning, match="2 of 3"):
        mapped = Recordings(folder).map(refuses_the_third, progress=False)

    assert list(mapped) == ["call-1", None, None]
    assert mapped.failures[folder / "call-3"] == "KeyError: 'three'"


def processes(count: int) -> ProcessPoolExecutor:
    """Not forked: this process has threads."""
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


@pytest.fixture(params=["thread", "process"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = ThreadPoolExecutor(2) if request.param == "thread" else processes(2)
    with executor:
        yield executor


@pytest.mark.filterwarnings("ignore:1 of 3 recordings")
def test_any_executor_gives_the_same(folder: Path, executor: Executor) -> None:
    assert list(Recordings(folder).map(turn_count, executor, progress=False)) == [1, None, 3]


def test_what_cannot_be_sent_to_a_process_is_a_failure_too(folder: Path) -> None:
    with (
        processes(1) as executor,
        pytest.warns(UserWarning, match="3 of 3 recordings have no result"),
    ):
        mapped = Recordings(folder).map(lambda _: threading.Lock(), executor, progress=False)

    assert all("ickl" in problem for problem in mapped.failures.values())


def test_interrupting_cancels_what_has_not_begun(folder: Path) -> None:
    class Held(Executor):
        """Its first work is interrupted; the others never begin."""

        def __init__(self) -> None:
            self.futures: list[Future[Any]] = []

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            if not self.futures:
                future.set_result(None)
            self.futures.append(future)
            return future

    executor = Held()
    bar_breaks = Recordings(folder)
    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(
            "tqdm.auto.tqdm.update", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        bar_breaks.map(turn_count, executor, progress=False)

    assert [future.cancelled() for future in executor.futures] == [False, True, True]


@pytest.mark.filterwarnings("ignore:1 of 3 recordings")
def test_tables_of_all_recordings(folder: Path) -> None:
    recordings = Recordings(folder)

    assert recordings.turns["recording"].tolist() == ["call-1"] + ["call-3"] * 3
    assert recordings.turns["turn"].tolist() == [1, 1, 2, 3]
    assert recordings.calls["recording"].tolist() == ["call-3"]
    assert len(recordings.usage) == 1 + 4
    assert recordings.latency["latency_ms"].notna().all()
    assert set(recordings.speech["recording"]) == {"call-1", "call-3"}
    with pytest.raises(ConfigurationError, match=r"no table 'turnes'\. Choose from events, turns"):
        recordings.table("turnes")


class Loads:
    """Stands for `load`, and notes what was opened."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, path: Path) -> Recording:
        self.names.append(path.name)
        return load(path)

    def taken(self) -> list[str]:
        names, self.names = self.names, []
        return names


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    loads = Loads()
    monkeypatch.setattr("realtime_nb.recordings.collection.load", loads)
    return loads


@pytest.fixture
def sound(folder: Path, tmp_path: Path) -> Path:
    """Copies of the two that aren't broken; nobody else reads them."""
    for name in ("call-1", "call-3"):
        shutil.copytree(folder / name, tmp_path / "sound" / name)
    return tmp_path / "sound"


def test_all_tables_take_one_reading(sound: Path, loads: Loads) -> None:
    recordings = Recordings(sound)

    for name in ("calls", "speech", "usage", "labels", "calls"):
        recordings.table(name)
    assert len(recordings.usage) > 0
    assert loads.taken() == ["call-1", "call-3"]
    for name in ("metrics", "findings", "interruptions", "turns", "latency"):
        recordings.table(name)
    assert len(recordings.turns) == len(recordings.latency) == 4
    assert loads.taken() == ["call-1", "call-3"]  # listened to, once
    assert len(recordings[:1].turns) == 1
    assert loads.taken() == []
    recordings.table("events")
    assert loads.taken() == ["call-1", "call-3"]  # too large to be kept


def test_asking_for_the_metrics_first_takes_one_reading_for_everything(
    sound: Path, loads: Loads
) -> None:
    recordings = Recordings(sound)
    for name in KEPT[::-1]:
        recordings.table(name)

    assert loads.taken() == ["call-1", "call-3"]


def test_kept_tables_are_those_of_each_recording(sound: Path) -> None:
    recordings = Recordings(sound)
    recordings.table("metrics")

    for name in KEPT:
        expected = [
            TABLES[name](load(path)).assign(recording=path.name) for path in sound.iterdir()
        ]
        kept = recordings.table(name)
        filled = [frame for frame in expected if len(frame)]
        assert len(kept) == sum(map(len, filled))
        for frame in filled:
            own = kept[kept["recording"] == frame["recording"].iloc[0]].reset_index(drop=True)
            pd.testing.assert_frame_equal(own, frame[own.columns], check_dtype=False)


def test_a_changed_table_is_nobody_elses(sound: Path) -> None:
    recordings = Recordings(sound)
    turns = recordings.turns
    turns["latency_ms"] = 0.0

    assert recordings.turns["latency_ms"].min() > 100


def test_a_recording_that_changed_is_read_again(sound: Path, loads: Loads) -> None:
    recordings = Recordings(sound)
    assert recordings.table("labels").empty
    loads.taken()

    load(sound / "call-3").label(2.0, "odd")
    assert recordings.table("labels")["text"].tolist() == ["odd"]
    assert loads.taken() == ["call-3"]
    events = sound / "call-1" / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    heard = next(n for n, line in enumerate(lines) if b"input_audio_buffer.committed" in line)
    events.write_bytes(b"".join(lines[:heard]))
    assert recordings.usage["recording"].unique().tolist() == ["call-3"]
    assert loads.taken() == ["call-1"]


def test_a_failure_is_of_its_recording_and_is_tried_again(sound: Path, loads: Loads) -> None:
    recordings = Recordings(sound)
    assert len(recordings.turns) == 4
    assert recordings.failures == {}
    events = sound / "call-1" / "events.jsonl"
    whole = events.read_bytes()
    events.write_bytes(b"")
    loads.taken()

    for _ in range(2):
        with pytest.warns(UserWarning, match=r"1 of 2 recordings have no result.*call-1: .*no ev"):
            assert recordings.calls["recording"].tolist() == ["call-3"]
        assert loads.taken() == ["call-1"]
        assert list(recordings.failures) == [sound / "call-1"]
    events.write_bytes(whole)
    assert len(recordings.turns) == 4
    assert recordings.failures == {}
    shutil.rmtree(sound / "call-3")
    with pytest.warns(UserWarning, match=r"call-3: .*does not exist"):
        assert recordings.turns["recording"].tolist() == ["call-1"]


def test_a_table_that_fails_does_not_take_the_others_with_it(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TABLES, "usage", lambda _: 1 / 0)
    recordings = Recordings(sound)

    assert len(recordings.turns) == 4
    with pytest.warns(UserWarning, match="2 of 2 .*ZeroDivisionError"):
        assert recordings.usage.empty
    monkeypatch.undo()
    assert len(recordings.usage) == 5


def test_tables_made_elsewhere_are_kept_here(
    sound: Path, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = Recordings(sound)
    assert len(recordings.table("metrics", executor)) > 50

    loads = Loads()
    monkeypatch.setattr("realtime_nb.recordings.collection.load", loads)
    assert len(recordings.turns) == 4
    assert loads.taken() == []


def test_names_tell_recordings_of_different_folders_apart(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "call-1").symlink_to(folder / "call-1")
    (tmp_path / "call-1").symlink_to(folder / "call-3")
    recordings = Recordings([tmp_path / "other" / "call-1", tmp_path / "call-1"])

    assert recordings.turns["recording"].unique().tolist() == ["call-1", "call-3"]
    made = write_session(tmp_path / "late", 9 / 60).path
    made.rename(tmp_path / "late" / "call-1")
    two = Recordings([folder / "call-1", tmp_path / "late" / "call-1"])
    names = two.turns["recording"].tolist()
    assert len(set(names)) == 2
    assert names[1].endswith("late/call-1")


@pytest.mark.filterwarnings("ignore:1 of 3 recordings")
def test_a_parquet_dataset_reads_as_one_table(folder: Path, tmp_path: Path) -> None:
    written = Recordings(folder).to_parquet(tmp_path / "tables", progress=False)

    assert written[1] is None
    turns = pd.read_parquet(tmp_path / "tables" / "turns")
    assert turns["recording"].tolist() == ["call-1"] + ["call-3"] * 3
    calls = pd.read_parquet(tmp_path / "tables" / "calls")  # call-1 has none, of the same types
    assert calls["name"].tolist() == ["check_appointments"]
    assert turns["agent_items"].tolist()[0].tolist() == ["item_agent_0"]
    assert sorted(place.name for place in (tmp_path / "tables").iterdir()) == sorted(KEPT)
    metrics = pd.read_parquet(tmp_path / "tables" / "metrics")
    assert set(metrics["recording"]) == {"call-1", "call-3"}


def test_a_parquet_dataset_takes_what_is_kept(sound: Path, loads: Loads, tmp_path: Path) -> None:
    recordings = Recordings(sound)
    assert len(recordings.metrics)
    assert loads.taken() == ["call-1", "call-3"]

    recordings.to_parquet(tmp_path / "kept", progress=False)
    assert loads.taken() == []
    Recordings(sound).to_parquet(tmp_path / "read", progress=False)
    assert loads.taken() == ["call-1", "call-3"]  # once each, for all nine tables
    for name in KEPT:
        kept, anew = (pd.read_parquet(tmp_path / one / name) for one in ("kept", "read"))
        pd.testing.assert_frame_equal(kept, anew)


@pytest.mark.filterwarnings("ignore:1 of 1 recordings")
def test_types_are_the_same_with_rows_without_and_when_all_failed(folder: Path) -> None:
    for name in TABLES:
        full, empty, none = (
            Recordings([path]).table(name)
            for path in (folder / "call-3", DATA / "cards_001.wav", folder / "call-2")
        )
        assert list(full.dtypes.items()) == list(empty.dtypes.items()) == list(none.dtypes.items())
        assert str(full.recording.dtype) == "string"
        assert list(full.attrs["columns"]) == list(full.columns)


@pytest.mark.filterwarnings("ignore:1 of 3 recordings")
def test_on_a_dask_cluster_of_two_processes(folder: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        recordings = Recordings(folder)
        mapped = recordings.map(
            lambda rec: (os.getpid(), len(rec.turns)), client.get_executor(), progress=False
        )

    assert [value and value[1] for value in mapped] == [1, None, 3]
    workers = {value[0] for value in mapped if value}
    assert os.getpid() not in workers


def test_where_nobody_looks_there_is_no_progress(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Recordings([folder / "call-1"]).map(turn_count)
    Recordings([folder / "call-1"]).table("turns")

    assert capsys.readouterr().err == ""
