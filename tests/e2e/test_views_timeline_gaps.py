"""A lost connection on the timeline in Chromium: shaded, and named where one points at it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from realtime_nb.analysis.timeline import PlacedAudio, TimelineData
from realtime_nb.audio.pcm import samples_from_pcm
from realtime_nb.testing import tone
from realtime_nb.widgets.timeline import Timeline
from tests.e2e import view_pages
from tests.e2e.view_pages import EVIL, HARMLESS, Show, label, labelled, themed

browser, show = view_pages.browser, view_pages.show

GAP = f"connection lost: 2.0 s gap, 1,240 ms of your audio unheard {EVIL}"
STATUS = "(t) => document.querySelector('.rtnb-timeline-status').textContent.includes(t)"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_gap_is_shaded_and_named(show: Show, theme: str, tmp_path: Path) -> None:
    audio = [PlacedAudio(0.0, samples_from_pcm(tone(10_000, level=0.05)))]
    data = TimelineData(10.0, user=audio, gaps=[(4.0, 6.0, GAP)], settings=[(8.0, "threshold 0.7")])
    view = show(Timeline(data), head=themed(theme))
    labelled(view, "1 lost connection")
    assert "1 changed setting" in label(view)
    canvas = view.page.locator("canvas")
    box = canvas.bounding_box()
    assert box is not None

    for t_s, words in ((5.0, GAP), (8.0, "threshold 0.7"), (4.5, "1,240 ms")):
        left = 62 + (box["width"] - 62) * t_s / 10.0
        canvas.hover(position={"x": left, "y": 40})
        view.until(STATUS, words)
    assert view.page.evaluate(HARMLESS)
    view.page.screenshot(path=os.environ.get("GAPS_SHOT", str(tmp_path / "shot")) + f"_{theme}.png")
