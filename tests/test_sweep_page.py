"""The cell on the page of sweeps runs, and finds what the page says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.paths import ROOT

PAGE = (ROOT / "docs" / "sweep.md").read_text("utf-8")


@pytest.mark.long
def test_a_setting_beats_the_default_at_equal_wait(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    (cell,) = (one for one in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "road" in one)
    found: dict[str, Any] = {}

    exec(cell, found)

    tried, check, best = found["tried"].table, found["check"].table, found["best"]
    usual = tried[tried["mark"].fillna("") == "server default"].iloc[0]
    assert best.row["labelled_turns"] == 32
    assert best.row["split_turns"] <= usual["split_turns"] / 2
    assert best.row["endpoint_wait_p50_ms"] <= usual["endpoint_wait_p50_ms"] + 16
    before, after = check.iloc[0], check.iloc[1]  # in noise that it was not chosen in
    assert after["split_turns"] < before["split_turns"]
    assert after["endpoint_wait_p50_ms"] <= before["endpoint_wait_p50_ms"] + 16
    for row in (usual, before, best.row, after):
        assert f"{row['split_turns']}" in PAGE and f"{row['endpoint_wait_p50_ms']:.0f}" in PAGE
    why, why_not = capsys.readouterr().out.strip().splitlines()[-2:]
    assert "cut off" in why and "would have heard it out" in why
    assert "cut off" not in why_not
