from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_nb.commands.bench import voice
from realtime_nb.errors import ConfigurationError, RealtimeError
from tests.paths import DATA


def test_figures_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    figures = voice.run(turns=2, audio=[DATA / "cards_001.wav"])

    assert figures["turns"] == 2
    for stage in ("latency", "beyond_window", "first_audio"):
        assert 0 < figures[f"{stage}_p50_ms"] <= figures[f"{stage}_p95_ms"] < 5_000
    # Of two turns the median is the mean, so that the parts add up: 224 ms are the window.
    parts = ("report", "announce", "first_audio", "playout")
    beyond_ms = sum(figures[f"{part}_p50_ms"] for part in parts)
    assert figures["beyond_window_p50_ms"] == pytest.approx(beyond_ms, abs=0.5)
    assert figures["latency_p50_ms"] == pytest.approx(
        figures["detected_p50_ms"] + 224 + figures["beyond_window_p50_ms"], abs=0.5
    )
    printed = capsys.readouterr().out
    assert "2 spoken turns" in printed
    assert f"target: {voice.TARGET_MS} ms" in printed


def test_unanswered_turns_are_no_figures(tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(2_400), 24_000)
    with pytest.raises(RealtimeError, match="Only 0 of 1"):
        voice.run(turns=1, audio=[silence])


def test_no_turns() -> None:
    with pytest.raises(ConfigurationError, match="turns"):
        voice.run(turns=0)
