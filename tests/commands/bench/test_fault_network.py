from __future__ import annotations

import asyncio
import random

import pytest

from realtime_nb.commands.bench.fault_network import KINDS, bound_ms, outcome, served
from realtime_nb.commands.bench.fault_talk import KnowingLLM


@pytest.mark.parametrize(
    "kind",
    [
        "reset (RST)",
        "while it is restored",
        "broken frames",
    ],
)
async def test_a_conversation_survives(kind: str) -> None:
    llm = KnowingLLM()
    async with asyncio.timeout(100), served(llm) as server:
        result, faults = await outcome(server, llm, kind, seed=1)
    assert result.problem == ""
    assert result.continued
    assert result.intact
    assert (result.duplicated, result.lost_turns) == (0, 0)
    assert faults >= 1
    assert result.gaps >= 1


def test_faults_come_of_a_seed() -> None:
    for make in KINDS.values():
        assert len(make(random.Random(3))) == len(make(random.Random(3))) >= 1
    assert bound_ms("half-open") == bound_ms("reset (RST)") + 5_000
