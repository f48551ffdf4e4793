"""Which endings are worth another attempt, how long is waited, and what is told again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.restoring import MAX_RESTORED_ITEMS
from realtime_nb.session.reconnecting import Attempts, restored_history, why_final
from tests.virtual import virtual


@pytest.mark.parametrize("code", [1001, 1005, 1006, 1011, 1012, 1013, 1014, None, "408", "425"])
def test_networks_restarts_and_expiry_are_worth_it(code: object) -> None:
    assert why_final(code) is None


@pytest.mark.parametrize("code", ["429", "500", "502", "503", "504", "529"])
def test_busy_servers_are_worth_it(code: str) -> None:
    assert why_final(code) is None


@pytest.mark.parametrize("code", [1000, 1002, 1007, 1008, 1009, 3000, 4000, 4999, "400", "401"])
def test_refusals_are_not(code: object) -> None:
    assert why_final(code)


@pytest.mark.parametrize("code", ["403", "404", "invalid_api_key", "certificate", "invalid_model"])
def test_nor_are_keys_and_models(code: str) -> None:
    assert why_final(code)


@pytest.mark.parametrize(
    ("error_code", "worth_it"),
    [("insufficient_quota", False), ("session_expired", True), ("server_error", True)],
)
def test_an_error_right_before_counts_more_than_the_code(error_code: str, worth_it: bool) -> None:
    assert (why_final(1011, error_code) is None) is worth_it
    assert (why_final(4000, error_code) is None) is worth_it
    assert why_final(1006, "some_other_error") is None


@given(
    st.floats(0, 10),
    st.floats(1, 4),
    st.floats(0, 30),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=8, max_size=8),
)
def test_waits_grow_to_their_limit_and_are_spread_over_all_of_it(
    first_s: float, factor: float, max_s: float, parts: list[float]
) -> None:
    given_parts = iter(parts)
    policy = rt.Reconnect(first_s=first_s, factor=factor, max_s=max_s)
    waits = list(itertools.islice(policy.waits_s(lambda: next(given_parts)), 8))
    for n, (wait_s, part) in enumerate(zip(waits, parts, strict=True)):
        assert wait_s == pytest.approx(part * min(first_s * factor**n, max_s), abs=1e-9)


def test_without_jitter_it_waits_as_long_as_it_may() -> None:
    policy = rt.Reconnect(first_s=1, factor=3, max_s=10, jitter=False)
    assert list(itertools.islice(policy.waits_s(), 4)) == [1, 3, 9, 10]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"first_s": -1}, "first_s"),
        ({"factor": 0.5}, "factor"),
        ({"max_s": float("nan")}, "max_s"),
        ({"budget_s": float("inf")}, "budget_s"),
        ({"budget_s": "10"}, "budget_s"),
        ({"before_expiry_s": True}, "before_expiry_s"),
        ({"history": "everything"}, "history"),
        ({"playback": "pause"}, "playback"),
        ({"jitter": "no"}, "jitter"),
        ({"spoken": 3}, "spoken"),
        ({"spoken": " "}, "spoken"),
    ],
)
def test_impossible_policies_are_refused_by_name(options: dict[str, Any], name: str) -> None:
    with pytest.raises(rt.ConfigurationError, match=name):
        rt.Reconnect(**options)


@pytest.mark.parametrize("reconnect", [None, 1, "yes", {"first_s": 1}])
def test_so_is_what_is_no_policy(reconnect: Any) -> None:
    with pytest.raises(rt.ConfigurationError, match="reconnect"):
        rt.connect(reconnect=reconnect)


class Dials:
    """Attempts that fail as they are told to, and when they were made."""

    def __init__(self, *failures: Exception | None) -> None:
        self.times_s: list[float] = []
        self.told: list[tuple[int, str]] = []
        self._failures: Iterator[Exception | None] = iter(failures)

    async def dial(self) -> None:
        self.times_s.append(asyncio.get_running_loop().time())
        failure = next(self._failures)
        if failure is not None:
            raise failure

    def retrying(self, attempt: int, wait_s: float, why: str) -> None:
        self.told.append((attempt, why))

    async def run(self, policy: rt.Reconnect) -> str | None:
        return await Attempts(
            policy, self.dial, self.retrying, asyncio.get_running_loop().time
        ).run()


@virtual
async def test_attempts_honour_what_a_server_asks_for() -> None:
    busy = rt.ConnectionFailedError("busy", "429", retry_after_s=20)
    dials = Dials(rt.ConnectionFailedError("nobody there"), busy, rt.SessionClosedError("", 1006))
    dials._failures = itertools.chain(dials._failures, [None])
    began_s = asyncio.get_running_loop().time()
    assert await dials.run(rt.Reconnect(first_s=1, factor=2, jitter=False)) is None
    # 1 s, 2 s, not 4 but 20 s, 8 s
    assert [at_s - began_s for at_s in dials.times_s] == pytest.approx([1, 3, 23, 31])
    assert [attempt for attempt, _ in dials.told] == [1, 2, 3, 4]
    assert dials.told[1][1] == "nobody there"


@virtual
async def test_attempts_end_with_their_budget() -> None:
    dials = Dials(*[rt.ConnectionFailedError("nobody there")] * 99)
    why = await dials.run(rt.Reconnect(first_s=1, factor=1, budget_s=10, jitter=False))
    assert why == "no connection within 10 s (nobody there)"
    assert len(dials.times_s) == 10


@virtual
@pytest.mark.parametrize(
    "failure",
    [
        rt.ConnectionFailedError("who are you?", "401"),
        rt.SessionClosedError("closed", 3000),
        rt.ServerError("The server refused the settings: no such voice"),
    ],
)
async def test_attempts_end_at_a_refusal(failure: Exception) -> None:
    dials = Dials(failure)
    why = await dials.run(rt.Reconnect())
    assert why is not None
    assert str(failure) in why


def unknown(item_id: str) -> None:
    """Knows no audio of any turn."""


def conversation(turns: int) -> Conversation:
    folded = Conversation()
    for n in range(turns):
        item = {
            "id": f"item_{n}",
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": f"number {n}"}],
        }
        folded.apply(ev.ItemAdded(item=item, previous_item_id=f"item_{n - 1}" if n else None))
    return folded


def test_of_a_long_conversation_the_beginning_is_summed_up() -> None:
    items, summary = restored_history(conversation(MAX_RESTORED_ITEMS + 3), "items", unknown)
    assert [item["id"] for item in items] == [f"item_{n + 3}" for n in range(MAX_RESTORED_ITEMS)]
    assert "number 0" in summary
    assert "number 2" in summary
    assert "number 3" not in summary


def test_of_a_short_one_there_is_no_summary() -> None:
    items, summary = restored_history(conversation(5), "items", unknown)
    assert len(items) == 5
    assert summary == ""
