"""What is said of a lost connection, and what is not blamed on anything else."""

from __future__ import annotations

from pathlib import Path

import realtime_nb as rt
from tests.lost_connection import answered, breathes, lost, says_it_again, speaking


def test_it_says_when_how_long_and_what_that_cost(tmp_path: Path) -> None:
    found = lost(tmp_path, answered, says_it_again, playback="stop").findings()
    (one,) = found.of("connection-lost")

    assert one.severity == "warning"
    assert one.text.startswith(f"connection lost at {one.start_s:.1f} s: 2.0 s gap, 7")
    assert "ms of speech no server heard" in one.text
    assert "was cut off after 3.0 s heard" in one.text
    assert one.end_s - one.start_s == 2.0
    blamed = {"response-incomplete", "unheard-speech", "missed-barge-in", "over-remembered-audio"}
    assert blamed.isdisjoint(each.id for each in found)


def test_a_drop_while_the_user_spoke(tmp_path: Path) -> None:
    (one,) = lost(tmp_path, speaking).findings().of("connection-lost")

    assert "the user was cut off" in one.text
    assert "spoken=" in one.suggestion


def test_silence_that_was_lost_costs_nothing(tmp_path: Path) -> None:
    async def nothing(session: rt.Session, servers: object) -> None:
        await session.settled()

    (one,) = lost(tmp_path, nothing, breathes).findings().of("connection-lost")

    assert one.severity == "note"
    assert one.text.endswith(": 2.0 s gap.")


def test_a_connection_that_was_given_up_is_an_error(tmp_path: Path) -> None:
    refusals = (rt.ConnectionFailedError("wrong key", "401"),)
    (one,) = lost(tmp_path, answered, refusals=refusals).findings().of("connection-lost")

    assert one.severity == "error"
    assert "given up after 1 attempt" in one.text and "wrong key" in one.text
