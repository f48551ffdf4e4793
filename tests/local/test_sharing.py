from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.sharing import BURST_S, LoopShare, Memory


class Clock:
    """Seconds of work that a test says were done."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_who_uses_too_much_stands_in_line() -> None:
    """Eight who flood take turns; who is modest is served in every round."""
    line, clock, served = asyncio.Lock(), Clock(), list[str]()

    async def flood(name: str) -> None:
        share = LoopShare(line, clock)
        for _ in range(60):
            async with share.turn():
                clock.now_s += BURST_S / 20
                served.append(name)
            await asyncio.sleep(0)

    async def modest() -> None:
        share = LoopShare(line, clock)
        for _ in range(100):
            async with share.turn():
                clock.now_s += BURST_S / 1_000
                served.append("modest")
            await asyncio.sleep(0)

    floods = [asyncio.create_task(flood(str(number))) for number in range(8)]
    for _ in range(200):  # until they have used up what they may use at once
        await asyncio.sleep(0)
    served.clear()
    await modest()
    at = [place for place, name in enumerate(served) if name == "modest"]
    between = [b - a - 1 for a, b in pairwise(at)]
    assert max(between) <= 2
    await asyncio.gather(*floods)


async def test_a_pause_is_paid_back() -> None:
    share = LoopShare(asyncio.Lock(), clock := Clock())
    async with share.turn():
        clock.now_s += 2 * BURST_S
    assert share._credit_s < 0
    share._earned_s -= 3_600  # an hour passes
    async with share.turn():
        pass
    assert share._credit_s == BURST_S


@given(
    notes=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=60),
)
def test_together_never_more_than_the_limit(notes: list[tuple[int, int]]) -> None:
    memory, held, ended = Memory(limit=100), dict[int, int](), list[int]()

    def end_of(number: int) -> Callable[[], None]:
        def end() -> None:
            ended.append(number)
            assert held[number] == max(held.values())
            del held[number]

        return end

    ends = [end_of(number) for number in range(6)]
    for number, amount in notes:
        if number in ended:
            continue
        held[number] = amount
        memory.note(ends[number], amount)
        assert memory.held == sum(held.values()) <= 100
    for end in ends:
        memory.forget(end)
    assert memory.held == 0
