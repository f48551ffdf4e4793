"""Latencies across a lost connection: unknown, with that reason; all others as ever."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

import realtime_nb as rt
from realtime_nb.analysis.live_latency import LatencyMeter
from realtime_nb.analysis.turn_moments import CONNECTION_LOST
from realtime_nb.local.llm import Call
from realtime_nb.testing import Drop, received
from tests.lost_connection import ANSWER, answered, asked, lost, voice
from tests.session.lost_connections import Servers

PARTS = ["endpoint_wait_ms", "commit_wait_ms", "model_first_audio_ms", "playout_ms"]


def test_an_answer_given_anew_after_a_gap_is_no_latency(tmp_path: Path) -> None:
    drop = Drop(received(lambda event: event["type"] == "response.created", 1))
    recording = lost(tmp_path, asked, fault=drop, afterwards=voice())
    first, second = recording.latency.to_dict("records")

    assert math.isnan(first["latency_ms"])
    assert first["latency_note"] == CONNECTION_LOST
    across = [name for name in PARTS if math.isnan(first[name])]
    assert across and all(
        f"{name}: the connection was lost" in first["parts_note"] for name in across
    )
    assert first["played_s"] - first["speech_end_s"] > 2.0  # which is what it would have been
    assert second["latency_ms"] == pytest.approx(540, abs=40)
    metrics = recording.metrics()
    assert metrics.n["latency_ms"] == 1
    assert metrics.value["latency_ms"] == pytest.approx(540, abs=40)


def test_an_answer_that_sounded_before_the_loss_has_its_latency(tmp_path: Path) -> None:
    (turn,) = lost(tmp_path, answered).latency.to_dict("records")

    assert turn["latency_ms"] == pytest.approx(540, abs=40)
    assert not turn["interrupted"]


def test_a_call_that_runs_across_a_gap(tmp_path: Path) -> None:
    async def book(day: str) -> str:
        """Books a day."""
        await asyncio.sleep(5)
        return "booked"

    async def calling(session: rt.Session, servers: Servers) -> None:
        await asked(session, servers)
        await session._driver.until(lambda: bool(session.conversation.calls), 5)

    replies = (Call("book", '{"day": "Friday"}'), *(ANSWER,) * 5)
    recording = lost(tmp_path, calling, tools=[book], replies=replies)
    (turn,) = recording.latency.to_dict("records")

    assert turn["latency_note"] == CONNECTION_LOST
    assert math.isnan(turn["latency_ms"])
    assert recording.calls.run_ms.tolist() == [pytest.approx(5_000, abs=20)]
    assert recording.calls.outcome.tolist() == ["ok"]


def test_the_live_view_says_the_same(tmp_path: Path) -> None:
    drop = Drop(received(lambda event: event["type"] == "response.created", 1))
    recording = lost(tmp_path, asked, fault=drop, afterwards=voice())
    meter = LatencyMeter(recording.conversation)
    meter._from_ms = 0.0  # it has heard all of it
    meter._voices = recording.voices
    meter._turns.look()

    live = [(moments.note, moments.latency_ms) for _, moments in meter.latest(9)]
    table = recording.latency
    assert [note for note, _ in live] == [CONNECTION_LOST, None]
    assert math.isnan(live[0][1]) and live[1][1] == pytest.approx(table.latency_ms[1])
