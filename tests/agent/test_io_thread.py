from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from realtime_nb.agent.io_thread import IoThread, io_thread


@pytest.fixture
def thread() -> Iterator[IoThread]:
    thread = IoThread("test-io")
    yield thread
    thread.stop()


async def _name() -> str:
    return threading.current_thread().name


async def _fail() -> None:
    raise ValueError("no")


def test_work_runs_on_the_thread(thread: IoThread) -> None:
    assert thread.run(_name()).result(5) == "test-io"


async def test_work_can_be_awaited_from_another_loop(thread: IoThread) -> None:
    assert await thread.run(_name()) == "test-io"


async def test_errors_reach_whoever_waits(thread: IoThread) -> None:
    pending = thread.run(_fail())

    with pytest.raises(ValueError, match="no"):
        await pending

    assert "failed: no" in repr(pending)


def test_work_begins_in_the_order_in_which_it_was_asked_for(thread: IoThread) -> None:
    begun: list[int] = []
    held, done = threading.Event(), threading.Event()

    async def begin(number: int) -> None:
        begun.append(number)

    thread.call(held.wait, 5)  # so that all of it waits when the loop comes round to it
    for number in range(0, 10, 2):
        thread.run(begin(number))
        thread.call(begun.append, number + 1)
    thread.call(done.set)
    held.set()

    assert done.wait(5)
    assert begun == list(range(10))


def test_stop_cancels_what_runs_and_ends_the_thread(thread: IoThread) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    thread.run(wait())
    assert started.wait(5)

    thread.stop()
    thread.stop()

    assert cancelled.is_set()
    assert not thread.running
    thread.call(print)  # nobody is there any more; nothing happens


def test_callbacks_learn_the_outcome(thread: IoThread) -> None:
    done = threading.Event()

    thread.run(_name()).then(lambda future: done.set())

    assert done.wait(5)


def test_it_is_shared_and_restarted_when_stopped() -> None:
    first = io_thread()
    assert io_thread() is first

    first.stop()

    second = io_thread()
    assert second is not first
    assert second.run(_name()).result(5) == "realtime_nb-io"
    second.stop()


def test_a_script_ends_with_work_still_running() -> None:
    script = (
        "import asyncio\n"
        "from realtime_nb.agent.io_thread import io_thread\n"
        "pending = io_thread().run(asyncio.sleep(3600))\n"
        "print(repr(pending))\n"
    )

    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )

    assert "under way" in run.stdout
    assert run.stderr == ""


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt()])
def test_what_would_end_the_thread_ends_itself_alone(
    raised: BaseException, thread: IoThread
) -> None:
    async def fail() -> None:
        raise raised

    async def in_a_task_of_its_own() -> None:
        asyncio.get_running_loop().create_task(fail())

    beside = thread.run(asyncio.sleep(0.05, "still here"))
    with pytest.raises(type(raised)):
        thread.run(fail()).result(5)
    thread.run(in_a_task_of_its_own()).result(5)
    thread.call(thread.loop.stop)
    assert beside.result(5) == "still here"
    assert thread.run(_name()).result(5) == "test-io"
    thread.stop()
    assert not thread.running
