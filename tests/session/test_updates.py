"""Those who wait for the server's word on settings."""

from __future__ import annotations

import asyncio

import pytest

import realtime_nb as rt
from realtime_nb.protocol.events import ErrorEvent
from realtime_nb.session.updates import UPDATE_TIMEOUT_S, Updates
from tests.virtual import virtual


def nothing() -> None:
    pass


@virtual
async def test_the_answer_may_come_while_they_are_sent() -> None:
    updates = Updates(lambda: True)
    await updates.confirmed("u", lambda: updates.settle("u"))
    assert not updates.waiting


@virtual
async def test_a_refusal_names_what_was_refused() -> None:
    updates = Updates(lambda: True)
    error = ErrorEvent(error={"message": "no", "code": "bad", "param": "session.voice"})
    with pytest.raises(rt.ServerError, match="refused the settings: no") as refused:
        await updates.confirmed("u", lambda: updates.settle("u", error))
    assert (refused.value.code, refused.value.param, refused.value.event_id) == (
        "bad",
        "session.voice",
        "u",
    )


@virtual
async def test_time_without_a_server_does_not_count() -> None:
    hearing = False
    updates = Updates(lambda: hearing)
    waiting = asyncio.create_task(updates.confirmed("u", nothing))
    await asyncio.sleep(10 * UPDATE_TIMEOUT_S)
    assert updates.waiting
    updates.settle("u")
    await waiting
    hearing = True
    with pytest.raises(rt.ServerError, match="did not confirm"):
        await updates.confirmed("u", nothing)


@virtual
async def test_the_end_is_told_to_all_who_wait() -> None:
    updates = Updates(lambda: True)
    waiting = [asyncio.create_task(updates.confirmed(str(n), nothing)) for n in range(3)]
    await asyncio.sleep(0)
    updates.end(rt.SessionClosedError("over"))
    for one in waiting:
        with pytest.raises(rt.SessionClosedError):
            await one
    updates.settle("unknown")
