from __future__ import annotations

import time

import numpy as np
import pytest

from realtime_nb.audio.speech_engines import vad_engine_names
from realtime_nb.commands.bench.engine_speed import measure_speed, print_speed


def test_every_engine_has_its_share_of_the_same_audio(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Each look at the clock comes 10 ms after the last: two pieces of audio take 20 ms of each.
    clock = iter(np.arange(0, 1_000) / 100)
    monkeypatch.setattr(time, "process_time", lambda: float(next(clock)))
    figures = measure_speed(np.zeros(1_024 * 512, np.float32))
    for name in vad_engine_names():
        assert figures[f"{name}_times_real_time"] == pytest.approx(32.768 / 0.02)
    for name in {"earshot", "webrtc"} & set(vad_engine_names()):
        assert figures[f"{name}_package_times_real_time"] == pytest.approx(32.768 / 0.02)
    print_speed(figures)
    printed = capsys.readouterr().out
    assert [row.split()[0] for row in printed.splitlines()[1:]] == vad_engine_names()
    assert "webrtc                 1638   its package alone     1638" in printed
