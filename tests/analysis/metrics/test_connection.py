"""Figures of the connection: regained, given up, unknown."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import realtime_nb as rt
from realtime_nb.analysis.metrics.connection import connection_figures
from tests.lost_connection import WAIT_S, answered, lost, says_it_again
from tests.made_recording import MadeRecording

NAMES = {"reconnects", "connections_lost", "reconnect_gap_ms", "gap_audio_ms", "gap_speech_ms"}


def test_a_connection_that_was_regained(tmp_path: Path) -> None:
    table = lost(tmp_path, answered, says_it_again).metrics()

    assert table.value["reconnects"] == table.value["connections_lost"] == 1
    assert table.value["reconnect_gap_ms"] == pytest.approx(WAIT_S * 1000, abs=10)
    assert table.value["gap_speech_ms"] == pytest.approx(720, abs=64)
    assert table.value["gap_audio_ms"] >= 1_000


def test_a_connection_that_was_not(tmp_path: Path) -> None:
    refusals = (rt.ConnectionFailedError("wrong key", "401"),)
    table = lost(tmp_path, answered, refusals=refusals).metrics()

    assert (table.value["reconnects"], table.value["connections_lost"]) == (0, 1)
    assert math.isnan(table.value["reconnect_gap_ms"])
    assert table.reason["reconnect_gap_ms"] == "the connection was never regained"


def sessions(count: int, **header: object) -> MadeRecording:
    made = MadeRecording()
    made.header.update(header)
    for number in range(count):
        made.got(float(number), "session.created", session={"id": f"sess_{number}"})
    made.got(5.0, "response.created", response={"id": "resp", "status": "in_progress"})
    return made


def test_a_session_without_a_loss_lost_nothing() -> None:
    found = connection_figures(sessions(1, close_code=1000))

    assert {name: found[name].value for name in NAMES - {"reconnect_gap_ms"}} == {
        "reconnects": 0,
        "connections_lost": 0,
        "gap_audio_ms": 0,
        "gap_speech_ms": 0,
    }
    assert found["reconnect_gap_ms"].reason == "the connection was never lost"


def test_a_log_that_tells_of_two_sessions_and_of_no_loss() -> None:
    found = connection_figures(sessions(2))

    assert found["reconnects"].value == found["connections_lost"].value == 1
    for name in ("reconnect_gap_ms", "gap_audio_ms", "gap_speech_ms"):
        assert found[name].reason == "nothing tells when the connection was lost"


def test_a_session_that_broke_off_for_good() -> None:
    found = connection_figures(sessions(1, close_code=1006))

    assert (found["reconnects"].value, found["connections_lost"].value) == (0, 1)
    assert math.isnan(found["gap_audio_ms"].value)


def test_without_events_nothing_is_known() -> None:
    found = connection_figures(MadeRecording())

    assert set(found) == NAMES
    assert all(math.isnan(figure.value) and figure.reason for figure in found.values())
