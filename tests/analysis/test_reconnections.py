"""One row per loss of the connection, of recordings made on virtual time."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib
import pytest

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from tests.lost_connection import WAIT_S, answered, lost, says_it_again, speaking, voice
from tests.made_recording import MadeRecording
from tests.session.lost_connections import Servers
from tests.virtual import virtual

matplotlib.use("Agg")

VOICE_MS = len(voice()) / 48
SPOKEN_MS = 720  # "seven of clubs" lasts from 0.22 s to 0.94 s of its file


def test_an_answer_that_is_cut_off(tmp_path: Path) -> None:
    (row,) = lost(tmp_path, answered, playback="stop").reconnections.to_dict("records")

    assert row["outcome"] == "reconnected"
    assert row["gap_s"] == pytest.approx(WAIT_S, abs=0.01)
    assert row["resumed_s"] - row["lost_s"] == pytest.approx(WAIT_S, abs=0.01)
    assert len(row["cut_response_ids"]) == 1
    assert row["cut_heard_ms"] == pytest.approx(3_000, abs=50)
    assert not row["user_cut_off"]
    assert (row["items_restored"], row["items_not_restored"]) == (2, 0)  # question and answer
    assert (row["attempts"], row["close_code"]) == (1, 1006)


def test_an_answer_that_is_played_to_the_end_of_what_had_come(tmp_path: Path) -> None:
    (row,) = lost(tmp_path, answered, playback="finish").reconnections.to_dict("records")

    assert row["cut_heard_ms"] == pytest.approx(4_000, abs=50)  # servers are a second ahead


def test_speech_that_no_server_heard(tmp_path: Path) -> None:
    recording = lost(tmp_path, answered, says_it_again)
    (row,) = recording.reconnections.to_dict("records")

    before_ms = row["lost_from_ms"]
    assert before_ms < row["lost_from_ms"] + row["audio_lost_ms"] <= len(recording.input) / 24
    assert row["speech_lost_ms"] == pytest.approx(SPOKEN_MS, abs=64)
    assert row["audio_lost_ms"] >= VOICE_MS


def test_a_user_who_is_cut_off(tmp_path: Path) -> None:
    (row,) = lost(tmp_path, speaking).reconnections.to_dict("records")

    assert row["user_cut_off"]
    assert row["cut_response_ids"] == []
    assert math.isnan(row["cut_heard_ms"])
    assert row["lost_from_ms"] == 600


def test_a_connection_that_was_given_up(tmp_path: Path) -> None:
    refusal = rt.ConnectionFailedError("wrong key", "401")
    recording = lost(tmp_path, answered, says_it_again, refusals=(refusal,))
    (row,) = recording.reconnections.to_dict("records")

    assert row["outcome"] == "given up"
    assert "wrong key" in row["reason"]
    assert math.isnan(row["gap_s"])
    assert "never regained" in row["note"]
    assert row["audio_lost_ms"] == len(recording.input) / 24 - row["lost_from_ms"]


@virtual
async def test_a_session_that_moves_before_it_expires_lost_nothing(tmp_path: Path) -> None:
    servers = Servers(ScriptedLLM(["Yes."] * 9), session_s=60.0)
    async with servers, rt.connect(transport=servers.dial, record=tmp_path) as session:
        await session.say("My name is Ada.")
        assert await session.settled()
        await session.wait_for("connection.reconnected", timeout_s=59)
    assert session.recording is not None
    recording = rt.load(session.recording)

    (row,) = recording.reconnections.to_dict("records")
    assert (row["outcome"], row["audio_lost_ms"], row["cut_response_ids"]) == ("replaced", 0, [])
    values = recording.metrics().value
    assert (values["reconnects"], values["connections_lost"]) == (1, 0)
    assert len(recording.findings().of("connection-lost")) == 0
    assert "connection" not in str(recording.transcript())
    legend = recording.plot_timeline().get_legend()
    names = [] if legend is None else [text.get_text() for text in legend.get_texts()]
    assert "no connection" not in names


def test_without_a_loss_there_is_no_row() -> None:
    assert MadeRecording().reconnections.empty
