from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.sharing import BURST_S, FIRST_S, ROUND_S, LoopLine, LoopShare, Memory


class Clock:
    """Seconds of work that a test says were done."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_who_uses_too_much_stands_in_line() -> None:
    """Eight who flood take turns; who is modest is served in every round."""
    line, clock, served = LoopLine(), Clock(), list[str]()

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
    share = LoopShare(LoopLine(), clock := Clock())
    async with share.turn():
        clock.now_s += 2 * BURST_S
    assert share._saved_s < 0
    share._earned_s -= 3_600  # an hour passes
    async with share.turn():
        pass
    assert share._saved_s == BURST_S


async def test_a_crowd_of_new_ones_does_not_fill_a_round() -> None:
    """Each of them has saved something, and all come at once; who was there is served first."""
    line, clock, rounds = LoopLine(), Clock(), [list[str]()]
    piece_s = 0.8 * ROUND_S

    async def client(name: str, share: LoopShare, pieces: int) -> None:
        for _ in range(pieces):
            async with share.turn():
                clock.now_s += piece_s
                rounds[-1].append(name)
            await asyncio.sleep(0)

    async def count_rounds() -> None:
        while True:
            await asyncio.sleep(0)
            rounds.append([])

    known = LoopShare(line, clock)
    known._saved_s = BURST_S
    counting = asyncio.create_task(count_rounds())
    crowd = [
        asyncio.create_task(client(str(number), LoopShare(line, clock), 3)) for number in range(24)
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    began = len(rounds)
    await client("known", known, 1)
    assert len(rounds) - began <= 4
    await asyncio.gather(*crowd)
    counting.cancel()
    # Two begin before the round is full; after that it is one in each, and one more at its edge.
    assert max(map(len, rounds)) <= 3
    assert sum(map(len, rounds)) == 24 * 3 + 1


async def test_who_gives_up_waiting_holds_up_nobody() -> None:
    line, clock = LoopLine(), Clock()
    shares = [LoopShare(line, clock) for _ in range(6)]
    done = list[int]()

    async def work(number: int) -> None:
        async with shares[number].turn():
            clock.now_s += FIRST_S
            done.append(number)

    tasks = [asyncio.create_task(work(number)) for number in range(6)]
    await asyncio.sleep(0)
    assert done == [0]  # which fills the round
    for number in (2, 3):
        tasks[number].cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks, return_exceptions=True)
    assert done == [0, 1, 4, 5]  # of those who have saved the same, who came first


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
