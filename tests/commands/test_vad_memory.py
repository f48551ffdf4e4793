"""A long file needs no more memory than a short one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.paths import DATA, ROOT

LISTEN = """
import contextlib, io, sys
import realtime_nb as rt
from realtime_nb.commands.cli import app
with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.suppress(SystemExit):
    app(["vad", sys.argv[1]])
rec = rt.load(sys.argv[1])
spans = len(rec.voices.user)
rec.metrics()
print(len(printed.getvalue().splitlines()), spans)
told = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(told["VmHWM"].split()[0]) * 1024 / 1e6)
"""


def heard(folder: Path, minutes: int) -> tuple[int, float]:
    """Speech of so many minutes: how many stretches are found in it, and in how many MB."""
    words, rate = soundfile.read(DATA / "cards_005.wav", dtype="int16")
    path = folder / f"{minutes}.wav"
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        for _ in range(minutes * 10):
            file.write(words)
            file.write(np.zeros(6 * rate - len(words), np.int16))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", LISTEN, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    ).stdout.split()
    rows, spans, peak_mb = int(told[0]), int(told[1]), float(told[2])
    assert rows == minutes * 10 + 3  # and names, a line and the peak
    return spans, peak_mb


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no measure of memory")
@pytest.mark.parametrize(
    ("short", "long", "most_mb"),
    [
        (3, 15, 35),  # minutes; whole, it would be 70 MB more
        pytest.param(12, 36, 40, marks=pytest.mark.long),  # 140 MB
    ],
)
def test_memory_is_flat(tmp_path: Path, short: int, long: int, most_mb: float) -> None:
    spans, short_mb = heard(tmp_path, short)
    assert spans == 10 * short
    spans, long_mb = heard(tmp_path, long)
    assert spans == 10 * long
    assert long_mb - short_mb < most_mb
    assert long_mb < 400
