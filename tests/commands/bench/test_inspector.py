from __future__ import annotations

import shutil

import pytest

from realtime_nb.commands.bench import inspector


def test_figures_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("playwright.sync_api")
    if shutil.which("chromium") is None:
        pytest.skip("Chromium is not installed")
    figures = inspector.run(events=5_000, frames=30, live_s=0.5)
    assert (figures.streamed, figures.arrived) == (100, 100)
    assert 0 < figures.nodes <= 300
    assert 0 < figures.frame_p50_ms <= figures.frame_p95_ms <= figures.frame_max_ms
    assert 0 < figures.script_p95_ms < figures.work_p95_ms
    assert 0 <= figures.late_frames <= 1
    printed = capsys.readouterr().out
    assert "5,000 events in the page" in printed
    assert "100 of 100 arrived" in printed


def test_events_are_like_a_sessions() -> None:
    events = list(inspector.stream(100))
    kinds = {str(event["type"]) for _, event in events}
    assert len(events) == 100
    assert {"input_audio_buffer.append", "response.done", "error"} <= kinds
