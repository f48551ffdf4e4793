from __future__ import annotations

import pytest

from realtime_nb.commands.bench import recording as bench
from realtime_nb.errors import MissingExtraError
from realtime_nb.recordings.kept_tables import KEPT


def test_measures_and_prints(capsys: pytest.CaptureFixture[str]) -> None:
    figures = bench.run(minutes=0.5, many=4)

    assert figures.events > 500
    assert set(figures.tables_s) == {"events", "turns", "calls", "speech", "usage", "latency"}
    assert figures.speed_up == pytest.approx(figures.workers_1_s / figures.workers_2_s)
    printed = capsys.readouterr().out
    assert "4 recordings of a minute on Dask" in printed
    assert f"{figures.timeline_s:.2f} s" in printed
    assert f"{figures.report_s:.2f} s   {figures.report_mb:.1f} MB" in printed
    assert 0.2 < figures.report_mb < 3
    assert "Tables of 4 recordings of a minute" in printed
    assert f"{figures.many_audio_s:.2f} s   all {len(KEPT)}" in printed
    assert 50 < (figures.peak_mb or 0) <= 400
    assert f"{figures.peak_mb:8.0f} MB at most" in printed
    assert figures.many_again_s < figures.many_audio_s


def test_without_dask_it_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'realtime_nb\[scale\]'"):
        bench.run()
