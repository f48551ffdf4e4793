"""The fake that stands in for time."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time

import pytest

from realtime_nb.testing import run_on_virtual_clock


def test_waiting_takes_no_time_and_keeps_its_order() -> None:
    async def sleepers() -> list[str]:
        done = []

        async def sleep(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            done.append(f"{name} at {asyncio.get_running_loop().time():.3f}")

        await asyncio.gather(sleep("c", 3_600), sleep("a", 0.5), sleep("b", 60))
        return done

    began = time.monotonic()
    assert run_on_virtual_clock(sleepers()) == ["a at 0.500", "b at 60.000", "c at 3600.000"]
    assert time.monotonic() - began < 1


def test_blocking_work_is_done_at_once() -> None:
    async def work() -> tuple[object, ...]:
        thread = await asyncio.to_thread(threading.current_thread)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)
        return thread, asyncio.get_running_loop().time()

    assert run_on_virtual_clock(work()) == (threading.current_thread(), 0.0)


def test_a_wait_for_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_nb.testing.clock._PATIENCE_S", 0.01)

    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="can't happen any more"):
        run_on_virtual_clock(forever())


def test_other_threads_still_reach_the_loop() -> None:
    async def wait() -> str:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[str] = loop.create_future()
        threading.Thread(target=loop.call_soon_threadsafe, args=(told.set_result, "hi")).start()
        return await told

    assert run_on_virtual_clock(wait()) == "hi"


def test_moments_that_differ_by_rounding_alone_are_reached() -> None:
    """A timer a hair behind the clock: adding the difference must not leave the clock where it
    is."""

    async def wait() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(150)
        reached = loop.create_future()
        loop.call_at(math.nextafter(loop.time(), math.inf), reached.set_result, None)
        await reached
        for _ in range(10):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await loop.create_future()
        return loop.time()

    assert run_on_virtual_clock(wait()) == pytest.approx(151)
