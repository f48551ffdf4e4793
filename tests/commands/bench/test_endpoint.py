from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from realtime_nb.audio.turn_model import NO_TURN_MODEL
from realtime_nb.commands.bench import endpoint
from realtime_nb.commands.bench.endpoint import EndedTurn


@pytest.fixture(autouse=True)
def _no_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_NB_PROMPTS", str(tmp_path))
    monkeypatch.setattr(endpoint, "_PAUSES", 1)
    monkeypatch.setattr(endpoint, "_RESAMPLED", 200)


def test_a_longer_silence_cuts_off_less_and_waits_longer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = endpoint.run()
    rows = figures["shipped"]
    assert isinstance(rows, dict)
    names = [name for name in rows if name.startswith("server")]
    assert names == [f"server_vad {ms} ms" for ms in (200, 300, 500, 700, 1_000)]
    shares = [rows[name]["cut_off"] for name in names]
    assert shares == sorted(shares, reverse=True)
    waits = [rows[name]["wait_p50_ms"] for name in names]
    # Silence is rounded up to frames; the detector is done within 100 ms of the voice.
    for wait_ms, window_ms in zip(waits, (224, 320, 512, 704, 1_024), strict=True):
        assert -60 < wait_ms - window_ms < 132
    assert rows["semantic_vad high"]["wait_p50_ms"] == pytest.approx(waits[0], abs=1)
    assert (figures["shipped_recordings"], figures["shipped_places"]) == (1, 2)
    assert (figures["reported"], figures["goal_met"]) == ({}, {})
    printed = capsys.readouterr().out
    assert "1 sentences, 2 places, 1 pauses at each" in printed
    assert "apt-get install asterisk-core-sounds-en-wav" in printed


def test_intervals_resample_recordings_not_pauses() -> None:
    one = [EndedTurn("a", True, True, 300.0)] * 50
    row = endpoint._row(one, np.random.default_rng(0))
    assert (row.cut_off, row.cut_off_interval, row.wait_p50_ms) == (1.0, (1.0, 1.0), 300.0)
    assert math.isnan(row.cut_off_open)
    two = one + [EndedTurn("b", False, False, 500.0)] * 50
    row = endpoint._row(two, np.random.default_rng(0))
    assert (row.cut_off, row.cut_off_interval, row.cut_off_open) == (0.5, (0.0, 1.0), 0.0)
    assert row.wait_interval_ms == (300.0, 500.0)


def test_the_goal_is_both_short_waits_and_few_cut_offs() -> None:
    def row(cut_off: float, wait_ms: float) -> endpoint.Row:
        return endpoint.Row(cut_off, (0, 1), math.nan, wait_ms, (0, 1), wait_ms)

    rows = {
        "server_vad 700 ms": row(0.3, 750),
        "semantic_vad low": row(0.3, 350),
        "semantic_vad auto": row(0.31, 250),
        "semantic_vad high": row(0.1, 351),
    }
    assert endpoint._goal(rows) == {
        "semantic_vad low": True,
        "semantic_vad auto": False,
        "semantic_vad high": False,
    }


def test_without_onnxruntime_only_server_vad_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(endpoint, "turn_model", lambda: None)
    figures = endpoint.run()
    assert NO_TURN_MODEL in capsys.readouterr().out
    rows = figures["shipped"]
    assert isinstance(rows, dict)
    assert not any(name.startswith("semantic") for name in rows)
