from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.local.threads import WorkThreads, run_apart


def test_results_and_errors_come_back() -> None:
    threads = WorkThreads(2, "test")
    assert [threads.submit(pow, 2, n).result(5) for n in range(5)] == [1, 2, 4, 8, 16]
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(5)
    with pytest.raises(SystemExit):
        threads.submit(sys.exit, 3).result(5)
    assert threads.submit(str, 1).result(5) == "1"
    threads.shutdown()
    assert not threads.busy


@pytest.mark.parametrize("count", [1, 2, 3])
def test_never_more_than_so_many_at_once(count: int) -> None:
    threads, lock, now, most = WorkThreads(count, "test"), threading.Lock(), 0, 0

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1

    for future in [threads.submit(work) for _ in range(20)]:
        future.result(5)
    threads.shutdown()
    assert most == count


@given(st.lists(st.sampled_from([0.0, 20.0, 40.0, 60.0]), max_size=12))
@settings(max_examples=40)
def test_what_is_due_first_is_done_first(dues: list[float]) -> None:
    gate, done = threading.Event(), list[int]()
    threads = WorkThreads(1, "test")
    first = threads.submit(gate.wait, 5)
    while not first.running():
        time.sleep(0.0005)
    futures = [threads.due_in(due_s).submit(done.append, i) for i, due_s in enumerate(dues)]
    time.sleep(0.002)
    assert (threads.waiting_s > 0) == (0.0 in dues)  # nobody waits for what is not due
    gate.set()
    for future in futures:
        future.result(5)
    assert done == sorted(range(len(dues)), key=dues.__getitem__)
    threads.shutdown()


def test_what_waits_is_cancelled_or_done() -> None:
    for cancel in (True, False):
        gate = threading.Event()
        threads = WorkThreads(1, "test")
        first, second = threads.submit(gate.wait, 5), threads.submit(str, 2)
        while not first.running():
            time.sleep(0.001)
        threads.shutdown(wait=False, cancel_futures=cancel)
        gate.set()
        assert first.result(5)
        if cancel:
            with pytest.raises(CancelledError):
                second.result(5)
        else:
            assert second.result(5) == "2"
        threads.shutdown()
        assert not threads.busy
        with pytest.raises(RuntimeError):
            threads.submit(str, 3)


def test_a_process_ends_while_a_thread_is_at_work() -> None:
    script = (
        "import time\n"
        "from realtime_nb.local.threads import WorkThreads\n"
        "threads = WorkThreads(1, 'test')\n"
        "threads.submit(time.sleep, 60)\n"
        "threads.shutdown(wait=False)\n"
        "print('end', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "end\n"


async def test_a_coroutine_is_run_apart_where_a_loop_runs() -> None:
    async def work(fails: bool) -> threading.Thread:
        if fails:
            raise KeyError("it")
        return threading.current_thread()

    assert run_apart(work(False)) is not threading.current_thread()
    with pytest.raises(KeyError, match="it"):
        run_apart(work(True))
