"""The player of a clip in Chromium: what is seen, and what is heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.recordings.recording import Recording
from realtime_nb.widgets.clip_view import ClipView
from tests.e2e import view_pages
from tests.e2e.view_pages import Show, themed

browser, recording, show = view_pages.browser, view_pages.recording, view_pages.show

LABEL = "document.querySelector('.rtnb-clip button').textContent"
PLACE = "Number(document.querySelector('.rtnb-clip input').value)"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1_200, 400])
def test_a_clip_is_listened_to(
    show: Show, recording: Recording, screenshots: Path, theme: str, width: int
) -> None:
    view = show(
        ClipView(recording.clip(1.0, 3.0).audio()), width=width, height=120, head=themed(theme)
    )
    view.until("!document.querySelector('.rtnb-clip button').disabled")
    button = view.page.locator(".rtnb-clip button")
    button.click()
    view.until(f"{LABEL} === 'Pause' && {PLACE} > 1.3")
    view.page.screenshot(path=screenshots / f"clip-{theme}-{width}.png")
    button.click()
    view.until(f"{LABEL} === 'Play'")
    assert 1.3 < view.page.evaluate(PLACE) < 3.0
    button.click()
    view.until(f"{LABEL} === 'Pause'")
    view.until(f"{LABEL} === 'Play' && {PLACE} === 1")  # it ended, and would begin anew
    place = view.page.locator(".rtnb-clip input")
    place.fill("2.5")
    view.until(f"{PLACE} === 2.5 && {LABEL} === 'Play'")
    button.click()
    view.until(f"{LABEL} === 'Pause' && {PLACE} >= 2.5")
    view.until(f"{LABEL} === 'Play'")
    assert view.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
