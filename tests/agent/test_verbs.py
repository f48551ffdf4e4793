"""Verbs that are started on the I/O thread, and what is told of those that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from realtime_nb.agent.io_thread import IoThread
from realtime_nb.agent.verbs import ON_PURPOSE, Verbs
from realtime_nb.errors import ConfigurationError, SessionClosedError
from realtime_nb.session.asked import Turn

WAIT_S = 5.0


@pytest.fixture
def thread() -> Iterator[IoThread]:
    made = IoThread("test-verbs")
    yield made
    made.stop()


def test_verbs_have_their_effect_in_the_order_of_asking(thread: IoThread) -> None:
    verbs, done = Verbs(thread, print), []
    both_begun, beside_done = asyncio.Event(), asyncio.Event()

    async def slow(turn: Turn) -> None:
        await both_begun.wait()
        await beside_done.wait()
        await turn.come()
        done.append("slow")

    async def quick(turn: Turn) -> None:
        both_begun.set()
        await turn.come()
        done.append("quick")

    async def beside() -> None:
        done.append("beside")
        beside_done.set()

    first, second = verbs.in_order(slow), verbs.in_order(quick)
    verbs.beside(beside).result(WAIT_S)
    second.result(WAIT_S)
    first.result(WAIT_S)
    assert done == ["beside", "slow", "quick"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConfigurationError("Give a number."), "Give a number."),
        (SessionClosedError("It was lost.", 1006), "It was lost."),
        (SessionClosedError("Somebody closed it.", ON_PURPOSE), None),
        (KeyError("x"), "Something here failed: KeyError('x')"),
    ],
)
def test_what_goes_wrong_is_told_and_raised(
    thread: IoThread, error: Exception, told: str | None
) -> None:
    words: list[str] = []
    verbs = Verbs(thread, words.append)

    async def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        verbs.run(fail()).result(WAIT_S)
    assert words == ([] if told is None else [told])


def test_what_is_closed_takes_none_and_says_why(thread: IoThread) -> None:
    words: list[str] = []
    verbs = Verbs(thread, words.append)
    verbs.closed = "It was closed."

    async def never() -> None: ...

    with pytest.raises(SessionClosedError, match="It was closed") as refused:
        verbs.run(never())
    assert refused.value.close_code == ON_PURPOSE
    assert words == []
