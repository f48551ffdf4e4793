from __future__ import annotations

import pytest

from realtime_nb.commands.bench import notebook
from realtime_nb.errors import ConfigurationError

ROW = {
    "capture_p50_ms": 11.0,
    "capture_p95_ms": 12.0,
    "server_p50_ms": 13.0,
    "server_p95_ms": 14.0,
    "lost_samples": 0.0,
    "underruns_per_minute": 1.5,
    "page_cpu": 0.25,
}
FLUSHES = {"flush_p50_ms": 15.0, "flush_p95_ms": 16.0}


def test_the_table_has_a_row_for_each_phase(capsys: pytest.CaptureFixture[str]) -> None:
    notebook._print_table({"idle": {**ROW, **FLUSHES}, "time.sleep": ROW}, 8.0, 40)
    title, head, _, idle, sleep, *load = capsys.readouterr().out.splitlines()
    assert title == "page and kernel, 40-ms chunks, 8 s of each"
    assert all(line.startswith("  load of the machine") for line in load)
    ends = [head.index(name) + len(name) for name in ("→ kernel", "→ server", "flush")]
    assert [idle[:end].split(" / ")[-1] for end in ends] == ["12", "14", "16"]
    assert " ".join(idle.split()) == "idle 11 / 12 13 / 14 15 / 16 1.5 0 25%"
    assert " ".join(sleep.split()) == "time.sleep 11 / 12 13 / 14 – 1.5 0 25%"


@pytest.mark.parametrize("seconds", [0.0, float("nan"), float("inf")])
def test_a_length_of_nothing_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="give a length of at least 1"):
        notebook.run(seconds)
