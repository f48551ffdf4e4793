"""What a lost connection cuts off is no barge-in, and none is missed while nobody hears."""

from __future__ import annotations

from pathlib import Path

import pytest

import realtime_nb as rt
from tests.lost_connection import answered, lost, says_it_again, voice


@pytest.mark.parametrize("playback", ["stop", "finish"])
def test_a_cut_by_a_lost_connection_is_no_interruption(tmp_path: Path, playback: str) -> None:
    recording = lost(tmp_path, answered, playback=playback)

    assert recording.interruptions().empty
    assert not recording.turns.interrupted.any()
    assert recording.metrics().value["interruptions"] == 0


def test_what_is_said_over_the_rest_while_nobody_hears_is_not_missed(tmp_path: Path) -> None:
    recording = lost(tmp_path, answered, says_it_again, playback="finish")

    assert recording.interruptions().empty
    assert len(recording.findings().of("unheard-speech")) == 0


def test_a_barge_in_after_it_is_one(tmp_path: Path) -> None:
    async def hears_the_new_answer(session: rt.Session, servers: object) -> None:
        await session._driver.until(lambda: not session.reconnecting, 60)

    recording = lost(tmp_path, answered, hears_the_new_answer, afterwards=voice())

    (row,) = recording.interruptions().to_dict("records")
    assert row["cause"] == "user"
    assert row["onset_s"] > recording.reconnections.resumed_s[0]
